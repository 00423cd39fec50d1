"""Ctrl-C, SIGTERM and a closed terminal as one exception, and never amid what must be whole."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

_ASKING_TO_END = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end; ``number`` says which."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


class Signals:
    """While entered, the first signal that asks to end raises ``Interrupted``; later ones wait.

    Later ones would only disturb the clean-up, which takes seconds. What is ignored (``nohup``)
    stays ignored.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._is_held = False
        self._pending: int | None = None
        self._has_raised = False

    def __enter__(self) -> Self:
        for name in _ASKING_TO_END:
            number = getattr(signal, name)
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let signals wait until the block is through: a process is started and noted, or not."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        if self._pending is not None:
            self._raise(self._pending)

    def _take(self, number: int, _frame: object) -> None:
        if self._is_held:
            self._pending = number
        else:
            self._raise(number)

    def _raise(self, number: int) -> None:
        if not self._has_raised:
            self._has_raised = True
            raise Interrupted(number)
