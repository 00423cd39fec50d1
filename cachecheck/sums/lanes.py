"""Lanes: what an expiry adds to the total of its bucket, and how totals come apart again."""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING

from cachecheck.sums.buckets import LANES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_MASK = (1 << 64) - 1

# Where the parts of a bucket's total begin, in bits, with room for 2^32 entries: their terms, what
# lifts expiries over the edge of a lane, by the rest, and the sum of their whole parts.
_LIFTS = (0, 160, 256, 352)
_WHOLES = 448
_LIFTED = (0, *(1 << bits for bits in _LIFTS[1:]))
_MOST_FACTORS = 10_000


class Lanes:
    """Lanes of some width, in four ways that are a quarter of it apart.

    ⌊(e + g·lane/4) / lane⌋ is ⌊(x + g) / 4⌋ where x = ⌊4e / lane⌋: a whole part, and one more
    in the lanes that the rest lifts over the edge.
    """

    def __init__(self, lane_ms: int) -> None:
        self.lane_ms = lane_ms
        self._factors = _Factors()

    def factors(self, expiries_ms: Sequence[int]) -> Iterable[int]:
        """Give what each expiry counts as: its parts lie so far apart that they add up at once."""
        if len(self._factors) > _MOST_FACTORS:
            self._factors.clear()
        lane_ms = self.lane_ms
        quarters = [expiry_ms * LANES // lane_ms for expiry_ms in expiries_ms]
        return map(self._factors.__getitem__, quarters)


def columns(totals: Sequence[int]) -> Iterator[list[int]]:
    """Give what adds up in the totals of buckets: terms (low, high), and the lanes.

    A total that is negative has nothing in its lanes.
    """
    yield from (_field(totals, begins) for begins in (0, 64))
    totals = [max(total, 0) for total in totals]
    lane = _field(totals, _WHOLES)
    yield lane
    for rest in range(LANES - 1, 0, -1):
        lane = list(map(add, lane, _field(totals, _LIFTS[rest])))
        yield lane


class _Factors(dict[int, int]):
    """By quarters of a lane, from the epoch on: what an expiry adds for each of its key's weight.

    Most expiries fall into few of them, and numbers of so many bits take their time to make.
    """

    def __missing__(self, quarter: int) -> int:
        """Make one; what never expires adds nothing."""
        factor = _LIFTED[quarter & 3] + (quarter >> 2 << _WHOLES) if quarter >= 0 else 0
        self[quarter] = factor
        return factor


def _field(totals: Iterable[int], begins: int) -> list[int]:
    """Give 64 bits of each total; all that is sent of a part are residues of it."""
    return [total >> begins & _MASK for total in totals]
