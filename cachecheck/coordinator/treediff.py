"""Say where two values differ, by the trees of digests of both. Pure.

A tree tells a value as far as it is open; where both differ and one is not open any further, that
place is to be asked for by its path.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cachecheck.model import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.model import Tree, Twig

_SEQUENCES = frozenset({"list", "tuple"})
_INDEX = re.compile(r"\[[0-9]+(:[0-9]+)?\]")
MOST_LEVELS = 100
"""So deep in one tree is compared; values are not read deeper, and a node may say what it likes."""

MOST_ITEMS_OF_UNEQUAL = 3
"""Lists of unequal length are mostly shifted: that many items that differ are told, not more."""

Steps = tuple[str, ...]


class Difference(Value, frozen=True, kw_only=True):
    """A place at which two values differ, and how: None says that it is another value.

    ``is_whole`` says that nothing more can be told of it; else it is to be asked for.
    """

    steps: Steps
    how: str | None = None
    is_whole: bool = True


def differing(one: Tree, other: Tree, labels: tuple[str, str]) -> tuple[Difference, ...]:
    """Give the places at which two trees of one path differ; paths go on from there."""
    if not one or not other:
        return ()
    return tuple(_Pair(one, other, labels).under(0, 0, ()))


class _Pair:
    def __init__(self, one: Tree, other: Tree, labels: tuple[str, str]) -> None:
        self._trees = (one, other)
        self._labels = labels
        self._below = (_children(one), _children(other))

    def under(self, one: int, other: int, steps: Steps, within: str = "") -> Iterator[Difference]:
        """Compare two places; ``within`` is the kind of what a slice is of."""
        left, right = self._trees[0][one], self._trees[1][other]
        if left.digest == right.digest:
            return
        kind = within if left.kind == "slice" else left.kind
        if left.kind != right.kind:
            yield Difference(steps=steps, how=f"type {left.kind}/{right.kind}")
        elif not left.members or not right.members:
            yield Difference(steps=steps, how=_lengths(left, right))
        elif not (left.is_open and right.is_open) or len(steps) >= MOST_LEVELS:
            yield Difference(steps=steps, is_whole=False)
        else:
            yield from self._held(one, other, steps, kind)

    def _held(self, one: int, other: int, steps: Steps, kind: str) -> Iterator[Difference]:
        left, right = self._trees[0][one], self._trees[1][other]
        ours, theirs = self._below[0].get(one, {}), self._below[1].get(other, {})
        is_shifted = kind in _SEQUENCES and left.kind == kind and left.members != right.members
        found: list[Difference] = []
        if is_shifted or not (ours.keys() & theirs.keys()):
            found.append(Difference(steps=steps, how=_lengths(left, right)))
        if ours.keys() & theirs.keys():
            items = list(self._common(ours, theirs, steps, kind))
            found += items if not is_shifted or len(items) <= MOST_ITEMS_OF_UNEQUAL else []
            found += self._alone(ours, theirs, steps, kind)
        yield from found or [Difference(steps=steps, how="order")]

    def _common(
        self, ours: dict[str, int], theirs: dict[str, int], steps: Steps, kind: str
    ) -> Iterator[Difference]:
        for step, at in ours.items():
            if step in theirs:
                yield from self.under(at, theirs[step], (*steps, step), kind)

    def _alone(
        self, ours: dict[str, int], theirs: dict[str, int], steps: Steps, kind: str
    ) -> Iterator[Difference]:
        """Name what only one side has; items beyond the other's length are told by the length."""
        for label, held, others in (
            (self._labels[0], ours, theirs),
            (self._labels[1], theirs, ours),
        ):
            for step in held:
                if step not in others and not (kind in _SEQUENCES and _INDEX.fullmatch(step)):
                    yield Difference(steps=(*steps, step), how=f"only in {label}")


def _lengths(left: Twig, right: Twig) -> str | None:
    return None if left.members == right.members else f"length {left.members}/{right.members}"


def _children(tree: Tree) -> dict[int, dict[str, int]]:
    below: dict[int, dict[str, int]] = {}
    for number, twig in enumerate(tree[1:], 1):
        below.setdefault(twig.parent, {})[twig.step] = number
    return below
