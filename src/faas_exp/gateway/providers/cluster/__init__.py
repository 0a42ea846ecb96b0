"""What the providers of a cluster have in common: Swarm, Nomad and Kubernetes alike.

Imports the gateway's model, provider protocol and HTTP client; nothing of any orchestrator.
"""
