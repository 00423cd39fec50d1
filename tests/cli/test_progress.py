"""Progress shows what nodes call their caches, and nothing that they say rules the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cachecheck.cli import progress

if TYPE_CHECKING:
    import pytest


class Terminal:
    """Standard error as a terminal."""

    def __init__(self) -> None:
        self.written = ""

    def write(self, text: str) -> int:
        self.written += text
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        return True


def test_the_name_of_a_cache_is_neither_markup_nor_a_command_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress.shown(is_wanted=True) as bars:
        bars.stage("Comparing [/nope]", 3)
        bars.track("web\x1b]0;owned\x07", 5)
    assert "[/nope]" in terminal.written
    assert "\x1b]0;" not in terminal.written
