"""How the entries of a cohort are summed, and what to do about buckets that differ. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cachecheck.model import Value
from cachecheck.sums import Summing, bucket_count, counts, differing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cachecheck.coordinator.views import Cohort
    from cachecheck.sums import Kind, Sums

ASSUMED_ENTRIES = 100_000
FEW_ROWS = 20_000
MOST_ROWS = 250_000
MOST_DIFFERENCES = 5_000
EXAMPLE_ROWS = 2_000
STORE_CLOCK_UNCERTAINTY_SECONDS = 0.01  # of a node's estimate of its store's clock
_COARSE_SECONDS = 1.0


class Choice(Value, frozen=True, kw_only=True):
    """Which buckets are listed; ``is_whole`` says that those are all that differ.

    ``agreeing`` is how many entries there are in the buckets that agree, the same in each store.
    ``is_jitter`` says that expiries, not entries, made most buckets differ.
    """

    places: tuple[int, ...]
    agreeing: int
    is_whole: bool
    is_jitter: bool = False


def summing_of(
    cohort: Cohort, tolerance_seconds: float, horizon: float, by: Kind = "digests"
) -> Summing:
    """Choose as many buckets as the largest store of the cohort needs."""
    known = [seen.cache.capabilities.entries for seen in cohort.views]
    most = max((count for count in known if count is not None), default=ASSUMED_ENTRIES)
    return Summing(
        buckets=bucket_count(most),
        lane_ms=max(4, round(tolerance_seconds * 1000)),
        horizon=horizon,
        by=by,
    )


def lane_shift_ms(
    shift_seconds: float, resolution_seconds: float, uncertainty_seconds: float
) -> int:
    """Give what to take from a store's expiries to bring them to our clock, in milliseconds.

    A clock that cannot be told from ours is taken for ours, and that of a store that keeps whole
    seconds, which it begins when it likes, is told to whole seconds: the error of an estimate would
    move all entries over the edges of lanes for nothing. Expiries may be apart by more than that.
    """
    is_coarse = resolution_seconds >= _COARSE_SECONDS
    unsure_seconds = uncertainty_seconds + STORE_CLOCK_UNCERTAINTY_SECONDS
    if abs(shift_seconds) <= unsure_seconds + (resolution_seconds if is_coarse else 0.0):
        return 0
    if is_coarse:
        return round(shift_seconds) * 1000
    return round(shift_seconds * 1000)


def choose(stores: Sequence[Sums], *, are_listed: bool = False) -> Choice:
    """Choose what to list: all that differs, unless that is far more than can be of use.

    Then only some buckets are, for examples; where all rows are listed anyway (``are_listed``), all
    that differs is chosen in any case. How many entries differ is told by the share of buckets that
    hold a difference, as if differences had been thrown into buckets at random.
    """
    entries, expiries = differing(stores)
    sizes = [max(held) for held in zip(*map(counts, stores), strict=True)]
    both = (*entries, *expiries)
    agreeing = sum(sizes) - sum(sizes[place] for place in both)
    rows = sum(sizes[place] for place in both)
    is_jitter = len(expiries) > len(entries) and 2 * len(expiries) > len(sizes)
    is_little = rows <= FEW_ROWS or (
        rows <= MOST_ROWS and _estimate(len(entries), len(sizes)) <= MOST_DIFFERENCES
    )
    if are_listed or is_little:
        return Choice(
            places=tuple(sorted(both)), agreeing=agreeing, is_whole=True, is_jitter=is_jitter
        )
    examples = _first(entries or expiries, sizes, EXAMPLE_ROWS)
    return Choice(places=examples, agreeing=agreeing, is_whole=False, is_jitter=is_jitter)


def _estimate(differing_buckets: int, buckets: int) -> float:
    """Estimate how many entries differ, from the share of buckets in which one does."""
    left = 1 - differing_buckets / buckets
    return -buckets * math.log(left) if left else math.inf


def _first(places: Iterable[int], sizes: Sequence[int], most_rows: int) -> tuple[int, ...]:
    chosen: list[int] = []
    rows = 0
    for place in places:
        rows += sizes[place]
        if chosen and rows > most_rows:
            break
        chosen.append(place)
    return tuple(chosen)
