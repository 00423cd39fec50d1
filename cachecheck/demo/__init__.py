"""A deployment with faults in it, on this machine: what ``cachecheck demo`` starts and checks.

``site`` is the Django site that its nodes run, and is imported by their processes alone.
"""
