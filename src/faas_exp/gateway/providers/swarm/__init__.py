"""Provider ``swarm``: a replica is a task of a Swarm service.

``provider`` runs in every gateway, on the workers; ``agent`` runs on every manager and is the only part that speaks to
Docker. docs/swarm.md says why.
"""
