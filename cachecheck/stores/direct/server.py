"""One server of a Redis Cluster, read for the slots that it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from cachecheck.errors import StoreError, StoreUnreachable
from cachecheck.stores.direct.asking import ask
from cachecheck.stores.direct.bound import BoundStore
from cachecheck.stores.direct.spec import shown_host
from cachecheck.stores.redis import RedisStore
from cachecheck.stores.redis.entries import Absolute, Relative
from cachecheck.stores.redis.facts import evicts_by_recency, version

if TYPE_CHECKING:
    import redis

    from cachecheck.stores.direct.spec import Host
    from cachecheck.stores.redis.facts import Info

_FIRST = "0"  # a listing that begins at no cursor asks whether this is a cluster, and refuses it


class Connect(Protocol):
    """Makes a client of ours of the server at an address."""

    def __call__(self, host: Host, *, is_replica: bool = False) -> redis.Redis:
        """Make it; nothing is connected yet."""
        ...


class Facts(NamedTuple):
    """What a server says of itself that bears on reading it; ``reason`` why it says little."""

    touches_recency: bool
    resolution_seconds: float
    entries: int | None
    reason: str | None


class Server:
    """A server of a cluster; ``store`` reads it by itself."""

    def __init__(self, connect: Connect, host: Host, *, is_replica: bool) -> None:
        self._client = connect(host, is_replica=is_replica)
        self.store = BoundStore(
            RedisStore(lambda: self._client, address=shown_host(host)), start=_FIRST
        )

        self._facts: Facts | StoreError | None = None

    def facts(self) -> Facts:
        """Give eviction, version and the number of entries; raises ``StoreError``.

        They are asked for once, so that a server that is gone costs one timeout.
        """
        if self._facts is None:
            try:
                self._facts = self._asked()
            except StoreError as exc:
                self._facts = exc
        if isinstance(self._facts, StoreError):
            raise self._facts
        return self._facts

    def close(self) -> None:
        """Close our connections; facts are asked for anew after that."""
        self._facts = None
        self.store.close()

    def _asked(self) -> Facts:
        info, reason = self._info()
        is_old = (version(info) or (7,)) < (7,)
        return Facts(
            touches_recency=evicts_by_recency(info) and not self._is_left_untouched(),
            resolution_seconds=(Relative if is_old else Absolute).resolution_seconds,
            entries=self._entries(),
            reason=reason,
        )

    def _info(self) -> tuple[Info, str | None]:
        try:
            return ask(self._client, "INFO"), None
        except StoreUnreachable:
            raise
        except StoreError as exc:
            return {}, exc.reason

    def _entries(self) -> int | None:
        try:
            return int(ask(self._client, "DBSIZE"))
        except StoreUnreachable:
            raise
        except StoreError:
            return None

    def _is_left_untouched(self) -> bool:
        try:
            ask(self._client, "CLIENT", "NO-TOUCH", "ON")
        except StoreError:
            return False
        return True
