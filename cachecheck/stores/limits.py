"""The limits of several servers of one cache, told as those of one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def of_all(told: Iterable[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    """Give each limit with what servers have there, each value once, in an order of its own.

    The order of the servers says nothing: elsewhere they may stand in another.
    """
    found: dict[str, set[str]] = {}
    for limits in told:
        for name, value in limits.items():
            found.setdefault(name, set()).add(value)
    return tuple((name, ", ".join(sorted(found[name], key=_magnitude))) for name in sorted(found))


def _magnitude(value: str) -> tuple[int, str]:
    return len(value), value
