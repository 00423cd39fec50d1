"""Splitting what is read into runs, so that the values in memory at once stay few."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

RUN_BYTES = 4 << 20


def by_weight(weighed: Iterable[tuple[T, int]], limit: int = RUN_BYTES) -> Iterator[list[T]]:
    """Split into runs whose weights together stay within the limit, or stand alone."""
    run: list[T] = []
    weight = 0
    for item, own in weighed:
        if run and weight + own > limit:
            yield run
            run, weight = [], 0
        run.append(item)
        weight += own
    if run:
        yield run
