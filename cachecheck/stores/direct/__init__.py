"""Stores that the coordinator reads by itself, answering the messages that agents answer.

::

    reading a URL ──► spec      which store, and how it is reached: a value that can be pickled
                       │
      members ◄────────┤        the store and each of its replicas, as stores of their own
                       │
    answering ──► opening ──► bound, cluster, union ──► stores.redis, stores.memcached
        │
        └───────► choosing      which stored keys are meant, and by what logical names they go
"""

from __future__ import annotations

from cachecheck.stores.direct.answering import answer
from cachecheck.stores.direct.members import members
from cachecheck.stores.direct.opening import open_store
from cachecheck.stores.direct.parsing import parse_store
from cachecheck.stores.direct.spec import StoreSpec, address, url, with_password

__all__ = [
    "StoreSpec",
    "address",
    "answer",
    "members",
    "open_store",
    "parse_store",
    "url",
    "with_password",
]
