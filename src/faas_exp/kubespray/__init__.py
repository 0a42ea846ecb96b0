"""Kubespray from a program: what it is given, the environment that it asks for, a run of it and how that went.

It is used as it comes, at a pinned tag or from a checkout, with the Ansible it asks for in an environment of its own.
"""
