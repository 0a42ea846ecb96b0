"""Provider ``nomad``: a replica is an allocation of a Nomad job.

Every gateway speaks to Nomad itself, with a token that may look after jobs and nothing else. docs/nomad.md says why.
"""
