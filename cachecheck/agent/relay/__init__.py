"""Processes of one host that hand a signed probe on to each other, over Unix sockets.

``starting`` has each process of the site listen once it is at work, always after a fork;
``listening`` is that, ``folder`` where they meet, ``asking`` how one asks the others, ``relaying``
what it answers for all of them. Nothing of it is imported before it is needed but ``starting``.
"""
