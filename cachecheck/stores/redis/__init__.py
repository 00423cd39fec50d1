"""Redis, Valkey and what speaks like them, over redis-py or valkey-py, imported on first need.

::

store ──► bulk ───► wire       one connection, packed and parsed by ourselves
  │         └─────► tempo      how many keys at once, and when to pause
  ├─────► facts                identity, capabilities and counters, from INFO
  └─────► server ─► pool       connections of our own, from the application's parameters
             ├────► entries    commands for a batch of keys, and what the answers mean
             ├────► failures   every exception of the client libraries, as a ``StoreError``
             └────► library    which of the two libraries it is

Several databases among which keys are divided are ``sharded``; ``early`` is one whose entries end
for the application before they expire.
"""

from __future__ import annotations

from cachecheck.stores.redis.entries import stored_by_redis
from cachecheck.stores.redis.pool import OPTIONS_NOT_OURS, our_client
from cachecheck.stores.redis.sharded import ShardedStore
from cachecheck.stores.redis.store import RedisStore
from cachecheck.stores.redis.tempo import GENTLE_KEYS

__all__ = [
    "GENTLE_KEYS",
    "OPTIONS_NOT_OURS",
    "RedisStore",
    "ShardedStore",
    "our_client",
    "stored_by_redis",
]
