"""django-redis's ``RedisCache`` with its default and Sentinel clients (django_redis/client)."""

from __future__ import annotations

import lzma
import pickle
import zlib
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from cachecheck.agent.backends.base import Backend
from cachecheck.agent.backends.inflate import inflate
from cachecheck.agent.backends.shown import dotted, shown_options, shown_url
from cachecheck.agent.namespaces import observe
from cachecheck.errors import InertUnreadable
from cachecheck.stores.readings import pickled_integer
from cachecheck.stores.redis import OPTIONS_NOT_OURS, RedisStore, our_client
from cachecheck.stores.unsupported import UnsupportedStore

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis
    from django.core.cache.backends.base import BaseCache

    from cachecheck.agent.backends.base import Pairs
    from cachecheck.agent.backends.inflate import Decompressor
    from cachecheck.model import Namespace, ServerCounters
    from cachecheck.stores.base import Store, Stored

_PICKLE = "django_redis.serializers.pickle.PickleSerializer"
_IDENTITY = "django_redis.compressors.identity.IdentityCompressor"
_READABLE = "django_redis.client.default.DefaultClient"
_UNREADABLE = ("django_redis.client.sharded.ShardClient", "django_redis.client.herd.HerdClient")
_IN_CODEC = {"SERIALIZER", "COMPRESSOR", "PICKLE_VERSION"}
_LIBRARIES = {
    "django_redis.compressors.lz4.Lz4Compressor": "lz4",
    "django_redis.compressors.lzma.LzmaCompressor": "lzma",
    "django_redis.compressors.zstd.ZStdCompressor": "pyzstd",
    "django_redis.serializers.msgpack.MSGPackSerializer": "msgpack",
}
_LZMA_MEMORY_BYTES = 64 << 20

_DECOMPRESSORS: dict[str, Callable[[], Decompressor]] = {
    "django_redis.compressors.zlib.ZlibCompressor": zlib.decompressobj,
    "django_redis.compressors.gzip.GzipCompressor": lambda: zlib.decompressobj(wbits=31),
    "django_redis.compressors.lzma.LzmaCompressor": lambda: lzma.LZMADecompressor(
        memlimit=_LZMA_MEMORY_BYTES
    ),
}


class DjangoRedisBackend(Backend):
    """Reads the primary through a client of our own, made of the application's parameters."""

    kind = "redis"

    def store(self) -> Store:
        """Open the primary's database on connections of our own."""
        obstacle = self._obstacle()
        if obstacle is not None:
            return UnsupportedStore(obstacle, address=self._addresses()[0])
        return RedisStore(
            self._connect,
            address=self._addresses()[0],
            unread_replicas=len(self._client._server) - 1,  # noqa: SLF001  kept to this file
        )

    def settings(self) -> Pairs:
        """Give the servers, what happens to errors, and the other options."""
        cache: Any = self.cache
        options = {name: value for name, value in self._options().items() if name not in _IN_CODEC}
        options["IGNORE_EXCEPTIONS"] = cache._ignore_exceptions  # noqa: SLF001
        return (
            ("servers", ", ".join(self._addresses())),
            ("client", dotted(cache._client_cls)),  # noqa: SLF001
            *shown_options(options, "OPTIONS."),
        )

    def codec(self) -> Pairs:
        """Give serializer, compressor and the pickle protocol."""
        options = self._options()
        return (
            ("serializer", str(options.get("SERIALIZER", _PICKLE))),
            ("compressor", str(options.get("COMPRESSOR", _IDENTITY))),
            ("pickle_protocol", str(options.get("PICKLE_VERSION", pickle.DEFAULT_PROTOCOL))),
        )

    def pickle_protocol(self) -> int | None:
        """Give the protocol, which no other serializer than that of pickles has."""
        serializer = str(self._options().get("SERIALIZER", _PICKLE))
        return super().pickle_protocol() if serializer == _PICKLE else None

    def needs(self) -> tuple[str, ...]:
        """Name the libraries of serializer and compressor."""
        named = (value for _, value in self.codec()[:2])
        return tuple(_LIBRARIES[name] for name in named if name in _LIBRARIES)

    def hides_errors(self) -> bool:
        """Say whether ``IGNORE_EXCEPTIONS`` is on, for this alias or for all."""
        cache: Any = self.cache
        return bool(cache._ignore_exceptions)  # noqa: SLF001

    def server_counters(self, store: Store) -> ServerCounters | None:
        """Give the hits and misses of the whole server."""
        return store.counters() if isinstance(store, RedisStore) else None

    def payload(self, stored: Stored) -> bytes:
        """Give the pickle, decompressed within bounds; integers, stored as digits, are made one."""
        serializer, compressor = (value for _, value in self.codec()[:2])
        if self._obstacle() is not None or serializer != _PICKLE:
            raise InertUnreadable(f"unknown serializer {serializer}")
        return pickled_integer(stored.value) or _decompressed(stored.value, compressor)

    def namespace(self, probe_key: str) -> Namespace:
        """Observe the rule of the client, which makes the keys here and not the backend."""
        if self._obstacle() is not None:
            return super().namespace(probe_key)
        naming = SimpleNamespace(
            make_key=self._client.make_key,
            version=self.cache.version,
            key_prefix=self.cache.key_prefix,
        )
        return observe(cast("BaseCache", naming), probe_key)

    def stored_key(self, logical: str) -> str:
        """Turn a logical key into the stored one, which django-redis does not validate."""
        if self._obstacle() is not None:
            return super().stored_key(logical)
        return str(self._client.make_key(logical))

    def logical_key(self, stored: str, namespace: Namespace) -> str | None:
        """Recover the logical key, with the site's REVERSE_KEY_FUNCTION where nothing else can."""
        cache: Any = self.cache
        reverses = cache._params.get("REVERSE_KEY_FUNCTION") is not None  # noqa: SLF001
        if namespace.is_reversible or not reverses or self._obstacle() is not None:
            return super().logical_key(stored, namespace)
        try:
            logical = str(self._client.reverse_key(stored))
        except (IndexError, ValueError):  # not a key of its making
            return None
        return logical if self.stored_key(logical) == stored else None

    @cached_property
    def _client(self) -> Any:
        """A client like the application's, with a connection factory and sentinels of its own."""
        cache: Any = self.cache
        params = {**cache._params, "OPTIONS": self._our_options()}  # noqa: SLF001
        return cache._client_cls(cache._server, params, cache)  # noqa: SLF001

    def _our_options(self) -> dict[str, Any]:
        options = self._options()
        pool_options = dict(options.get("CONNECTION_POOL_KWARGS", {}))
        for name in OPTIONS_NOT_OURS:
            pool_options.pop(name, None)
        return {**options, "CONNECTION_POOL_KWARGS": pool_options}

    def _connect(self) -> redis.Redis:
        factory = self._client.connection_factory
        params = factory.make_connection_params(self._client._server[0])  # noqa: SLF001
        return our_client(factory.get_connection_pool(params))

    def _obstacle(self) -> str | None:
        cache: Any = self.cache
        bases = {dotted(base) for base in cache._client_cls.__mro__}  # noqa: SLF001
        for unreadable in _UNREADABLE:
            if unreadable in bases:
                return f"{unreadable.rpartition('.')[2]} of django-redis is not read yet"
        if _READABLE in bases:
            return None
        return "its client is not derived from django-redis's DefaultClient"

    def _addresses(self) -> list[str]:
        cache: Any = self.cache
        server = cache._server  # noqa: SLF001
        return [
            shown_url(each) for each in (server.split(",") if isinstance(server, str) else server)
        ]

    def _options(self) -> dict[str, Any]:
        cache: Any = self.cache
        return dict(cache._params.get("OPTIONS", {}))  # noqa: SLF001


def _decompressed(value: bytes, compressor: str) -> bytes:
    if compressor == _IDENTITY:
        return value
    if compressor not in _DECOMPRESSORS:
        raise InertUnreadable(f"unknown compressor {compressor}")
    try:
        return inflate(_DECOMPRESSORS[compressor](), value)
    except (zlib.error, lzma.LZMAError):
        return value  # short values are stored as they are
