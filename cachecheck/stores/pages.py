"""Walk one page of a store: batches, until a limit, the budget or the end is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cachecheck.stores.base import Choose, Pace, Store


class Walked(NamedTuple):
    """What a page came to: stored keys looked at, and where to go on (None: that was all)."""

    scanned: int
    foreign: int
    unread: int
    cursor: str | None


def walk_page(  # noqa: PLR0913  what to walk, and when to stop
    store: Store,
    cursor: str | None,
    choose: Choose,
    take: Callable[[Sequence[bytes], Sequence[bytes], Sequence[int], Sequence[int] | None], None],
    pace: Pace,
    *,
    most_keys: int | None = None,
) -> Walked:
    """Give the entries that ``choose`` picks to ``take``, column by column, until it is enough.

    At least one batch is taken, so that a walk always comes on.
    """
    scanned = foreign = unread = 0
    for batch in store.walk(cursor, choose, pace):
        take(batch.names, batch.values, batch.expiries_ms, batch.flags)
        scanned += batch.scanned
        foreign += batch.foreign
        unread += batch.unread
        cursor = batch.cursor
        is_enough = most_keys is not None and scanned >= most_keys
        if cursor is None or is_enough or not pace():
            return Walked(scanned, foreign, unread, cursor)
    return Walked(scanned, foreign, unread, None)
