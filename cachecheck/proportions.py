"""Whether shares differ by more than chance: two-proportion tests, and Holm's correction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_EXPECTED = 5
"""Fewer expected successes or failures on a side, and the normal approximation does not hold."""


class Tried(NamedTuple):
    """So many successes of so many trials."""

    successes: int
    trials: int

    @property
    def share(self) -> float:
        """Give the share of successes; there must be trials."""
        return self.successes / self.trials

    def plus(self, other: Tried) -> Tried:
        """Add up two counts."""
        return Tried(self.successes + other.successes, self.trials + other.trials)

    def minus(self, other: Tried) -> Tried:
        """Take a part out of the whole that holds it."""
        return Tried(self.successes - other.successes, self.trials - other.trials)


NOTHING = Tried(0, 0)


def chance(one: Tried, other: Tried) -> float:
    """Give the p-value of two shares being equal: the two-sided, pooled two-proportion z-test.

    1 where nothing can be said: no trials, or fewer than five successes or failures to be expected
    on a side if the shares were equal, by W. G. Cochran, Some methods for strengthening the common
    chi-squared tests, Biometrics 10 (1954), 417-451. The squared statistic is that of Pearson's
    chi-squared test of the 2 x 2 table, without a correction for continuity.
    """
    both = one.plus(other)
    if not one.trials or not other.trials:
        return 1.0
    rarer = min(both.successes, both.trials - both.successes) / both.trials
    if rarer * min(one.trials, other.trials) < LEAST_EXPECTED:
        return 1.0
    spread = math.sqrt(rarer * (1 - rarer) * (1 / one.trials + 1 / other.trials))
    return math.erfc(abs(one.share - other.share) / spread / math.sqrt(2))


def holm(chances: Sequence[float]) -> tuple[float, ...]:
    """Correct p-values for there being several, in their order.

    Where those of at most some rate are called differences, the probability of even one wrong call
    is at most that rate, however the tests depend on each other. Source: S. Holm, A simple
    sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979),
    65-70.
    """
    ranked = sorted(range(len(chances)), key=chances.__getitem__)
    corrected = [1.0] * len(chances)
    worst = 0.0
    for rank, index in enumerate(ranked):
        worst = max(worst, min(1.0, chances[index] * (len(chances) - rank)))
        corrected[index] = worst
    return tuple(corrected)


def alike(
    counts: Sequence[Tried], *, error_rate: float, least: float
) -> tuple[tuple[int, ...], ...]:
    """Divide counts, by their indices, into groups whose shares do not differ, the largest first.

    A count is set apart where its share differs from that of all others together by ``least`` or
    more, and by more than chance after Holm's correction; then the rest is looked at without it.
    Those that were set apart are grouped among themselves in the same way. Where all shares are
    equal, more than one group comes out with at most the probability ``error_rate``.
    """
    groups: list[tuple[int, ...]] = []
    left = tuple(range(len(counts)))
    while left:
        stay = _staying(left, counts, error_rate, least)
        groups.append(stay)
        left = tuple(index for index in left if index not in set(stay))
    return tuple(sorted(groups, key=lambda group: (-len(group), group)))


def _staying(
    among: tuple[int, ...], counts: Sequence[Tried], error_rate: float, least: float
) -> tuple[int, ...]:
    """Set the outliers apart, one by one, the least probable first."""
    stay = list(among)
    whole = NOTHING
    for index in stay:
        whole = whole.plus(counts[index])
    while len(stay) > 1:
        found = _outlier(stay, whole, counts, error_rate, least)
        if found is None:
            break
        whole = whole.minus(counts[found])
        stay.remove(found)
    return tuple(stay)


def _outlier(
    among: Sequence[int], whole: Tried, counts: Sequence[Tried], error_rate: float, least: float
) -> int | None:
    tested = among if len(among) > 2 else among[1:]  # noqa: PLR2004  two are one comparison
    corrected = holm([chance(counts[index], whole.minus(counts[index])) for index in tested])
    likely = [
        (value, -_apart(counts[index], whole), index)
        for index, value in zip(tested, corrected, strict=True)
        if value <= error_rate and _apart(counts[index], whole) >= least
    ]
    return min(likely)[2] if likely else None


def _apart(one: Tried, whole: Tried) -> float:
    """Say how far a share is from that of the others."""
    return abs(one.share - whole.minus(one).share)
