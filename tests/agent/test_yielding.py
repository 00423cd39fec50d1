"""A thread that works for us gives way to the application's, and only then."""

from __future__ import annotations

import os
import threading
import time

import pytest
from django.test import override_settings

from cachecheck.agent import answers, conf
from cachecheck.agent.worker import this_worker
from cachecheck.agent.yielding import giving_way
from cachecheck.model import Key
from cachecheck.wire import Read, Readings

pytestmark = pytest.mark.skipif(
    not hasattr(os, "SCHED_BATCH"), reason="this system has no policies of scheduling"
)

seen: list[int] = []


def policy() -> int:
    return os.sched_getscheduler(0)


def noting_key(key: str, prefix: str, version: int) -> str:
    """Make keys as Django does, and note how the thread is scheduled in which it is called."""
    seen.append(policy())
    return f"{prefix}:{version}:{key}"


def test_a_thread_preempts_nobody_within_the_block_and_is_as_before_after_it() -> None:
    before = policy()
    with giving_way():
        assert policy() == os.SCHED_BATCH
    assert policy() == before == os.SCHED_OTHER
    with pytest.raises(LookupError), giving_way():
        raise LookupError
    assert policy() == os.SCHED_OTHER


def test_other_threads_of_the_process_are_left_as_they_are() -> None:
    found: list[int] = []
    other = threading.Thread(target=lambda: found.append(policy()))
    started, ended = threading.Event(), threading.Event()

    def stand() -> None:
        started.set()
        ended.wait()
        found.append(policy())

    standing = threading.Thread(target=stand)
    standing.start()
    started.wait()
    with giving_way():
        ended.set()
        standing.join()
    other.start()
    other.join()
    assert found == [os.SCHED_OTHER] * 2


def test_a_policy_that_somebody_chose_is_kept() -> None:
    def look(found: list[int]) -> None:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        with giving_way():
            found.append(policy())
        found.append(policy())

    found: list[int] = []
    thread = threading.Thread(target=look, args=(found,))  # a policy is a thread's own
    thread.start()
    thread.join()
    assert found == [os.SCHED_IDLE] * 2


def test_where_it_may_not_be_changed_the_work_is_done_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def denied(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", denied)
    with giving_way():
        assert policy() == os.SCHED_OTHER
    monkeypatch.setattr(os, "sched_getscheduler", denied)
    with giving_way():
        seen.clear()


def test_a_probe_is_answered_so() -> None:
    site = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "LOCATION": "yielding",
            "KEY_FUNCTION": noting_key,
        }
    }
    request = Read(run="r", cache="default", seed="00" * 16, keys=(Key(name="k"),))
    seen.clear()
    with override_settings(CACHES=site, CACHECHECK={"SECRET": "s" * 40}):
        found = answers.answer(request, conf.load(), this_worker(), time.time())
    assert isinstance(found, Readings)
    assert os.SCHED_BATCH in seen
    assert policy() == os.SCHED_OTHER
