"""Django's ``PyMemcacheCache`` (django/core/cache/backends/memcached.py, pymemcache/serde.py)."""

from __future__ import annotations

import pickle
import time
import zlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from pymemcache import serde as serdes
from pymemcache.client.hash import HashClient

from cachecheck.agent.backends.base import Backend
from cachecheck.agent.backends.inflate import inflate
from cachecheck.agent.backends.shown import dotted, shown_options
from cachecheck.errors import InertUnreadable
from cachecheck.stores.memcached import Endpoint, MemcachedStore
from cachecheck.stores.unsupported import UnsupportedStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.agent.backends.base import Pairs
    from cachecheck.model import Namespace, ServerCounters
    from cachecheck.stores.base import Store, Stored

_IN_CODEC = {"serde", "serializer", "deserializer"}
_INTEGER = serdes.FLAG_INTEGER | serdes.FLAG_LONG
_FOREIGN_CLIENT = "its client is not derived from pymemcache's HashClient"


class PyMemcacheBackend(Backend):
    """Reads each server on sockets of our own, chosen by a client like the application's."""

    kind = "memcached"

    def store(self) -> Store:
        """Open all servers of the alias."""
        if not isinstance(self._client, HashClient):
            return UnsupportedStore(_FOREIGN_CLIENT, address=self._addresses())
        if not self._client.clients:
            return UnsupportedStore("no server is configured")
        endpoints = [_endpoint(label, each.server) for label, each in self._client.clients.items()]
        return MemcachedStore(endpoints, self._route, tls=self._client.tls_context)

    def settings(self) -> Pairs:
        """Give the servers as configured (their spelling and order decide routing) and options."""
        options = {name: value for name, value in self._options().items() if name not in _IN_CODEC}
        hasher = getattr(self._client, "hasher", None)
        return (
            ("servers", self._addresses()),
            ("hasher", dotted(hasher)),
            *shown_options(options, "OPTIONS."),
        )

    def codec(self) -> Pairs:
        """Give what turns values into bytes and flags."""
        options = self._options()
        named = {name: dotted(options[name]) for name in _IN_CODEC if options.get(name) is not None}
        return (*sorted(named.items()), *_serde_options(options.get("serde")))

    def routing(self, probe_keys: Sequence[str]) -> Pairs:
        """Give the server of each probe key, where there is more than one."""
        if not isinstance(self._client, HashClient) or len(self._client.clients) < 2:  # noqa: PLR2004
            return ()
        return tuple((key, self._route(self.stored_key(key))) for key in probe_keys)

    def hides_errors(self) -> bool:
        """Say whether ``ignore_exc`` is on."""
        return bool(self._options().get("ignore_exc", False))

    def server_counters(self, store: Store) -> ServerCounters | None:
        """Give the hits and misses of all servers together."""
        return store.counters() if isinstance(store, MemcachedStore) else None

    def payload(self, stored: Stored) -> bytes:
        """Give the pickle; text, bytes and integers, which are stored plainly, are made one."""
        options = self._options()
        serde = options.get("serde")
        if options.get("serializer") is not None or options.get("deserializer") is not None:
            raise InertUnreadable("unknown serializer functions")
        value, flags = stored.value, stored.flags
        if type(serde) is serdes.CompressedSerde:
            value, flags, serde = _decompressed(serde, value, flags)
        if type(serde) is not serdes.PickleSerde:
            raise InertUnreadable(f"unknown serde {dotted(serde)}")
        return _pickled(value, flags)

    def namespace(self, probe_key: str) -> Namespace:
        """Observe the rule, with the prefix that the client puts before every key."""
        made = super().namespace(probe_key)
        prefix = self._client_prefix()
        return msgspec.structs.replace(
            made,
            prefix=prefix + made.prefix,
            stored_probe=prefix + made.stored_probe,
            form=None if made.form is None else prefix + made.form,
        )

    def stored_key(self, logical: str) -> str:
        """Turn a logical key into the stored one, with the client's own prefix."""
        return self._client_prefix() + super().stored_key(logical)

    def dead_servers(self) -> tuple[str, ...]:
        """Name the servers that the application's client leaves out on its next call."""
        return self._given_up

    @cached_property
    def _client(self) -> Any:
        """A client like the application's, without the servers that it has given up.

        It opens no connection.
        """
        cache: Any = self.cache
        client = cache._class(cache.client_servers, **self._options())  # noqa: SLF001  in this file
        if isinstance(client, HashClient):
            given_up = [label for label in self._given_up if label in client.clients]
            for label in given_up[: len(client.clients) - 1]:  # one is left to be asked in vain
                client.hasher.remove_node(label)
        return client

    @cached_property
    def _given_up(self) -> tuple[str, ...]:
        """What the application's client of this thread has given up; it is only looked at.

        A server comes back by the next call once ``dead_timeout`` is over (HashClient._retry_dead).
        """
        client = vars(self.cache).get("_cache")
        if not isinstance(client, HashClient):
            return ()
        now, patience = time.time(), client.dead_timeout
        comes_back = now - client._last_dead_check_time > patience  # noqa: SLF001
        return tuple(
            _spelled(server)
            for server, dead_since in tuple(client._dead_clients.items())  # noqa: SLF001
            if not (comes_back and now - dead_since > patience)
        )

    def _route(self, stored: str) -> str:
        # The client chooses the server by the key without its own prefix.
        node = self._client.hasher.get_node(stored.removeprefix(self._client_prefix()))
        return str(node)

    def _client_prefix(self) -> str:
        prefix = self._options().get("key_prefix", b"")
        return prefix.decode() if isinstance(prefix, bytes) else str(prefix)

    def _addresses(self) -> str:
        cache: Any = self.cache
        return ", ".join(map(_spelled, cache.client_servers))

    def _options(self) -> dict[str, Any]:
        cache: Any = self.cache
        return dict(cache._options)  # noqa: SLF001


def _endpoint(label: str, server: str | tuple[str, int]) -> Endpoint:
    if isinstance(server, str):
        return Endpoint(label=label, path=server)
    return Endpoint(label=label, host=server[0], port=int(server[1]))


def _spelled(server: str | tuple[str, int]) -> str:
    return server if isinstance(server, str) else f"{server[0]}:{server[1]}"


def _serde_options(serde: Any) -> Pairs:
    match serde:
        case serdes.PickleSerde():
            keywords = getattr(serde._serialize_func, "keywords", {})  # noqa: SLF001
            return (("pickle_protocol", str(keywords.get("pickle_version"))),)
        case serdes.CompressedSerde():
            return (
                ("compress", dotted(serde._compress)),  # noqa: SLF001
                ("min_compress_len", str(serde._min_compress_len)),  # noqa: SLF001
                ("inner_serde", dotted(serde._serde)),  # noqa: SLF001
                *_serde_options(serde._serde),  # noqa: SLF001
            )
        case _:
            return ()


def _decompressed(
    serde: serdes.CompressedSerde, value: bytes, flags: int
) -> tuple[bytes, int, object]:
    inner = serde._serde  # noqa: SLF001
    if not flags & serdes.FLAG_COMPRESSED:
        return value, flags, inner
    if serde._decompress is not zlib.decompress:  # noqa: SLF001
        raise InertUnreadable("unknown compression")
    try:
        return inflate(zlib.decompressobj(), value), flags & ~serdes.FLAG_COMPRESSED, inner
    except zlib.error as exc:
        raise InertUnreadable("the compressed data is damaged") from exc


def _pickled(value: bytes, flags: int) -> bytes:
    """Give a pickle, telling kinds apart as ``python_memcache_deserializer`` does."""
    try:
        if flags == serdes.FLAG_BYTES:
            return pickle.dumps(value, protocol=4)
        if flags & serdes.FLAG_TEXT:
            return pickle.dumps(value.decode(), protocol=4)
        if flags & _INTEGER:
            return pickle.dumps(int(value), protocol=4)
    except ValueError as exc:
        raise InertUnreadable("the value does not fit its flags") from exc
    if flags & serdes.FLAG_PICKLE:
        return value
    raise InertUnreadable(f"unknown flags {flags}")
