"""C006: what was seen, and later than it should have been."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from cachecheck.rules.behaviour.words import MOST_NAMED, divided, labels, pair
from cachecheck.rules.catalogue import finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cachecheck.model import Finding
    from cachecheck.rules.trials import Sighting, Trial

_SLOW_STAGES = 2


def check(trial: Trial, tolerance_seconds: float) -> Iterator[Finding]:
    """Give a C006 where it was so in several stages."""
    found = _slow(trial, tolerance_seconds)
    if _stages(found) < _SLOW_STAGES:
        return
    times = [one.lag_seconds for one in found]
    pairs = {(one.writer, one.reader) for one in found}
    tried = {(one.writer, one.reader) for one in trial.sightings}
    surely = max(one.least_lag_seconds for one in found)
    worst = {
        (one.writer, one.reader): one for one in sorted(found, key=lambda one: one.lag_seconds)
    }
    slowest = sorted(worst.values(), key=lambda one: -one.lag_seconds)[:MOST_NAMED]
    yield finding(
        "C006",
        message=f"what is written is seen late, after {surely * 1000:.0f} to "
        f"{max(times) * 1000:.0f} ms, in {len(pairs)} of {len(tried)} pairs of views",
        cache=trial.cache,
        subject="propagation",
        groups=divided(trial, labels(one.reader for one in found), "late", "in time"),
        evidence={
            "slowest_seconds": round(max(times), 3),
            "median_seconds": round(median(times), 3),
            "surely_seconds": round(surely, 3),
            "tolerance_seconds": tolerance_seconds,
            "pairs": [f"{pair(one)}: {one.lag_seconds * 1000:.0f} ms" for one in slowest],
        },
    )


def slow_once(trial: Trial, tolerance_seconds: float) -> tuple[Sighting, ...]:
    """Give what was late, where that was so in one stage alone: it may be chance."""
    found = _slow(trial, tolerance_seconds)
    return () if _stages(found) >= _SLOW_STAGES else found


def _slow(trial: Trial, tolerance_seconds: float) -> tuple[Sighting, ...]:
    """Give what was seen, and surely later than the tolerance."""
    return tuple(
        one
        for one in trial.sightings
        if one.fate == "seen" and one.least_lag_seconds > tolerance_seconds
    )


def _stages(found: Iterable[Sighting]) -> int:
    """Count the moments at which what is late was written: most is in the first of them."""
    return len({one.what if one.what in {"overwrite", "delete"} else "set" for one in found})
