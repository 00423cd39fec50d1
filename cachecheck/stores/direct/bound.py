"""A Redis server whose cursors hold for the very process that gave them.

A cursor of SCAN is a place in a hash table that each process seeds anew: after a restart or a
failover it would skip entries in silence. So cursors carry a mark of the process, and one of
another process is refused.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cachecheck.errors import StoreError, StoreUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.model import Capabilities, StoreIdentity
    from cachecheck.stores.base import Batch, Choose, Pace, Page, RawReading, Weight
    from cachecheck.stores.redis import RedisStore

CHANGED = "another server took over, or it was restarted, while its keys were listed"

_UNKNOWN = "-"
_CURSOR = re.compile("([0-9a-f]{12}|-):(.+)")


class BoundStore:
    """Implements ``stores.base.Store`` over a Redis store, with cursors "<process>:<cursor>".

    ``start`` is the cursor to begin with. Where a server does not say which process it is, that
    is not checked.
    """

    def __init__(self, inner: RedisStore, *, start: str | None = None) -> None:
        self._inner = inner
        self._start = start
        self._process: str | None = None

    def identity(self) -> StoreIdentity:
        """Say which database of which server this is."""
        return self._inner.identity()

    def capabilities(self) -> Capabilities:
        """Say what can be done here."""
        return self._inner.capabilities()

    def scan(self, cursor: str | None, pace: Pace) -> Page:
        """List one page of keys; raises ``StoreUnreachable`` where the process is another."""
        page = self._inner.scan(self._own(cursor), pace)
        return replace(page, cursor=self._marked(page.cursor))

    def read(self, keys: Sequence[str], pace: Pace) -> Iterator[RawReading]:
        """Read keys in order."""
        return self._inner.read(keys, pace)

    def weigh(self, keys: Sequence[str], pace: Pace) -> list[Weight | None]:
        """Weigh a few keys."""
        return self._inner.weigh(keys, pace)

    def walk(self, cursor: str | None, choose: Choose, pace: Pace) -> Iterator[Batch]:
        """Walk the server; raises ``StoreUnreachable`` where the process is another."""
        for batch in self._inner.walk(self._own(cursor), choose, pace):
            yield batch._replace(cursor=self._marked(batch.cursor))

    def close(self) -> None:
        """Close our connections; after that the process is looked at anew."""
        self._process = None
        self._inner.close()

    def _own(self, cursor: str | None) -> str | None:
        """Give the server's own cursor; which process it is was found out before it lists."""
        process = self._known_process()
        if cursor is None:
            return self._start
        found = _CURSOR.fullmatch(cursor)
        if found is None:
            raise StoreError("not a cursor of this store")
        if found[1] not in {_UNKNOWN, process}:
            raise StoreUnreachable(CHANGED)
        return found[2]

    def _marked(self, cursor: str | None) -> str | None:
        return None if cursor is None else f"{self._known_process()}:{cursor}"

    def _known_process(self) -> str:
        if self._process is None:
            member = self._inner.identity().member
            digest = hashlib.sha256((member or "").encode()).hexdigest()[:12]
            self._process = digest if member else _UNKNOWN
        return self._process
