"""Redis, Valkey and what speaks like them, over redis-py, which is imported on first need.

::

store ──► bulk ───► wire       one connection, packed and parsed by ourselves
  │         └─────► tempo      how many keys at once, and when to pause
  ├─────► facts                identity, capabilities and counters, from INFO
  └─────► server ─► pool       connections of our own, from the application's parameters
             ├────► entries    commands for a batch of keys, and what the answers mean
             └────► failures   every exception of redis-py, as a ``StoreError``
"""

from __future__ import annotations

from cachecheck.stores.redis.pool import OPTIONS_NOT_OURS, our_client
from cachecheck.stores.redis.store import RedisStore

__all__ = ["OPTIONS_NOT_OURS", "RedisStore", "our_client"]
