"""Which views are meant to share a store, and which pairs of them are tried. Pure."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cachecheck.coordinator.views import SeenView

MOST_PAIRS = 2_500

Circle: TypeAlias = "tuple[SeenView, ...]"
Pair: TypeAlias = "tuple[SeenView, SeenView]"


def by_cache(views: Iterable[SeenView]) -> tuple[tuple[SeenView, ...], ...]:
    """Put the views of one alias and application together that a canary can be let out on.

    Stores that are read directly are never written to. A cache that is declared to keep nothing,
    and does, needs no proof of it.
    """
    groups: dict[tuple[str, str], list[SeenView]] = {}
    for seen in views:
        is_nothing_meant = seen.cache.kind == "dummy" and seen.cache.declared_scope == "none"
        if not seen.is_direct and not is_nothing_meant:
            groups.setdefault((seen.view.cache, seen.application), []).append(seen)
    return tuple(tuple(members) for members in groups.values())


def circles(views: Sequence[SeenView]) -> tuple[Circle, ...]:
    """Divide the views of one cache into those that are meant to share a store.

    A declaration counts where all declare the same; without one, all are meant to share.
    """
    declared = {seen.cache.declared_scope for seen in views}
    groups: dict[str, list[SeenView]] = {}
    for seen in views:
        by = {"worker": seen.worker_id, "host": seen.host_id} if len(declared) == 1 else {}
        groups.setdefault(by.get(seen.cache.declared_scope or "", ""), []).append(seen)
    return tuple(tuple(members) for members in groups.values())


def count_pairs(found: Iterable[Circle]) -> int:
    """Count the ordered pairs of two views that are meant to share a store."""
    return sum(len(circle) * (len(circle) - 1) for circle in found)


def choose_pairs(found: Sequence[Circle], seed: str, most: int = MOST_PAIRS) -> tuple[Pair, ...]:
    """Choose about ``most`` ordered pairs of two views, or all of them where they are no more.

    In each circle every view writes for as many others as it reads from. Which these are is random,
    and the same for the same seed.
    """
    chance = random.Random(seed)  # noqa: S311  which pairs are tried is no secret
    views = sum(map(len, found))
    readers = most // max(1, views) if count_pairs(found) > most else views
    return tuple(pair for circle in found for pair in _chosen(circle, max(1, readers), chance))


def _chosen(circle: Circle, readers: int, chance: random.Random) -> Iterable[Pair]:
    order = list(circle)
    chance.shuffle(order)
    distances = list(range(1, len(order)))
    for distance in chance.sample(distances, min(readers, len(distances))):
        yield from zip(order, order[distance:] + order[:distance], strict=True)
