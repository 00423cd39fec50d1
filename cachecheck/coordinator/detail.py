"""Read named keys once more, in all detail: what each view has of them, equal or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.coordinator.confirm import Judgement
from cachecheck.coordinator.suspects import shifted
from cachecheck.model import Key, Reading, Value
from cachecheck.rules.observations import View

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.coordinator.entries import Entries
    from cachecheck.coordinator.probing import Prober


class Detail(Value, frozen=True, kw_only=True):
    """What the views of one cohort have of one key; ``looked_at`` is in the coordinator's clock.

    ``held`` are readings with the views that each stands for. ``timeout`` is the default of all
    these views, None where they have several, or none. Expiries up to ``tolerance_seconds`` apart
    are one.
    """

    cache: str
    application: str
    key: Key
    judgement: Judgement
    looked_at: float
    timeout: float | None
    tolerance_seconds: float
    held: tuple[tuple[tuple[View, ...], Reading], ...]


async def read_in_detail(
    prober: Prober, entries: Sequence[Entries], now: float, *, with_values: bool
) -> tuple[Detail, ...]:
    """Read the keys that were named through every unit; values as well, where nodes allow it."""
    found: list[Detail] = []
    for one in entries:
        units = one.named.units
        keys = tuple(examined.key for examined in one.named.keys)
        if not keys or not units:
            continue
        readings = await prober.read(units, keys, with_structure=True, with_values=with_values)
        columns = [[shifted(each, unit) for each in readings[unit]] for unit in units]
        views = [unit.stands_for for unit in units]
        found.extend(_details(one, now, views, columns))
    return tuple(found)


def _details(
    one: Entries,
    now: float,
    views: Sequence[tuple[View, ...]],
    columns: Sequence[Sequence[Reading]],
) -> Iterator[Detail]:
    timeouts = {seen.cache.timeout for seen in one.cohort.views}
    for row, examined in enumerate(one.named.keys):
        yield Detail(
            cache=one.cohort.cache,
            application=one.cohort.application,
            key=examined.key,
            judgement=examined.judgement,
            looked_at=now,
            timeout=next(iter(timeouts)) if len(timeouts) == 1 else None,
            tolerance_seconds=one.tolerance_seconds,
            held=tuple((view, column[row]) for view, column in zip(views, columns, strict=True)),
        )
