"""What is counted of one cache in one process."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from cachecheck.agent.counting.atomic import Count
from cachecheck.agent.counting.key_groups import KeyGroups

if TYPE_CHECKING:
    from collections.abc import Sequence

_random = random.Random()  # noqa: S311  it draws a sample; the site's own generator is left alone


class Tally:
    """What is counted of one cache in this process.

    One look in about ``looks_per_grouped``, a power of two, is told apart by the group of its key.
    ``is_culling`` says that ``evictions`` are counted here, and not by a server. ``due`` holds the
    numbers of the miss and of the hit from which on the next one is such a look. The distance
    between two is drawn, so that no pattern in what a site asks can fall in with it.
    """

    def __init__(self, looks_per_grouped: int = 1) -> None:
        self.looks_per_grouped = looks_per_grouped
        self.hits, self.misses = Count(), Count()
        self.sets, self.deletes = Count(), Count()
        self.errors, self.evictions = Count(), Count()
        self.groups = KeyGroups()
        self.is_culling = False
        self.due = [0, 0]
        self._gap_bits = looks_per_grouped.bit_length()

    def found(self, key: Any) -> None:
        """Count a hit."""
        number = self.hits.add()
        if number >= self.due[True]:
            self.sample(number, key, is_hit=True)

    def missed(self, key: Any) -> None:
        """Count a miss."""
        number = self.misses.add()
        if number >= self.due[False]:
            self.sample(number, key, is_hit=False)

    def sample(self, number: int, key: Any, *, is_hit: bool) -> None:
        """Tell the look of this number apart by the group of its key."""
        if self.looks_per_grouped > 1:  # distances from 1 to twice the mean, less one
            self.due[is_hit] = number + (_random.getrandbits(self._gap_bits) or 1)
        self.groups.add(key, is_hit=is_hit)

    def looked(self, found: Sequence[Any], missed: Sequence[Any]) -> None:
        """Count looks that were one call."""
        self.hits.add_many(len(found))
        self.misses.add_many(len(missed))
        for is_hit, keys in ((True, found), (False, missed)):
            for key in keys:
                self.groups.add(key, is_hit=is_hit)

    def reset(self) -> None:
        """Begin at nothing, in a process that has one thread: after a fork."""
        numbers = (self.hits, self.misses, self.sets, self.deletes, self.errors, self.evictions)
        for number in numbers:
            number.reset()
        self.groups = KeyGroups()
