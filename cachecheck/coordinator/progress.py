"""What a run tells of its progress, for whoever wants to show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

Note: TypeAlias = Callable[[int], None]
"""Told of keys as they are done; a negative number takes some back, which are begun anew."""


class Progress(Protocol):
    """Told of stages as they begin, and of what is done in them."""

    def stage(self, name: str, total: int | None) -> None:
        """Begin a stage; ``total`` is what it has to do, where that is known."""
        ...

    def advance(self, count: int = 1) -> None:
        """Count what more of the stage is done."""
        ...

    def track(self, name: str, total: int | None) -> Note:
        """Follow the keys of one store for as long as the stage lasts; ``total`` None: unknown."""
        ...


class Silent:
    """Progress that nobody sees."""

    def stage(self, name: str, total: int | None) -> None:
        """Do nothing."""

    def advance(self, count: int = 1) -> None:
        """Do nothing."""

    def track(self, name: str, total: int | None) -> Note:
        """Do nothing."""
        del name, total
        return lambda _count: None
