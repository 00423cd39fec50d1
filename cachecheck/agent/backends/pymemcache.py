"""Django's ``PyMemcacheCache`` (django/core/cache/backends/memcached.py, pymemcache/serde.py)."""

from __future__ import annotations

import pickle
import time
import zlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pymemcache import serde as serdes
from pymemcache.client.hash import HashClient

from cachecheck.agent import live
from cachecheck.agent.backends.inflate import inflate
from cachecheck.agent.backends.memcached import MemcachedBackend, spelled
from cachecheck.agent.backends.shown import dotted, shown_options
from cachecheck.agent.own_reads import own_reads
from cachecheck.errors import InertUndecodable, InertUnreadable
from cachecheck.stores.base import Stored
from cachecheck.stores.memcached import Endpoint, MemcachedStore
from cachecheck.stores.unsupported import UnsupportedStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.agent.backends.base import Pairs
    from cachecheck.stores.base import Store

_IN_CODEC = {"serde", "serializer", "deserializer"}
_INTEGER = serdes.FLAG_INTEGER | serdes.FLAG_LONG
_FOREIGN_CLIENT = "its client is not derived from pymemcache's HashClient"


class PyMemcacheBackend(MemcachedBackend):
    """Chooses servers by a client like the application's."""

    def store(self) -> Store:
        """Open all servers of the alias."""
        if not isinstance(self._client, HashClient):
            return UnsupportedStore(_FOREIGN_CLIENT, address=self.addresses())
        if not self._client.clients:
            return UnsupportedStore("no server is configured")
        endpoints = [_endpoint(label, each.server) for label, each in self._client.clients.items()]
        return MemcachedStore(endpoints, self.route, tls=self._client.tls_context, ledger=own_reads)

    def settings(self) -> Pairs:
        """Give the servers as configured (their spelling and order decide routing) and options."""
        options = {name: value for name, value in self.options().items() if name not in _IN_CODEC}
        hasher = getattr(self._client, "hasher", None)
        return (
            ("servers", self.addresses()),
            ("hasher", dotted(hasher)),
            *shown_options(options, "OPTIONS."),
        )

    def codec(self) -> Pairs:
        """Give what turns values into bytes and flags."""
        options = self.options()
        named = {name: dotted(options[name]) for name in _IN_CODEC if options.get(name) is not None}
        return (*sorted(named.items()), *_serde_options(options.get("serde")))

    def hides_errors(self) -> bool:
        """Say whether ``ignore_exc`` is on."""
        return bool(self.options().get("ignore_exc", False))

    def payload(self, stored: Stored) -> bytes:
        """Give the pickle; text, bytes and integers, which are stored plainly, are made one."""
        options = self.options()
        serde = options.get("serde")
        if options.get("serializer") is not None or options.get("deserializer") is not None:
            raise InertUnreadable("unknown serializer functions")
        value, flags = stored.value, stored.flags
        if type(serde) is serdes.CompressedSerde:
            value, flags, serde = _decompressed(serde, value, flags)
        if type(serde) is not serdes.PickleSerde:
            raise InertUnreadable(f"unknown serde {dotted(serde)}")
        return _pickled(value, flags)

    def encoded(self, value: object) -> Stored:
        """Serialize a value with the client's serde; numbers and text are sent as text."""
        made, flags = self.options()["serde"].serialize("key", value)
        sent = made if isinstance(made, bytes) else str(made).encode()
        return Stored(value=sent, flags=flags, expires_at=None)

    def dead_servers(self) -> tuple[str, ...]:
        """Name the servers that the application's client leaves out on its next call."""
        return self._given_up

    @cached_property
    def _client(self) -> Any:
        """A client like the application's, without the servers that it has given up.

        It opens no connection.
        """
        cache: Any = self.cache
        client = cache._class(cache.client_servers, **self.options())  # noqa: SLF001  in this file
        if isinstance(client, HashClient):
            given_up = [label for label in self._given_up if label in client.clients]
            for label in given_up[: len(client.clients) - 1]:  # one is left to be asked in vain
                client.hasher.remove_node(label)
        return client

    @cached_property
    def _given_up(self) -> tuple[str, ...]:
        """What the application's clients, one for each thread, have given up; all are looked at."""
        caches = {id(cache): cache for cache in (self.cache, *live.backends(self.alias))}
        clients = (vars(cache).get("_cache") for cache in caches.values())
        given_up = {
            label for one in clients if isinstance(one, HashClient) for label in _given_up_by(one)
        }
        return tuple(sorted(given_up))

    def labels(self) -> tuple[str, ...]:
        """Name the servers as the client does."""
        return tuple(self._client.clients) if isinstance(self._client, HashClient) else ()

    def route(self, stored: str) -> str:
        """Ask the hashing of a client like the application's."""
        return str(self._client.hasher.get_node(stored.removeprefix(self.client_prefix())))

    def client_prefix(self) -> str:
        """Give the client's ``key_prefix``."""
        prefix = self.options().get("key_prefix", b"")
        return prefix.decode() if isinstance(prefix, bytes) else str(prefix)


def _given_up_by(client: HashClient) -> Iterator[str]:
    """Name what a client leaves out on its next call; it is only looked at.

    A server comes back by that call once ``dead_timeout`` is over (``HashClient._retry_dead``).
    """
    now, patience = time.time(), client.dead_timeout
    comes_back = now - client._last_dead_check_time > patience  # noqa: SLF001  kept to this file
    for server, dead_since in tuple(client._dead_clients.items()):  # noqa: SLF001
        if not (comes_back and now - dead_since > patience):
            yield spelled(server)


def _endpoint(label: str, server: str | tuple[str, int]) -> Endpoint:
    if isinstance(server, str):
        return Endpoint(label=label, path=server)
    return Endpoint(label=label, host=server[0], port=int(server[1]))


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
        raise InertUndecodable("the compressed data is damaged") from exc


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
        raise InertUndecodable("the value does not fit its flags") from exc
    if flags & serdes.FLAG_PICKLE:
        return value
    raise InertUnreadable(f"unknown flags {flags}")
