"""memcached servers, over sockets of our own and the meta protocol.

::

    store ──► connection   one socket, bounded in line, value and waiting time
      │  ├──► meta         the commands and what their answers mean
      │  └──► dump         listing a server by slab classes, page by page
      └─────► bulk         walking all entries: what was listed, read some hundred at once

Never over the application's connection: there, an answer that its client does not expect leaves
it corrupt for whoever asks next.
"""

from __future__ import annotations

from cachecheck.stores.memcached.connection import Endpoint
from cachecheck.stores.memcached.store import MemcachedStore

__all__ = ["Endpoint", "MemcachedStore"]
