"""The portable gateway: OpenFaaS's API and request path in front of local processes or an orchestrator."""
