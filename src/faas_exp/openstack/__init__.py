"""An environment on OpenStack: one network, its machines, and the way to be rid of them.

There is no state file: what exists is what the project holds under the mark ``faas-exp:env=<name>``. The mark is part
of the very call that makes a thing (:mod:`faas_exp.openstack.marks`), so a run that is killed at any point leaves
nothing that the next run, or a teardown, can't see.
"""
