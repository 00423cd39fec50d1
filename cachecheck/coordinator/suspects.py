"""Read keys through every unit, compare, and look again at what differs until it is settled."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

import msgspec

from cachecheck.coordinator.compare import Tolerance, differences, is_unread
from cachecheck.coordinator.confirm import Judgement, Look, judge
from cachecheck.model import Expired, Key, Present, Reading, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cachecheck.coordinator.probing import Prober, Unit

FIRST_PAUSE_SECONDS = 0.15
GROWTH = 1.8
HORIZON_SECONDS = 2.0


class Patience(Value, frozen=True, kw_only=True):
    """How long a difference must stand, and how far expiries may be apart, in seconds."""

    settle_seconds: float
    tolerance_seconds: float


class Examined(Value, frozen=True, kw_only=True):
    """What came of one key: ``looks`` are there only where it was a suspect."""

    key: Key
    judgement: Judgement
    looks: tuple[Look, ...] = ()


async def examine(
    prober: Prober,
    units: Sequence[Unit],
    keys: Sequence[Key],
    patience: Patience,
    on_keys: Callable[[int], None],
) -> tuple[Examined, ...]:
    """Examine keys over units that can be compared; one for each key, in order."""
    if not keys or not units:
        return ()
    first = _by_key(units, await prober.read(units, keys), len(keys))
    at = time.monotonic()
    examined: dict[Key, Examined] = {}
    suspects: dict[Key, tuple[Look, ...]] = {}
    for key, readings in zip(keys, first, strict=True):
        if differences(readings, _tolerance(patience)):
            suspects[key] = (Look(at=at, readings=readings),)
        else:
            judgement: Judgement = "unread" if is_unread(readings) else "healed"
            examined[key] = Examined(key=key, judgement=judgement)
    on_keys(len(keys) - len(suspects))
    examined |= await _look_again(prober, units, suspects, patience)
    on_keys(len(suspects))
    return tuple(examined[key] for key in keys)


async def _look_again(
    prober: Prober,
    units: Sequence[Unit],
    suspects: Mapping[Key, tuple[Look, ...]],
    patience: Patience,
) -> dict[Key, Examined]:
    looks = dict(suspects)
    done: dict[Key, Examined] = {}
    pause = FIRST_PAUSE_SECONDS
    started = time.monotonic()
    while looks:
        await asyncio.sleep(_pause(pause, started, patience.settle_seconds))
        pause *= GROWTH
        if not prober.client.remaining_seconds:
            return done | {
                key: Examined(key=key, judgement="open", looks=seen) for key, seen in looks.items()
            }
        looks = await _one_look(prober, units, looks)
        for key in tuple(looks):
            judgement = judge(
                looks[key],
                settle_seconds=patience.settle_seconds,
                tolerance=_tolerance(patience),
            )
            if judgement != "open":
                done[key] = Examined(key=key, judgement=judgement, looks=looks.pop(key))
    return done


async def _one_look(
    prober: Prober, units: Sequence[Unit], looks: Mapping[Key, tuple[Look, ...]]
) -> dict[Key, tuple[Look, ...]]:
    """Look once more at all that is open, keys and units in another order each time."""
    keys, order = list(looks), list(units)
    random.shuffle(keys)
    random.shuffle(order)
    found = await prober.read(order, keys, with_structure=True)
    at = time.monotonic()
    by_key = zip(keys, _by_key(units, found, len(keys)), strict=True)
    return {key: (*looks[key], Look(at=at, readings=readings)) for key, readings in by_key}


def _pause(pause: float, started: float, settle_seconds: float) -> float:
    """Pause with jitter, and not beyond the moment at which what still stands is settled."""
    jittered = pause * random.uniform(0.7, 1.3)  # noqa: S311  jitter
    to_settled = settle_seconds - (time.monotonic() - started)
    return min(jittered, to_settled + 0.01) if to_settled > 0 else min(jittered, 0.3)


def _by_key(
    units: Sequence[Unit], found: Mapping[Unit, tuple[Reading, ...]], count: int
) -> list[tuple[Reading, ...]]:
    """Turn readings by unit into readings by key, with expiries in the coordinator's clock."""
    columns = [[_shifted(reading, unit) for reading in found[unit]] for unit in units]
    return [tuple(column[row] for column in columns) for row in range(count)]


def _shifted(reading: Reading, unit: Unit) -> Reading:
    if isinstance(reading, Present) and reading.expires_at is not None:
        shifted = reading.expires_at - unit.shift_seconds
        return msgspec.structs.replace(reading, expires_at=shifted)
    if isinstance(reading, Expired):
        return Expired(expires_at=reading.expires_at - unit.shift_seconds)
    return reading


def _tolerance(patience: Patience) -> Tolerance:
    """Take the clock as it is now: what expires within moments cannot be compared."""
    horizon = time.time() + HORIZON_SECONDS + patience.tolerance_seconds
    return Tolerance(seconds=patience.tolerance_seconds, horizon=horizon)
