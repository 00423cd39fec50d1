"""Adding entries up."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, TypeVar

from cachecheck.sums.buckets import NEVER, Summing, Sums, pack, place_shift
from cachecheck.sums.lanes import Lanes, columns
from cachecheck.sums.rows import Packing
from cachecheck.sums.terms import maker

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cachecheck.model import Naming
    from cachecheck.sums.rows import Kept, Listed
    from cachecheck.sums.terms import Terms

_Item = TypeVar("_Item")


class Summer:
    """Adds entries up, page after page; keeps their rows as well, up to ``most_rows`` of them.

    ``entries`` were added, ``lasting`` of them without an expiry; ``expiring`` were left out.
    """

    def __init__(self, seed: bytes, summing: Summing, *, most_rows: int = 0) -> None:
        self.summing = summing
        self.entries = self.expiring = self.lasting = 0
        self._maker = maker(summing.by, seed)
        self._totals = [0] * summing.buckets
        self._counts = [0] * summing.buckets
        self._lanes = Lanes(summing.lane_ms)
        self._most_rows = most_rows
        self._kept = Packing() if most_rows else None

    def add(
        self,
        names: Sequence[bytes],
        values: Sequence[bytes],
        expiries_ms: Sequence[int],
        flags: Sequence[int] | None = None,
    ) -> None:
        """Add entries, column by column; an expiry of ``NEVER`` is none, flags None are all 0."""
        shift_ms = self.summing.shift_ms
        horizon_ms = int(self.summing.horizon * 1000) + shift_ms
        soonest_ms = min(expiries_ms, default=NEVER)
        if soonest_ms < horizon_ms:
            are_in = [expiry < 0 or expiry >= horizon_ms for expiry in expiries_ms]
            self.expiring += are_in.count(False)
            names, values = _picked(names, are_in), _picked(values, are_in)
            expiries_ms = _picked(expiries_ms, are_in)
            flags = None if flags is None else _picked(flags, are_in)
        persists = [expiry < 0 for expiry in expiries_ms] if soonest_ms < 0 else None
        self.lasting += sum(persists or ())
        if shift_ms:
            expiries_ms = [expiry if expiry < 0 else expiry - shift_ms for expiry in expiries_ms]
        terms = self._maker.terms(names, values, persists, flags)
        self.entries += len(names)
        self._add_terms(terms, expiries_ms)
        self._keep(terms, expiries_ms, names)

    def sums(self) -> Sums:
        """Give the sums so far."""
        return pack(self.summing.buckets, (self._counts, *columns(self._totals)))

    @property
    def names_bytes(self) -> int:
        """Tell how long the names of all rows so far are together; 0 where none are kept."""
        return 0 if self._kept is None else self._kept.names_bytes

    def kept(self, naming: Naming = "logical") -> Kept | None:
        """Give all entries so far as they are; None where they are more than were to be kept."""
        return None if self._kept is None else self._kept.kept(naming)

    def listed(self, naming: Naming = "logical", *, level: int = 1) -> Listed | None:
        """Give the rows of all entries so far; None where they are more than were to be kept.

        ``level`` is how hard they are compressed: 0 for what crosses no network.
        """
        return None if self._kept is None else self._kept.listed(naming, level)

    def _add_terms(self, terms: Terms, expiries_ms: Sequence[int]) -> None:
        """Add each entry to the total of its bucket, in one addition."""
        totals, counts, shift = self._totals, self._counts, place_shift(self.summing.buckets)
        parts = terms.with_expiries(expiries_ms, self._lanes)
        for head, part in zip(terms.heads(), parts, strict=True):
            place = head >> shift
            totals[place] += part
            counts[place] += 1

    def _keep(self, terms: Terms, expiries_ms: Sequence[int], names: Sequence[bytes]) -> None:
        if self._kept is None:
            return
        if self.entries > self._most_rows:
            self._kept = None
            return
        self._kept.add(terms, expiries_ms, names)


def _picked(column: Iterable[_Item], are_in: Iterable[bool]) -> list[_Item]:
    return list(compress(column, are_in))
