"""faas.exp: how fast is a serverless platform on each container orchestrator, and how sure are we?

The science of the project: experiment files, grids, result trees, load, statistics, figures and the embedded
gateway. Nothing here knows of Ansible.
"""

__version__ = "0.1.0"
