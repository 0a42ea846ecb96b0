"""Provider ``k8s``: a replica is a pod of a Deployment.

Every gateway speaks to Kubernetes itself, with an account that may look after functions in their namespace and nothing
else. docs/kubernetes.md says why.
"""
