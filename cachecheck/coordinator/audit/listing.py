"""List the entries of buckets that differ, store by store, and find the keys that differ."""

from __future__ import annotations

import asyncio
from itertools import compress, repeat
from operator import sub
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cachecheck.coordinator.audit.ledger import Collection
from cachecheck.coordinator.audit.pacing import Pauses, Relief, demand, pages_of
from cachecheck.coordinator.audit.scheme import MOST_ROWS
from cachecheck.errors import MalformedMessage
from cachecheck.model import Key, Value
from cachecheck.sums import (
    KEY_BYTES,
    LENGTH_BITS,
    ROW_BYTES,
    Kept,
    Listed,
    by_rows,
    row_of,
    rows_of,
)
from cachecheck.wire import Collect, Collected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cachecheck.coordinator.audit.ledger import Ledger
    from cachecheck.coordinator.audit.pacing import Walk
    from cachecheck.coordinator.outcomes import Outcome
    from cachecheck.model import Naming
    from cachecheck.sums import Listing, Row

_AGAIN = 2
_RETRY_SECONDS = 0.5
MOST_LISTED_ROWS = 2 * MOST_ROWS
LEAST_SHARE_LISTED = 0.8
FEW_ROWS_SHORT = 20
MOST_NAMES_BYTES = 256 << 20

_NOWHERE = -1 << 64  # apart from every expiry


class StoreRows(Value, frozen=True, kw_only=True):
    """The entries that were listed of a store; ``failure`` says why some are missing."""

    listed: tuple[Listed | Kept, ...]
    failure: str | None = None


async def list_store(
    walk: Walk, wanted: bytes, ledger: Ledger, note: Callable[[int], None], *, summed: int
) -> StoreRows:
    """List the entries of a store that are in the wanted buckets, where it ``summed`` so many.

    Where far fewer are listed, something was passed over: a server that took over in the middle
    begins elsewhere at the same cursor. That is a failure, since what is not listed is not seen.
    """
    listed, failure = await _listed(walk, wanted, ledger, note)
    rows = sum(len(part.rows) for part in listed) // ROW_BYTES
    is_short = rows < LEAST_SHARE_LISTED * summed and rows < summed - FEW_ROWS_SHORT
    if failure is None and is_short:
        failure = f"it listed {rows} of {summed} entries"
    return StoreRows(listed=listed, failure=failure)


async def _listed(
    walk: Walk, wanted: bytes, ledger: Ledger, note: Callable[[int], None]
) -> tuple[tuple[Listed, ...], str | None]:
    """List page after page; give why that ended too soon, or None.

    Nothing is kept on the nodes meanwhile: where one is lost, another goes on at the same place.
    A store that is read directly is listed anew.
    """
    before = ledger.collected(walk.terms.name)
    if before is not None and before.wanted == wanted:
        done = before
    else:
        done = Collection(wanted=wanted, listed=(), cursor="")
    units, turn, failures, rows, names_bytes = pages_of(walk.unit), 0, 0, 0, 0
    pauses, relief = Pauses(), Relief()
    while done.cursor is not None:
        if not walk.has_time:
            return done.listed, walk.out_of_time
        outcome = await walk.ask(_request(walk, wanted, done.cursor), units[turn % len(units)])
        page, page_names_bytes = _checked(outcome)
        turn += 1
        if isinstance(page, str):
            failures += 1
            if failures > max(_AGAIN, len(units)):
                return done.listed, page
            if walk.is_direct:  # its server may be another one by now, where no cursor holds
                done = Collection(wanted=wanted, listed=(), cursor="")
            await asyncio.sleep(_RETRY_SECONDS * failures)
            continue
        note(page.scanned)
        rows += len(page.listed.rows) // ROW_BYTES
        names_bytes += page_names_bytes
        if rows > MOST_LISTED_ROWS or names_bytes > MOST_NAMES_BYTES:
            return (), "it lists far more than its sums told of"
        listed = (*done.listed, page.listed) if page.listed.rows else done.listed
        done = Collection(wanted=wanted, listed=listed, cursor=page.cursor)
        ledger.note_collected(walk.terms.name, done)
        if page.cursor is not None:
            await (relief.after(page) if walk.is_direct else pauses.after(outcome))
    return done.listed, None


def _request(walk: Walk, wanted: bytes, cursor: str) -> Callable[[tuple[str, ...]], Collect]:
    return lambda audience: Collect(
        run=walk.prober.run,
        audience=audience,
        cache=walk.unit.cache,
        seed=walk.prober.seed,
        summing=walk.terms.summing,
        wanted=wanted,
        match=walk.terms.match,
        cursor=cursor or None,
        most_keys=walk.most_keys,
    )


def _checked(outcome: Outcome | None) -> tuple[Collected | str, int]:
    """Give a page that can be read, or why there is none; and how many bytes its names have."""
    page = demand(outcome, Collected)
    if isinstance(page, str):
        return page, 0
    try:
        listed = by_rows(page.listed)
        names_bytes = sum(len(row.name) for row in rows_of(listed))
    except MalformedMessage as exc:
        return f"it listed what cannot be read: {exc}", 0
    return replace(page, listed=listed), names_bytes


def differing_keys(
    stores: Sequence[Listing], naming: Naming, tolerance_ms: int
) -> tuple[tuple[Key, ...], int]:
    """Name the keys that the stores do not agree in; give as well how many keys there are in all.

    They agree where each has the entry, with one digest and expiries within the tolerance: those
    rows, nearly all, are not unpacked. Of several entries of one key the last one counts.
    """
    alike = _alike([store.tails() for store in stores], tolerance_ms)
    others = [
        {row.key: row for row in (row_of(*each) for each in store.rows(alike))} for store in stores
    ]
    union = dict.fromkeys(key for rows in others for key in rows)
    found = []
    for key in union:
        rows = [each[key] for each in others if key in each]
        if len(rows) < len(stores) or _differ(rows, tolerance_ms):
            found.append(Key(name=rows[0].name, naming=naming))
    return tuple(found), len(union.keys() | {mark[:KEY_BYTES] for mark in alike})


def _alike(stores: Sequence[dict[bytes, int]], tolerance_ms: int) -> set[bytes]:
    """Choose what all stores have, with expiries within the tolerance: a loop in C for each step.

    A length is in the last bits beside each expiry, and the same in all of them. All go by the
    order of the first one, in which its entries lie in memory.
    """
    if not stores:
        return set()
    first, *others = stores
    tails = [first.values(), *(map(other.get, first, repeat(_NOWHERE)) for other in others)]
    every = list(zip(*tails, strict=True))
    apart = map(sub, map(max, every), map(min, every))
    return set(compress(first, map((tolerance_ms << LENGTH_BITS).__ge__, apart)))


def _differ(rows: Sequence[Row], tolerance_ms: int) -> bool:
    if any(row.entry != rows[0].entry for row in rows):
        return True
    expiries = [row.expires_ms for row in rows if row.expires_ms is not None]
    return bool(expiries) and max(expiries) - min(expiries) > tolerance_ms
