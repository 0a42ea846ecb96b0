"""Folders of functions: what is in them, how they are assembled, built and started without a container engine.

``bundle`` is the door; the other files hold one idea each. The layout is described in ``docs/contracts.md`` and in
``experiments/functions/README.md``.
"""
