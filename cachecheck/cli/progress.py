"""Progress on standard error, where that is a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cachecheck.coordinator.progress import Silent
from cachecheck.escaping import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as RichProgress
    from rich.progress import ProgressColumn, Task, TaskID

    from cachecheck.coordinator.progress import Note, Progress


@contextmanager
def shown(*, is_wanted: bool) -> Iterator[Progress]:
    """Show progress for as long as the context lasts."""
    if not (is_wanted and sys.stderr.isatty()):
        yield Silent()
        return
    from rich.console import Console  # noqa: PLC0415  only for terminals
    from rich.progress import Progress as RichProgress  # noqa: PLC0415

    with RichProgress(*_columns(), console=Console(stderr=True), transient=True) as bars:
        yield _Bars(bars)


def words(task: Task) -> str:
    """Say how far a task is: keys done of keys known, and how many a second."""
    done = f"{task.completed:,.0f}"
    total = "" if task.total is None else f" of {task.total:,.0f}"
    if not task.fields.get("is_store"):
        return f"{done}{total}"
    speed = task.finished_speed or task.speed
    return f"{done}{total} keys" + (f", {speed:,.0f} a second" if speed else "")


def _columns() -> tuple[ProgressColumn, ...]:
    from rich import progress  # noqa: PLC0415  only for terminals
    from rich.text import Text  # noqa: PLC0415

    class Words(progress.ProgressColumn):
        """How far a task is, in words."""

        def render(self, task: Task) -> Text:
            return Text(words(task), style="progress.remaining")

    return (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=24),
        Words(),
        progress.TimeRemainingColumn(compact=True),
    )


class _Bars:
    """One bar for the stage that the run is in, and one for each store that is walked in it.

    Their names hold those of caches, which nodes supply.
    """

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._tasks: list[TaskID] = []

    def stage(self, name: str, total: int | None) -> None:
        for task in self._tasks:
            self._bars.remove_task(task)
        self._tasks = [self._bars.add_task(clean(name), total=total)]

    def advance(self, count: int = 1) -> None:
        if self._tasks:
            self._bars.advance(self._tasks[0], count)

    def track(self, name: str, total: int | None) -> Note:
        task = self._bars.add_task(f"  {clean(name)}", total=total, is_store=True)
        self._tasks.append(task)
        return lambda count: self._note(task, count)

    def _note(self, task: TaskID, count: int) -> None:
        if task in self._tasks:  # a store may be done after the stage was
            self._bars.advance(task, count)
