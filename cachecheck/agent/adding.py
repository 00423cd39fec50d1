"""Add entries to sums in pieces so small that a slice of work stays one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cachecheck.stores.base import Pace
    from cachecheck.sums import Summer

ENTRIES_BETWEEN_PACES = 200
BYTES_BETWEEN_PACES = 256 << 10


def adder(
    summer: Summer, pace: Pace
) -> Callable[[Sequence[bytes], Sequence[bytes], Sequence[int], Sequence[int] | None], None]:
    """Give what adds a batch to ``summer``, whole: ``pace`` is called for its sleep alone."""

    def take(
        names: Sequence[bytes],
        values: Sequence[bytes],
        expiries_ms: Sequence[int],
        flags: Sequence[int] | None,
    ) -> None:
        step = _step(values)
        for start in range(0, len(names), step):
            piece = slice(start, start + step)
            these_flags = None if flags is None else flags[piece]
            summer.add(names[piece], values[piece], expiries_ms[piece], these_flags)
            pace()

    return take


def _step(values: Sequence[bytes]) -> int:
    """Say how many entries are hashed in half a millisecond or so, large values or small."""
    total_bytes = sum(map(len, values))
    by_bytes = BYTES_BETWEEN_PACES * len(values) // max(1, total_bytes)
    return max(1, min(ENTRIES_BETWEEN_PACES, by_bytes))
