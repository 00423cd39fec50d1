"""A probe's work is done in short slices, each followed by a sleep of at least as long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cachecheck.agent.budget import SLICE_SECONDS, WALL_FACTOR, Budget

if TYPE_CHECKING:
    import pytest


def work(seconds: float) -> None:
    """Use the processor for that long."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


class Meter:
    """Measures what this thread worked and how long it took in all."""

    def __init__(self) -> None:
        self._worked, self._passed = time.thread_time(), time.monotonic()

    @property
    def worked(self) -> float:
        return time.thread_time() - self._worked

    @property
    def slept(self) -> float:
        return time.monotonic() - self._passed - self.worked


def test_it_sleeps_at_least_as_long_as_it_worked() -> None:
    budget, meter = Budget(0.05), Meter()
    while budget():
        work(SLICE_SECONDS / 2)
    assert meter.slept >= budget.spent_seconds
    assert budget.spent_seconds >= 0.05


def test_it_does_not_sleep_before_a_slice_is_used_up() -> None:
    budget, passed = Budget(1.0), time.monotonic()
    for _ in range(50):
        assert budget()
    assert budget.spent_seconds <= SLICE_SECONDS * 2
    assert time.monotonic() - passed < 0.5


def test_it_stops_once_its_work_is_spent_and_stays_stopped() -> None:
    budget, meter = Budget(0.01), Meter()
    while budget():
        work(SLICE_SECONDS)
    assert 0.01 <= meter.worked < 0.1
    assert not budget()
    assert not budget()


def test_a_slow_store_ends_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = Budget(0.05)
    later = time.monotonic() + 0.05 * WALL_FACTOR
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert not budget()


def test_one_long_piece_is_slept_off_whole() -> None:
    budget = Budget(1.0)
    work(0.03)
    passed = time.monotonic()
    assert budget()
    assert time.monotonic() - passed >= 0.03
    assert budget.spent_seconds >= 0.03
