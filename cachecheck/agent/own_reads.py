"""The hits and misses that probes have moved in servers, through this process."""

from __future__ import annotations

import os

from cachecheck.stores.own_reads import OwnReads

own_reads = OwnReads()
"""For all stores that this process opens."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=own_reads.reset)
