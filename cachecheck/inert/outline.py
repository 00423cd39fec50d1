"""The tree of digests below one place of a value: enough to say where two values differ.

It is bounded in places, not in depth: what is nearer comes first, and what does not fit is told by
its digest alone, to be asked for by its path. Containers with many members are divided into
slices, which are places of their own, so that a difference among thousands is found by descending.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cachecheck.inert.branches import Index, branches, key_of
from cachecheck.inert.kinds import kind_of, printable
from cachecheck.inert.naming import called, name_digits
from cachecheck.inert.nodes import Node, token_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cachecheck.inert.branches import Branch
    from cachecheck.inert.limits import Meter
    from cachecheck.inert.naming import Hash, IsWithheld
    from cachecheck.inert.nodes import Value

MOST_PLACES: Final = 600
FANOUT: Final = 64
ITEMS_PER_OPERATION: Final = 3
DIGITS: Final = 16
WITHHELD_DIGITS: Final = 4
"""So short a digest shows that something differs and lets nobody find out what it is."""

SLICE: Final = "slice"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A place in the tree; see ``cachecheck.model.Twig``, which it is on the wire."""

    parent: int
    step: str
    digest: str
    kind: str
    members: int
    is_open: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Spot:
    """A value with what it holds or, without one, a slice of what the one above it holds."""

    step: str
    value: Value | None = None
    held: Sequence[Branch] = ()
    is_withheld: bool = False
    above: _Spot | None = None
    digits: int = 0


class Outliner:
    """Outlines digested values under one seed."""

    def __init__(self, hashed: Hash, is_withheld: IsWithheld, meter: Meter) -> None:
        self._hashed = hashed
        self._is_withheld = is_withheld
        self._meter = meter

    def outline(self, root: Value, under: Sequence[str]) -> tuple[Place, ...]:
        """Give the place at the end of the path, and places below it; none: it leads nowhere."""
        spot: _Spot | None = self._spot("", root, None)
        for step in under:
            held = self._below(spot) if spot is not None else ()
            spot = next((below for below in held if below.step == step), None)
        return () if spot is None else tuple(self._grown(spot))

    def _grown(self, start: _Spot) -> Iterator[Place]:
        """Give places breadth first; a value within itself, and what does not fit, stays closed."""
        waiting, known, parents = deque([start]), 1, deque([0])
        number = 0
        while waiting:
            spot, parent = waiting.popleft(), parents.popleft()
            below: list[_Spot] = []
            count = min(len(spot.held), FANOUT)
            if spot.held and known + count <= MOST_PLACES and not _is_within_itself(spot):
                below = list(self._below(spot))
            is_open = bool(below) and known + len(below) <= MOST_PLACES
            if is_open:
                known += len(below)
                waiting.extend(below)
                parents.extend([number] * len(below))
            yield self._place(spot, parent, is_open=is_open)
            number += 1

    def _place(self, spot: _Spot, parent: int, *, is_open: bool) -> Place:
        return Place(
            parent=parent,
            step=spot.step,
            digest=self._digest(spot),
            kind=SLICE if spot.value is None else printable(kind_of(spot.value)),
            members=0 if spot.is_withheld else len(spot.held),
            is_open=is_open,
        )

    def _digest(self, spot: _Spot) -> str:
        if spot.value is not None:
            content = b"." + token_of(spot.value)
        else:
            content = b"/" + b"".join(sorted(self._content(place) for place in spot.held))
        digits = WITHHELD_DIGITS if spot.is_withheld else DIGITS
        return self._hashed(content).hex()[:digits]

    def _content(self, branch: Branch) -> bytes:
        place, value = branch
        return self._hashed(key_of(place) + b"=" + token_of(value))

    def _below(self, spot: _Spot) -> Iterable[_Spot]:
        if len(spot.held) > FANOUT:
            return self._slices(spot)
        return self._unique(spot)

    def _unique(self, spot: _Spot) -> Iterator[_Spot]:
        """Give the places held; of several with one name all but the first are numbered."""
        seen: dict[str, int] = {}
        for place, value in spot.held:
            name = called(place, self._hashed, self._is_withheld)
            count = seen[name.step] = seen.get(name.step, 0) + 1
            step = name.step if count == 1 else f"{name.step}~{count}"
            yield self._spot(step, value, spot, is_withheld=name.is_withheld)

    def _spot(
        self, step: str, value: Value, above: _Spot | None, *, is_withheld: bool = False
    ) -> _Spot:
        if isinstance(value, Node) and not is_withheld:  # before so much is made of it
            self._meter.spend(len(value.items) // ITEMS_PER_OPERATION)
        held = [] if is_withheld else branches(value)
        return _Spot(step=step, value=value, held=held, is_withheld=is_withheld, above=above)

    def _slices(self, spot: _Spot) -> Iterator[_Spot]:
        """Divide many places: a sequence by number, all else by the digests of the names."""
        self._meter.spend(len(spot.held))
        if all(type(place) is Index for place, _ in spot.held):
            return self._ranges(spot)
        return self._buckets(spot)

    def _ranges(self, spot: _Spot) -> Iterator[_Spot]:
        width = FANOUT
        while len(spot.held) > width * FANOUT:
            width *= FANOUT
        first = int(key_of(spot.held[0][0]))
        for start in range(0, len(spot.held), width):
            step = f"[{first + start}:{first + start + width}]"
            yield _Spot(step=step, held=spot.held[start : start + width], above=spot)

    def _buckets(self, spot: _Spot) -> Iterator[_Spot]:
        buckets: dict[str, list[Branch]] = {}
        for branch in spot.held:
            digits = name_digits(key_of(branch[0]), self._hashed)
            buckets.setdefault(digits[: spot.digits + 1], []).append(branch)
        for digits, held in sorted(buckets.items()):
            yield _Spot(step=f"[#{digits}*]", held=held, above=spot, digits=len(digits))


def _is_within_itself(spot: _Spot) -> bool:
    above = spot.above
    while above is not None:
        if above.value is spot.value and spot.value is not None:
            return True
        above = above.above
    return False
