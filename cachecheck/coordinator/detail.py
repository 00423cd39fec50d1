"""Read named keys once more, in all detail: what each view has of them, equal or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from cachecheck.coordinator.confirm import Judgement
from cachecheck.coordinator.suspects import shifted
from cachecheck.model import Key, Present, Reading, Value
from cachecheck.rules.observations import View

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.coordinator.entries import Entries
    from cachecheck.coordinator.probing import Prober
    from cachecheck.rules.observations import KeyOutcome


class Detail(Value, frozen=True, kw_only=True):
    """What the views of one cohort have of one key; ``looked_at`` is in the coordinator's clock.

    ``held`` are readings with the views that each stands for; who was found unable to read the
    value stands apart. ``timeout`` is the default of all these views, None where they have several,
    or none. Expiries up to ``tolerance_seconds`` apart are one.
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
    unreadable = {found.key: _lacking(found) for found in one.unreadable}
    for row, examined in enumerate(one.named.keys):
        yield Detail(
            cache=one.cohort.cache,
            application=one.cohort.application,
            key=examined.key,
            judgement=examined.judgement,
            looked_at=now,
            timeout=next(iter(timeouts)) if len(timeouts) == 1 else None,
            tolerance_seconds=one.tolerance_seconds,
            held=tuple(
                part
                for stands_for, column in zip(views, columns, strict=True)
                for part in _parted(stands_for, column[row], unreadable.get(examined.key, {}))
            ),
        )


def _lacking(found: KeyOutcome) -> dict[View, tuple[str, ...]]:
    """Give what each view lacks to read the value, of those that were looked through for that."""
    return {
        view: reading.unreadable
        for (_, reading), views in zip(found.readings, found.stand_for, strict=True)
        if isinstance(reading, Present)
        for view in views
    }


def _parted(
    views: tuple[View, ...], reading: Reading, lacking: dict[View, tuple[str, ...]]
) -> Iterator[tuple[tuple[View, ...], Reading]]:
    """Part the views of one store by whether they can read the value.

    One of them read it for all, and can say of itself alone what it lacks.
    """
    if not isinstance(reading, Present) or len(views) == 1:
        yield views, reading
        return
    parts: dict[tuple[str, ...], list[View]] = {}
    for view in views:
        parts.setdefault(lacking.get(view, ()), []).append(view)
    for names, members in parts.items():
        yield tuple(members), replace(reading, unreadable=names)
