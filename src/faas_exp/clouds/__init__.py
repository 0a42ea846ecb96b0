"""What every cloud that is rented does the same way: the book of changes, waiting, the end and its proof.

May import the modules of :mod:`faas_exp` itself (machines, firewall, host keys, errors); nothing of
:mod:`faas_exp.aws` or :mod:`faas_exp.openstack`, nor any cloud's SDK. Where a cloud's own ways matter (what its
failures mean, which error its users read), it passes them in: as a parameter, or as a class that it derives.
"""
