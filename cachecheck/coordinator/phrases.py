"""How many and which, in the words of a report. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sized

_NAMES_SHOWN = 3


def keys_of(examined: Sized) -> str:
    """Count keys that were examined."""
    return "1 key" if len(examined) == 1 else f"{len(examined)} keys"


def entries_of(count: int) -> str:
    """Count entries."""
    return "1 entry" if count == 1 else f"{count} entries"


def some(names: list[str]) -> str:
    """Name the first few, and count the others."""
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
