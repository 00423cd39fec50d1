"""django-redis's ``RedisCache`` with its default, Sentinel, shard and herd clients.

django-valkey was made of it, and differs in names.
"""

from __future__ import annotations

import pickle
import re
from functools import cached_property, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from cachecheck.agent.backends.herd import unwrapped
from cachecheck.agent.backends.packing import packing_of, unpack
from cachecheck.agent.backends.replicated import ReplicatedBackend
from cachecheck.agent.backends.shown import dotted, shown_options, shown_url
from cachecheck.agent.namespaces import observe
from cachecheck.agent.own_reads import own_reads
from cachecheck.errors import InertUnreadable
from cachecheck.inert import Encoded
from cachecheck.stores.early import EarlyStore
from cachecheck.stores.readings import pickled_integer
from cachecheck.stores.redis import (
    GENTLE_KEYS,
    OPTIONS_NOT_OURS,
    RedisStore,
    ShardedStore,
    our_client,
    stored_by_redis,
)
from cachecheck.stores.unsupported import UnsupportedStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis
    from django.core.cache.backends.base import BaseCache

    from cachecheck.agent.backends.base import Pairs
    from cachecheck.inert.codecs import Codec
    from cachecheck.model import Namespace, ServerCounters
    from cachecheck.stores.base import Store, Stored

_PICKLE = "django_redis.serializers.pickle.PickleSerializer"
_IDENTITY = "django_redis.compressors.identity.IdentityCompressor"
_READABLE = "django_redis.client.default.DefaultClient"
_SHARDED = "django_redis.client.sharded.ShardClient"
_HERD = "django_redis.client.herd.HerdClient"
_IN_CODEC = {"SERIALIZER", "COMPRESSOR", "PICKLE_VERSION"}
_LIBRARIES = {
    "django_redis.compressors.lz4.Lz4Compressor": "lz4",
    "django_redis.compressors.lzma.LzmaCompressor": "lzma",
    "django_redis.compressors.zstd.ZStdCompressor": "pyzstd",
    "django_redis.serializers.msgpack.MSGPackSerializer": "msgpack",
}
_SEVERAL = 2

_CODECS: dict[str, Codec] = {
    _PICKLE: "pickle",
    "django_redis.serializers.json.JSONSerializer": "json",
    "django_redis.serializers.msgpack.MSGPackSerializer": "msgpack",
}


class DjangoRedisBackend(ReplicatedBackend):
    """Reads each server, or each shard, on connections made of the application's parameters."""

    kind = "redis"
    package: ClassVar[str] = "django_redis"

    def store(self) -> Store:
        """Open the primary's database, or those of all shards, on connections of our own."""
        obstacle = self._obstacle()
        if obstacle is not None:
            return UnsupportedStore(obstacle, address=self._addresses()[0])
        if self._is_sharded:
            shards = {
                label: RedisStore(
                    partial(self._connect, url),
                    address=label,
                    ledger=own_reads,
                    most_keys=GENTLE_KEYS,
                )
                for url, label in self._shards.items()
            }
            return ShardedStore(shards, self._route)
        return self._open(0)

    def settings(self) -> Pairs:
        """Give the servers, what happens to errors, and the other options."""
        cache: Any = self.cache
        options = {name: value for name, value in self._options().items() if name not in _IN_CODEC}
        options["IGNORE_EXCEPTIONS"] = self.hides_errors()
        return (
            ("servers", ", ".join(self._addresses())),
            ("client", dotted(cache._client_cls)),  # noqa: SLF001
            *((("herd_timeout", str(self._early_seconds)),) if self._early_seconds else ()),
            *shown_options(options, "OPTIONS."),
        )

    def codec(self) -> Pairs:
        """Give serializer, compressor and the pickle protocol."""
        options = self._options()
        return (
            ("serializer", str(options.get("SERIALIZER", self._own(_PICKLE)))),
            ("compressor", str(options.get("COMPRESSOR", self._own(_IDENTITY)))),
            ("pickle_protocol", str(options.get("PICKLE_VERSION", pickle.DEFAULT_PROTOCOL))),
        )

    def pickle_protocol(self) -> int | None:
        """Give the protocol, which no other serializer than that of pickles has."""
        serializer = dict(self.codec())["serializer"]
        return super().pickle_protocol() if serializer == self._own(_PICKLE) else None

    def needs(self) -> tuple[str, ...]:
        """Name the libraries of serializer and compressor."""
        named = (self._as_django_redis(value) for _, value in self.codec()[:2])
        return tuple(_LIBRARIES[name] for name in named if name in _LIBRARIES)

    def hides_errors(self) -> bool:
        """Say whether ``IGNORE_EXCEPTIONS`` is on, for this alias or for all.

        A backend that counts takes an ordinary look at this attribute for an error.
        """
        return bool(vars(self.cache).get("_ignore_exceptions"))

    def routing(self, probe_keys: Sequence[str]) -> Pairs:
        """Give the shard of each probe key, where there is more than one."""
        if not self._is_sharded or len(self._shards) < _SEVERAL:
            return ()
        return tuple((key, self._route(self.stored_key(key))) for key in probe_keys)

    def server_counters(self, store: Store) -> ServerCounters | None:
        """Give the hits and misses of the whole server, or of all of them."""
        if isinstance(store, RedisStore | ShardedStore | EarlyStore):
            return store.counters()
        return None

    def payload(self, stored: Stored) -> Encoded:
        """Give the value, decompressed within bounds; numbers, stored as digits, are pickled."""
        serializer, compressor = (self._as_django_redis(value) for _, value in self.codec()[:2])
        if self._obstacle() is not None or serializer not in _CODECS:
            raise InertUnreadable(f"unknown serializer {dict(self.codec())['serializer']}")
        packing = packing_of(compressor)
        number = self._pickled_number(stored.value)
        if number is not None:
            return Encoded(raw=number)
        raw, packed_by = (stored.value, None) if packing is None else unpack(stored.value, packing)
        raw = unwrapped(raw) if self._early_seconds else raw
        return Encoded(raw=raw, codec=_CODECS[serializer], packed_by=packed_by)

    def encoded(self, value: object) -> Stored:
        """Serialize and compress a value as the client does; integers stay digits."""
        return stored_by_redis(self._client.encode(value))

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
        """A client like the application's, with a connection factory and sentinels of its own.

        A shard client is the application's own: another one would add its connection pools, made
        with our options, to those that django-redis keeps for the whole process. It is asked where
        keys go, and for nothing else.
        """
        cache: Any = self.cache
        if self._is_sharded:
            return cache.client
        params = {**cache._params, "OPTIONS": self._our_options()}  # noqa: SLF001
        return cache._client_cls(cache._server, params, cache)  # noqa: SLF001

    def _our_options(self) -> dict[str, Any]:
        options = self._options()
        pool_options = dict(options.get("CONNECTION_POOL_KWARGS", {}))
        for name in OPTIONS_NOT_OURS:
            pool_options.pop(name, None)
        return {**options, "CONNECTION_POOL_KWARGS": pool_options}

    def _open(self, place: int) -> RedisStore | EarlyStore:
        store = self._redis(place)
        return EarlyStore(store, self._early_seconds) if self._early_seconds else store

    def _connect_to(self, place: int) -> redis.Redis:
        return self._connect(self._client._server[place])  # noqa: SLF001  kept to this file

    def _connect(self, url: str) -> redis.Redis:
        factory = self._client.connection_factory
        if self._is_sharded:
            factory = type(factory)(self._our_options())
        return our_client(factory.get_connection_pool(factory.make_connection_params(url)))

    # --- which client it is ----------------------------------------------------------------

    @cached_property
    def _bases(self) -> frozenset[str]:
        """Name the classes of the client, as django-redis does."""
        cache: Any = self.cache
        return frozenset(self._as_django_redis(dotted(one)) for one in cache._client_cls.__mro__)  # noqa: SLF001

    def _as_django_redis(self, name: str) -> str:
        return re.sub(rf"^{self.package}\b", "django_redis", name)

    def _own(self, name: str) -> str:
        return name.replace("django_redis", self.package, 1)

    def _pickled_number(self, value: bytes) -> bytes | None:
        """Give the pickle of a number that is stored as digits; None: it is none."""
        return pickled_integer(value)

    @property
    def _is_sharded(self) -> bool:
        return _SHARDED in self._bases

    @property
    def _early_seconds(self) -> int:
        """Say how long before it expires an entry ends for the application: 0, unless herded."""
        return int(self._client._herd_timeout) if _HERD in self._bases else 0  # noqa: SLF001

    def _listed(self) -> int:
        return len(self._client._server)  # noqa: SLF001  SentinelClient makes two of one

    def _are_told_apart(self) -> bool:
        return not (self._is_sharded or hasattr(self._client.connection_factory, "_sentinel"))

    def _obstacle(self) -> str | None:
        name = self.package.replace("_", "-")
        if _READABLE not in self._bases:
            return f"its client is not derived from {name}'s DefaultClient"
        if self._is_sharded and _HERD in self._bases:
            return f"a client that is both shard and herd client of {name} is not read"
        return None

    # --- shards ----------------------------------------------------------------------------

    @cached_property
    def _shards(self) -> dict[str, str]:
        """Give the label of each shard by its URL; the same label with another password counts."""
        labels: dict[str, str] = {}
        for url in self._client._server:  # noqa: SLF001
            label = shown_url(url)
            number = sum(taken.partition("#")[0] == label for taken in labels.values())
            labels.setdefault(url, f"{label}#{number + 1}" if number else label)
        return labels

    def _route(self, stored: str) -> str:
        return self._shards[self._client.get_server_name(stored)]

    def _addresses(self) -> list[str]:
        cache: Any = self.cache
        server = cache._server  # noqa: SLF001
        return [
            shown_url(each) for each in (server.split(",") if isinstance(server, str) else server)
        ]

    def _options(self) -> dict[str, Any]:
        cache: Any = self.cache
        return dict(cache._params.get("OPTIONS", {}))  # noqa: SLF001
