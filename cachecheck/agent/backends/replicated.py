"""What Django's Redis backend and django-redis share: a list of servers, the first takes writes.

Both read from any of the others, chosen anew for each connection. Here each of them is a member of
the store, and is opened by itself.
"""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from cachecheck.agent.backends.base import Backend
from cachecheck.agent.own_reads import own_reads
from cachecheck.model import Member
from cachecheck.stores.early import EarlyStore
from cachecheck.stores.redis import GENTLE_KEYS, RedisStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

    from cachecheck.stores.base import Store

MOST_MEMBERS = 20
MAX_SECONDS = 2.0

_NAME_CHARS = 400


class ReplicatedBackend(Backend):
    """A backend over a list of servers, of which ``_connect_to`` opens one by its place."""

    def members(self, store: Store) -> tuple[Member, ...]:
        """Ask each server what it is; once ``MAX_SECONDS`` are over none is asked any more."""
        if not isinstance(store, RedisStore | EarlyStore):
            return ()
        until = time.monotonic() + MAX_SECONDS
        replicas = self._names()[1:] if self._are_told_apart() else ()
        return (
            store.standing(takes_writes=True),
            *(self._standing(name, is_asked=time.monotonic() < until) for name in replicas),
        )

    def open_member(self, address: str) -> Store:
        """Open the server of this name."""
        names = self._names() if self._are_told_apart() else ()
        if address not in names:
            return super().open_member(address)
        return self._open(names.index(address))

    def _open(self, place: int) -> RedisStore | EarlyStore:
        return self._redis(place)

    def _redis(self, place: int) -> RedisStore:
        names = self._names()
        unread = self._listed() - (len(names) if self._are_told_apart() else 1)
        return RedisStore(
            partial(self._connect_to, place),
            address=names[place],
            ledger=own_reads,
            unread_replicas=unread,
            most_keys=GENTLE_KEYS,
        )

    def _standing(self, name: str, *, is_asked: bool) -> Member:
        if not is_asked:
            return Member(address=name, takes_writes=False)
        with closing(self._open(self._names().index(name))) as store:
            return store.standing(takes_writes=False)

    def _names(self) -> tuple[str, ...]:
        """Name the servers by their addresses; a second one of the same address by its place."""
        shown = [address[:_NAME_CHARS] for address in self._addresses()[:MOST_MEMBERS]]
        return tuple(
            address if address and address not in shown[:place] else f"{address} [{place}]"
            for place, address in enumerate(shown)
        )

    def _listed(self) -> int:
        """Count the servers that the client chooses from."""
        return len(self._addresses())

    def _are_told_apart(self) -> bool:
        """Whether a place in the list is one server, and not whichever a Sentinel names."""
        return True

    def _addresses(self) -> Sequence[str]:
        """Give the servers as they may be shown, in the order of the settings."""
        raise NotImplementedError

    def _connect_to(self, place: int) -> redis.Redis:
        """Connect to the server at a place of the list, with the application's parameters."""
        raise NotImplementedError
