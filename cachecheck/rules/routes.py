"""Where keys really go: the server of each probe key, by what servers say of themselves. Pure.

A server may be spelled in two ways, and one name may mean another server on each host. So what
servers say of themselves tells which names mean one of them. That one name leads to different ones
is not looked at here: those are different stores (B003).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from cachecheck.model import CacheDescription, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

_OF_THE_HOST = ("localhost", "127.", "[::1]", "::1", "/", "unix:")


class Looked(NamedTuple):
    """A cache as one worker sees it, and that worker's host."""

    host_id: str
    cache: CacheDescription


class Routes(Value, frozen=True, kw_only=True):
    """Where one view finds keys. Equal ``course``s find every key on the same server.

    ``servers`` gives each server by the label that the view has for it, in the order in which it
    lists them; ``by_key`` the server of each probe key; ``dead`` those that the view leaves out.
    """

    servers: tuple[tuple[str, str], ...]
    by_key: tuple[str, ...]
    dead: frozenset[str]

    @property
    def listed(self) -> frozenset[str]:
        """All servers that are listed."""
        return frozenset(server for _, server in self.servers)

    @property
    def course(self) -> tuple[tuple[str, ...], frozenset[str]]:
        """What decides where a key is found: a server more or less moves some in any case."""
        return self.by_key, self.listed - self.dead


def routes_of(looked: Sequence[Looked]) -> tuple[Routes | None, ...]:
    """Give the routes of views of one alias, in order; None where nothing is known of them."""
    names = _Names(looked)
    probes = max((len(one.cache.routing) for one in looked), default=0) or 1
    return tuple(_routes(one, names, probes) for one in looked)


def _routes(one: Looked, names: _Names, probes: int) -> Routes | None:
    listed = one.cache.identity.servers
    if not listed or (len(listed) > 1 and not one.cache.routing):
        return None
    servers = {label: names.name(one.host_id, label) for label, _ in listed}
    by_key = tuple(servers.get(label, label) for _, label in one.cache.routing)
    return Routes(
        servers=tuple(servers.items()),
        by_key=by_key or tuple(servers.values())[:1] * probes,
        dead=frozenset(servers.get(label, label) for label in one.cache.dead_servers),
    )


class _Names:
    """What servers are called, over all views: by the first address that was seen of each.

    Addresses at which servers said the same of themselves are one server. Two servers of one list
    may say the same as well (containers that were started together): then it tells nothing.
    """

    def __init__(self, looked: Sequence[Looked]) -> None:
        self._first: dict[str, str] = {}
        listed = [one.cache.identity.servers for one in looked]
        counts = [Counter(told for _, told in servers) for servers in listed]
        ambiguous = {told for each in counts for told, count in each.items() if count > 1}
        for one, servers in zip(looked, listed, strict=True):
            for label, told in servers:
                if told and told not in ambiguous:
                    self._unite(f"process {told}", _address(one.host_id, label))

    def name(self, host_id: str, label: str) -> str:
        """Name the server that a view on this host calls by this label."""
        return self._find(_address(host_id, label))

    def _unite(self, process: str, address: str) -> None:
        seen, now = self._find(process), self._find(address)
        if seen == process:
            self._first[process] = now
        elif seen != now:
            self._first[now] = seen

    def _find(self, name: str) -> str:
        while name in self._first:
            name = self._first[name]
        return name


def _address(host_id: str, label: str) -> str:
    is_of_the_host = label.rpartition("://")[2].startswith(_OF_THE_HOST)
    return f"{label} on {host_id}" if is_of_the_host else label
