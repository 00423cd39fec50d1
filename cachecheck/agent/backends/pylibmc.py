"""Django's ``PyLibMCCache`` (django/core/cache/backends/memcached.py, _pylibmcmodule.c).

libmemcached tells nobody where a key goes, so that is computed anew from what a client of our own,
made of the same parameters, says of its behaviors. Where it cannot be computed entries are not
read: a key that is on another server than the client asks would be found, and is a miss.
"""

from __future__ import annotations

import pickle
import zlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pylibmc
from msgspec.structs import replace
from pylibmc.client import server_type_map, translate_server_specs

from cachecheck.agent.backends.inflate import inflate
from cachecheck.agent.backends.libmemcached import Division, unknown
from cachecheck.agent.backends.memcached import MemcachedBackend
from cachecheck.agent.backends.shown import dotted, shown_options
from cachecheck.agent.own_reads import own_reads
from cachecheck.errors import InertUnreadable
from cachecheck.stores.base import Stored
from cachecheck.stores.memcached import Endpoint, MemcachedStore
from cachecheck.stores.unsupported import UnsupportedStore

if TYPE_CHECKING:
    from cachecheck.agent.backends.base import Pairs
    from cachecheck.model import StoreIdentity
    from cachecheck.stores.base import Store

_PICKLE, _BOOLEAN, _INTEGER, _ZLIB, _TEXT = 1, 2, 4, 8, 16
_FOREIGN_CLIENT = "its client is not derived from pylibmc's Client"
_UDP = "servers are asked over UDP, which is not read"
_SASL = "servers that ask for SASL credentials are not read"
_NAMESPACE = "the prefix that the behavior namespace puts before keys is not known"
_DIVIDING = ("distribution", "hash", "ketama_weighted")
_SEVERAL = 2


class PyLibMCBackend(MemcachedBackend):
    """Chooses servers as libmemcached does."""

    def store(self) -> Store:
        """Open all servers of the alias."""
        obstacle = self._obstacle()
        if obstacle is not None:
            return UnsupportedStore(obstacle, address=self.addresses())
        if self.options().get("username"):
            return _Unasked(self.labels(), _SASL)
        endpoints = dict(zip(self.labels(), self._endpoints, strict=True))
        servers = MemcachedStore(tuple(endpoints.values()), self.route, ledger=own_reads)
        reason = self.routing_unknown()
        return servers if reason is None else _Undivided(servers, reason)

    def settings(self) -> Pairs:
        """Give the servers as configured, what divides keys among them, and the options."""
        options = {name: value for name, value in self.options().items() if name != "behaviors"}
        behaviors = {**self.options().get("behaviors", {}), **self._dividing}
        return (
            ("servers", self.addresses()),
            *shown_options(behaviors, "behaviors."),
            *shown_options(options, "OPTIONS."),
        )

    def codec(self) -> Pairs:
        """Give the client, which turns values into bytes and flags, and its pickle protocol."""
        cache: Any = self.cache
        named = (("serializer", dotted(cache._class)),)  # noqa: SLF001  kept to this file
        if not isinstance(self._client, pylibmc.Client):
            return named
        protocol = self._behaviors.get("pickle_protocol", -1)
        known = pickle.HIGHEST_PROTOCOL if protocol < 0 else protocol
        return (*named, ("pickle_protocol", str(known)))

    def payload(self, stored: Stored) -> bytes:
        """Give the pickle; text, bytes and integers, which are stored plainly, are made one."""
        if getattr(type(self._client), "deserialize", None) is not pylibmc.Client.deserialize:
            raise InertUnreadable("unknown deserialize function")
        value, flags = stored.value, stored.flags
        if flags & _ZLIB:
            value, flags = _inflated(value), flags & ~_ZLIB
        return _pickled(value, flags)

    def encoded(self, value: object) -> Stored:
        """Serialize a value as the client does."""
        made, flags = self._client.serialize(value)
        return Stored(value=made, flags=flags, expires_at=None)

    def routing_unknown(self) -> str | None:
        """Say what of libmemcached's behaviors cannot be computed anew."""
        if self._obstacle() is not None or len(self._endpoints) < _SEVERAL:
            return None
        return unknown(self._division, self._behaviors)

    def labels(self) -> tuple[str, ...]:
        """Name the servers by host and port, or by the path of their socket."""
        return tuple(endpoint.label for endpoint in self._endpoints)

    def route(self, stored: str) -> str:
        """Compute the server that libmemcached would choose."""
        if len(self._endpoints) == 1:
            return self._endpoints[0].label
        position = self._division.server(stored.encode("utf-8", "surrogatepass"))
        return self._endpoints[position].label

    @cached_property
    def _client(self) -> Any:
        """A client like the application's, to ask for its behaviors; it opens no connection."""
        cache: Any = self.cache
        return cache._class(cache.client_servers, **self.options())  # noqa: SLF001  in this file

    @cached_property
    def _behaviors(self) -> dict[str, Any]:
        return dict(self._client.get_behaviors())

    @property
    def _dividing(self) -> dict[str, Any]:
        is_known = isinstance(self._client, pylibmc.Client)
        return {name: self._behaviors[name] for name in _DIVIDING} if is_known else {}

    @cached_property
    def _specs(self) -> list[tuple[int, str, int, int]]:
        """Give type, host or path, port and weight of each server, as pylibmc takes them."""
        cache: Any = self.cache
        return list(translate_server_specs(cache.client_servers))

    @property
    def _endpoints(self) -> tuple[Endpoint, ...]:
        return tuple(_endpoint(*spec) for spec in self._specs)

    @property
    def _division(self) -> Division:
        return Division(
            servers=tuple((host, port, weight) for _, host, port, weight in self._specs),
            hash=str(self._behaviors["hash"]),
            distribution=str(self._behaviors["distribution"]),
        )

    def _obstacle(self) -> str | None:
        if not isinstance(self._client, pylibmc.Client):
            return _FOREIGN_CLIENT
        if any(kind == server_type_map["udp"] for kind, *_ in self._specs):
            return _UDP
        return _NAMESPACE if self.options().get("behaviors", {}).get("namespace") else None


class _Undivided(UnsupportedStore):
    """Servers among which it is not known how keys are divided: known, and not read."""

    def __init__(self, servers: MemcachedStore, reason: str) -> None:
        super().__init__(reason)
        self._servers = servers

    def identity(self) -> StoreIdentity:
        """Name the servers' processes."""
        return self._servers.identity()

    def close(self) -> None:
        """Close our connections."""
        self._servers.close()


class _Unasked(UnsupportedStore):
    """Servers that are known by name alone."""

    def __init__(self, labels: tuple[str, ...], reason: str) -> None:
        super().__init__(reason, address=",".join(labels))
        self._labels = labels

    def identity(self) -> StoreIdentity:
        """Name the servers; what they are was not asked."""
        return replace(super().identity(), servers=tuple((label, "") for label in self._labels))


def _endpoint(kind: int, host: str, port: int, _weight: int) -> Endpoint:
    if kind == server_type_map["unix"]:
        return Endpoint(label=host, path=host)
    shown = f"[{host}]" if ":" in host else host
    return Endpoint(label=f"{shown}:{port}", host=host, port=port)


def _inflated(value: bytes) -> bytes:
    try:
        return inflate(zlib.decompressobj(), value)
    except zlib.error as exc:
        raise InertUnreadable("the compressed data is damaged") from exc


def _pickled(value: bytes, flags: int) -> bytes:
    """Give a pickle, telling kinds apart as ``_PylibMC_deserialize_native`` does."""
    try:
        if flags == _PICKLE:
            return value
        if flags in {_INTEGER, _BOOLEAN}:  # True is stored as 1, and comes back as that
            return pickle.dumps(int(value), protocol=4)
        if flags == _TEXT:
            return pickle.dumps(value.decode(), protocol=4)
    except ValueError as exc:
        raise InertUnreadable("the value does not fit its flags") from exc
    if flags:
        raise InertUnreadable(f"unknown flags {flags}")
    return pickle.dumps(value, protocol=4)
