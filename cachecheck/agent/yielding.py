"""Let a thread work for us without pushing the application off the processor."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def giving_way() -> Iterator[None]:
    """Have this thread preempt no other one when it wakes, as long as the block lasts.

    On Linux that is the policy SCHED_BATCH (sched(7)), which any thread may take on and give back:
    the thread waits until whoever runs sleeps or has had its time. A thread under any other policy
    than the usual one is left as it is, and so is one that may not be changed.
    """
    is_usual = _is_usual()
    if is_usual:
        _schedule(os.SCHED_BATCH)
    try:
        yield
    finally:
        if is_usual:
            _schedule(os.SCHED_OTHER)


def _is_usual() -> bool:
    if not hasattr(os, "SCHED_BATCH"):
        return False
    try:
        return os.sched_getscheduler(0) == os.SCHED_OTHER
    except OSError:
        return False


def _schedule(policy: int) -> None:
    with suppress(OSError):
        os.sched_setscheduler(0, policy, os.sched_param(0))
