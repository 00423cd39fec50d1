"""What a run tells of its progress, for whoever wants to show it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of stages as they begin, and of what is done in them."""

    def stage(self, name: str, total: int | None) -> None:
        """Begin a stage; ``total`` is what it has to do, where that is known."""
        ...

    def advance(self, count: int = 1) -> None:
        """Count what more of the stage is done."""
        ...


class Silent:
    """Progress that nobody sees."""

    def stage(self, name: str, total: int | None) -> None:
        """Do nothing."""

    def advance(self, count: int = 1) -> None:
        """Do nothing."""
