"""Django's ``RedisCache`` (django/core/cache/backends/redis.py)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.cache.backends.redis import RedisCacheClient, RedisSerializer

from cachecheck.agent.backends.replicated import ReplicatedBackend
from cachecheck.agent.backends.shown import dotted, shown_options, shown_url
from cachecheck.errors import InertUnreadable
from cachecheck.stores.readings import pickled_integer
from cachecheck.stores.redis import OPTIONS_NOT_OURS, RedisStore, our_client, stored_by_redis
from cachecheck.stores.unsupported import UnsupportedStore

if TYPE_CHECKING:
    import redis

    from cachecheck.agent.backends.base import Pairs
    from cachecheck.model import ServerCounters
    from cachecheck.stores.base import Store, Stored

_IN_CODEC = {"serializer"}
_FOREIGN_CLIENT = "its client is not derived from Django's RedisCacheClient"


class RedisBackend(ReplicatedBackend):
    """Reads the server that the application writes to and, where asked, each of the others."""

    kind = "redis"

    def store(self) -> Store:
        """Open the write server's database on connections of our own."""
        if not isinstance(self._client, RedisCacheClient):
            return UnsupportedStore(_FOREIGN_CLIENT, address=self._addresses()[0])
        return self._open(0)

    def settings(self) -> Pairs:
        """Give the servers and the options of client and pool."""
        options = {name: value for name, value in self._options().items() if name not in _IN_CODEC}
        return (
            ("servers", ", ".join(self._addresses())),
            *shown_options(options, "OPTIONS."),
        )

    def codec(self) -> Pairs:
        """Give the serializer and its pickle protocol."""
        serializer = getattr(self._client, "_serializer", None)
        named = (("serializer", dotted(serializer)),)
        protocol = getattr(serializer, "protocol", None)
        return named if protocol is None else (*named, ("pickle_protocol", str(protocol)))

    def server_counters(self, store: Store) -> ServerCounters | None:
        """Give the hits and misses of the whole server."""
        return store.counters() if isinstance(store, RedisStore) else None

    def payload(self, stored: Stored) -> bytes:
        """Give the pickle; an integer, which is stored as digits, is made one."""
        serializer = type(getattr(self._client, "_serializer", None))
        if getattr(serializer, "loads", None) is not RedisSerializer.loads:
            raise InertUnreadable(f"unknown serializer {dotted(serializer)}")
        return pickled_integer(stored.value) or stored.value

    def encoded(self, value: object) -> Stored:
        """Serialize a value; integers stay digits."""
        return stored_by_redis(self._client._serializer.dumps(value))  # noqa: SLF001  in this file

    @cached_property
    def _client(self) -> Any:
        """A client like the application's, with pools of its own; it opens no connection."""
        cache: Any = self.cache
        return cache._class(self._servers(), **self._options())  # noqa: SLF001  kept to this file

    def _connect_to(self, place: int) -> redis.Redis:
        client = self._client
        options = {
            name: value
            for name, value in client._pool_options.items()  # noqa: SLF001
            if name not in OPTIONS_NOT_OURS
        }
        pool = client._pool_class.from_url(self._servers()[place], **options)  # noqa: SLF001
        return our_client(pool)

    def _servers(self) -> list[str]:
        cache: Any = self.cache
        return list(cache._servers)  # noqa: SLF001

    def _addresses(self) -> list[str]:
        return [shown_url(server) for server in self._servers()]

    def _options(self) -> dict[str, Any]:
        cache: Any = self.cache
        return dict(cache._options)  # noqa: SLF001
