"""How libmemcached divides keys among servers, computed anew: it tells nobody. Pure.

Its default hash is Bob Jenkins' one-at-a-time; its default distribution takes the hash modulo the
number of servers, so that the order of the list decides. The consistent ones lay points of each
server on a ring: 100 by the hash of its name, or, weighted, 40 times the four numbers in an MD5
(libmemcached's ``hosts.cc``, ``hash.cc``). Tests hold it against the real client.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from functools import lru_cache
from hashlib import md5
from typing import TYPE_CHECKING, TypeAlias

from cachecheck.model import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DEFAULT_PORT = 11211

_POINTS = 100
_WEIGHTED_POINTS = 40
_WORD = 0xFFFFFFFF
_NOT_KNOWN = ("auto_eject", "num_replicas", "_hash_with_prefix_key", "_sort_hosts")

Hash: TypeAlias = "Callable[[bytes], int]"
Server: TypeAlias = tuple[str, int, int]
"""Host (or the path of a socket), port and weight."""


class Division(Value, frozen=True, kw_only=True):
    """The servers of a client, in order, and what it does to choose among them."""

    servers: tuple[Server, ...]
    hash: str
    distribution: str

    def server(self, key: bytes) -> int:
        """Give the position in the list of the server that a stored key goes to."""
        number = _HASHES[self.hash](key)
        if self.distribution == "modula":
            return number % len(self.servers)
        values, positions = _ring(self.servers, self.hash, self.distribution)
        return positions[bisect_left(values, number) % len(positions)]


def unknown(division: Division, behaviors: Mapping[str, object]) -> str | None:
    """Say why it cannot be told where keys go; None: it can."""
    if division.hash not in _HASHES:
        return f"libmemcached's hash {division.hash} is not known"
    if division.distribution not in _DISTRIBUTIONS:
        return f"libmemcached's distribution {division.distribution} is not known"
    if division.distribution != "modula" and len({server[2] for server in division.servers}) > 1:
        return "servers of different weights are not known"
    if division.distribution != "modula" and any(host[:1] == "/" for host, *_ in division.servers):
        return "how libmemcached hashes the name of a socket is not known"
    odd = [name for name in _NOT_KNOWN if behaviors.get(name)]
    return f"what {', '.join(odd)} does to the division of keys is not known" if odd else None


def one_at_a_time(key: bytes) -> int:
    """Bob Jenkins' one-at-a-time hash, of 32 bits."""
    value = 0
    for byte in key:
        value = (value + byte) & _WORD
        value = (value + (value << 10)) & _WORD
        value ^= value >> 6
    value = (value + (value << 3)) & _WORD
    value ^= value >> 11
    return (value + (value << 15)) & _WORD


def _md5(key: bytes) -> int:
    return _md5_words(key)[0]


def _md5_words(key: bytes) -> tuple[int, ...]:
    return struct.unpack("<4I", md5(key, usedforsecurity=False).digest())


_HASHES: dict[str, Hash] = {"default": one_at_a_time, "md5": _md5}
_DISTRIBUTIONS = ("modula", "consistent", "consistent ketama", "consistent weighted")


@lru_cache(maxsize=16)  # 10 ms for ten servers, and every probe needs it anew
def _ring(
    servers: tuple[Server, ...], hash_name: str, distribution: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give the points of all servers in order, and the position of the server of each."""
    is_weighted = distribution == "consistent weighted"
    points = sorted(
        (value, position)
        for position, (host, port, _) in enumerate(servers)
        for value in _points(host, port, _HASHES[hash_name], is_weighted=is_weighted)
    )
    return tuple(value for value, _ in points), tuple(position for _, position in points)


def _points(host: str, port: int, hashed: Hash, *, is_weighted: bool) -> Iterator[int]:
    name = host if port == DEFAULT_PORT else f"{host}:{port}"
    for number in range(_WEIGHTED_POINTS if is_weighted else _POINTS):
        point = f"{name}-{number}".encode()
        yield from _md5_words(point) if is_weighted else (hashed(point),)
