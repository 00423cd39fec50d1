"""What the backends for memcached have in common, whichever client they use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cachecheck.agent.backends.base import Backend
from cachecheck.stores.memcached import MemcachedStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.agent.backends.base import Pairs
    from cachecheck.model import Namespace, ServerCounters
    from cachecheck.stores.base import Store

_SEVERAL = 2


class MemcachedBackend(Backend):
    """Reads each server on sockets of our own, chosen as the application's client would."""

    kind = "memcached"

    def labels(self) -> tuple[str, ...]:
        """Name the servers, in the order of the list, as ``route`` does; none: nothing is known."""
        raise NotImplementedError

    def route(self, stored: str) -> str:
        """Name the server that a stored key goes to."""
        raise NotImplementedError

    def client_prefix(self) -> str:
        """Give what the client puts before every key, after it has chosen the server."""
        return ""

    def routing(self, probe_keys: Sequence[str]) -> Pairs:
        """Give the server of each probe key, where there is more than one."""
        if len(self.labels()) < _SEVERAL or self.routing_unknown() is not None:
            return ()
        return tuple((key, self.route(self.stored_key(key))) for key in probe_keys)

    def server_counters(self, store: Store) -> ServerCounters | None:
        """Give the hits and misses of all servers together."""
        return store.counters() if isinstance(store, MemcachedStore) else None

    def namespace(self, probe_key: str) -> Namespace:
        """Observe the rule, with the prefix that the client puts before every key."""
        made = super().namespace(probe_key)
        prefix = self.client_prefix()
        return msgspec.structs.replace(
            made,
            prefix=prefix + made.prefix,
            stored_probe=prefix + made.stored_probe,
            form=None if made.form is None else prefix + made.form,
        )

    def stored_key(self, logical: str) -> str:
        """Turn a logical key into the stored one, with the client's own prefix."""
        return self.client_prefix() + super().stored_key(logical)

    def addresses(self) -> str:
        """Give the list as it is configured: its spelling and its order decide where keys go."""
        cache: Any = self.cache
        return ", ".join(map(spelled, cache.client_servers))

    def options(self) -> dict[str, Any]:
        """Give ``OPTIONS``, which are the client's parameters."""
        cache: Any = self.cache
        return dict(cache._options)  # noqa: SLF001  of every memcached backend of Django's


def spelled(server: str | tuple[str, int]) -> str:
    """Write a server as ``LOCATION`` has it."""
    return server if isinstance(server, str) else f"{server[0]}:{server[1]}"
