"""List the entries of some buckets, one page of a store: the answer to ``collect``."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from cachecheck.agent.adding import adder
from cachecheck.agent.sorting import Chooser, Sorter
from cachecheck.errors import StoreError
from cachecheck.stores.pages import walk_page
from cachecheck.sums import ROW_BYTES, Buckets, Summer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.agent.backends.base import Backend
    from cachecheck.agent.conf import Conf
    from cachecheck.stores.base import Pace
    from cachecheck.stores.pages import Walked
    from cachecheck.sums import Listed
    from cachecheck.wire import Collect

ROWS_PER_PAGE = 20_000
SHARE_OF_ANSWER = 0.5  # for rows and names as they are, before base64 adds a third

_MOST_ROWS = 10 * ROWS_PER_PAGE  # a page ends after a batch, and batches are small


def collect(
    backend: Backend, request: Collect, conf: Conf, pace: Pace
) -> tuple[Listed, int, str | None]:
    """List entries from the request's cursor on until the page is full or the budget spent.

    Gives the rows, how many stored keys were looked at, and the next cursor. Values are read only
    of keys in the wanted buckets; what ``WITHHOLD`` names is neither read nor listed. Raises
    ``StoreError`` where the store cannot be read.
    """
    seed, summing = bytes.fromhex(request.seed), request.summing
    sorter = Sorter(backend, request.match, conf)
    wanted = Buckets(seed, summing, request.wanted)
    chooser = Chooser(sorter, pace, wanted=wanted)
    page = _Page(Summer(seed, summing, most_rows=_MOST_ROWS), conf.max_answer_bytes, pace)
    with closing(backend.store()) as store:
        walked: Walked = walk_page(
            store, request.cursor, chooser, page.take, page.has_room, most_keys=request.most_keys
        )
    listed = page.summer.listed(sorter.naming)
    if listed is None:
        raise StoreError("it gives more entries at once than can be listed")
    return listed, walked.scanned, walked.cursor


class _Page:
    """The rows of one answer: full after so many rows, or so many bytes."""

    def __init__(self, summer: Summer, max_answer_bytes: int, pace: Pace) -> None:
        self.summer = summer
        self._pace = pace
        self._add = adder(summer, pace)
        self._bytes_left = int(max_answer_bytes * SHARE_OF_ANSWER)

    def take(
        self,
        names: Sequence[bytes],
        values: Sequence[bytes],
        expiries_ms: Sequence[int],
        flags: Sequence[int] | None,
    ) -> None:
        """List a batch, whole."""
        self._add(names, values, expiries_ms, flags)
        self._bytes_left -= len(names) * ROW_BYTES + sum(map(len, names))

    def has_room(self) -> bool:
        """Sleep where the slice is used up; False once the page is full or the budget spent."""
        is_full = self._bytes_left <= 0 or self.summer.entries >= ROWS_PER_PAGE
        return self._pace() and not is_full
