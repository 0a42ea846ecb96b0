"""An environment on AWS: one network, its machines, what they cost, and the way to be rid of them.

There is no state file: what exists is what EC2 lists under the tag ``faas-exp:env=<name>``. Everything is tagged in
the very call that makes it, so a run that is killed at any point leaves nothing that the next run, or a teardown, can't
see.
"""
