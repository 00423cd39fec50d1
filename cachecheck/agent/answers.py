"""What the agent answers to a request that holds: one function for each type of probe."""

from __future__ import annotations

import logging
import os
import time
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, assert_never

from cachecheck.agent import builders, canary, collect, describe, read, survey, verify
from cachecheck.agent.budget import Budget
from cachecheck.agent.caches import backend_for, cache_for
from cachecheck.agent.demands import Unmet, demand_collect, demand_survey
from cachecheck.agent.holding import Holdings, Outcome
from cachecheck.agent.truth import Allowance
from cachecheck.agent.yielding import giving_way
from cachecheck.errors import StoreError
from cachecheck.sums import Summer
from cachecheck.wire import (
    MAX_TREES,
    Canaried,
    Canary,
    Collect,
    Collected,
    Describe,
    Described,
    Elsewhere,
    Gather,
    Gathered,
    Read,
    Readings,
    Refused,
    Survey,
    Surveyed,
    Verified,
    Verify,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.agent.conf import Conf
    from cachecheck.model import Worker
    from cachecheck.stores.base import Pace
    from cachecheck.survey import Summary
    from cachecheck.wire import AnyRequest, OneAnswer, RefusalReason

log = logging.getLogger("cachecheck.agent")

BUSY_RETRY_SECONDS = 0.5
READS_AT_ONCE = 2
MOVES_AT_ONCE = 8


class _Turns:
    """Who may work at once in this process."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew, also after a fork: threads of the parent that had a turn give none back."""
        self.surveying = Lock()
        self.reading = BoundedSemaphore(READS_AT_ONCE)
        self.moving = BoundedSemaphore(MOVES_AT_ONCE)
        self.verifying = Lock()


_turns = _Turns()
_holdings = Holdings()
_allowance = Allowance()

if hasattr(os, "register_at_fork"):
    for _kept in (_turns, _holdings, _allowance):
        os.register_at_fork(after_in_child=_kept.reset)


def answer(request: AnyRequest, conf: Conf, worker: Worker, received_at: float) -> OneAnswer:
    """Do what the request asks, within the limits of ``conf``.

    What the site's own code raises, a key function say, is refused, and told by its type alone.
    """
    if not _is_meant(request, worker):
        return Elsewhere(worker=worker, received_at=received_at, sent_at=time.time())
    try:
        with giving_way():
            return _answered(request, conf, worker, received_at)
    except Unmet as exc:
        retry_seconds = BUSY_RETRY_SECONDS if exc.reason == "busy" else None
        return refusal(
            exc.reason, exc.detail, conf=conf, worker=worker, retry_after_seconds=retry_seconds
        )
    except StoreError as exc:
        return refusal("not-allowed", exc.reason, conf=conf, worker=worker)
    except Exception as exc:  # noqa: BLE001  the boundary to code of the site's own
        kind = type(request).__name__.lower()
        log.warning("a probe (%s) met an error of the site: %s", kind, type(exc).__name__)
        detail = f"{type(exc).__name__} while looking at the cache"
        return refusal("not-allowed", detail, conf=conf, worker=worker)


def _answered(  # noqa: PLR0911  one for each type of request
    request: AnyRequest, conf: Conf, worker: Worker, received_at: float
) -> OneAnswer:
    match request:
        case Describe():
            return _described(request, conf, worker, received_at)
        case Survey():
            return _surveyed(request, conf, worker, received_at)
        case Gather():
            return _gathered(request, conf, worker, received_at)
        case Collect():
            return _collected(request, conf, worker, received_at)
        case Read():
            return _readings(request, conf, worker, received_at)
        case Canary():
            return _canaried(request, conf, worker, received_at)
        case Verify():
            return _verified(request, conf, worker, received_at)
        case _:
            assert_never(request)


def refusal(
    reason: RefusalReason,
    detail: str,
    *,
    conf: Conf,
    worker: Worker | None = None,
    retry_after_seconds: float | None = None,
) -> Refused:
    """Refuse with a reason that the coordinator can show, and this node's clock."""
    return Refused(
        reason=reason,
        detail=detail,
        clock=time.time(),
        retry_after_seconds=retry_after_seconds,
        node=conf.node,
        worker=worker,
    )


def _is_meant(request: AnyRequest, worker: Worker) -> bool:
    if isinstance(request, Describe) and worker.id in request.heard:
        return False
    return not request.audience or worker.id in request.audience


def _described(request: Describe, conf: Conf, worker: Worker, received_at: float) -> Described:
    expected, expected_by = describe.expected_workers(conf)
    caches = describe.describe_caches(conf, request.probe_keys)
    return Described(
        worker=worker,
        received_at=received_at,
        sent_at=time.time(),
        node=conf.node,
        application=conf.application,
        release=conf.release,
        versions=describe.versions(),
        workers_expected=expected,
        expected_by=expected_by,
        caches=caches,
        builders=builders.call(conf, request.run),
        truths=tuple(truth.glob for truth in conf.truths),
    )


def _surveyed(request: Survey, conf: Conf, worker: Worker, received_at: float) -> Surveyed:
    _demand_cache(request.cache, conf)
    demand_survey(request, conf)
    with _in_turn(_turns.surveying, "this worker is on another survey"):
        page = _page(request, conf, Budget(conf.budget_seconds))
    return Surveyed(
        worker=worker,
        received_at=received_at,
        sent_at=time.time(),
        summary=page.summary,
        cursor=page.cursor,
        sums=page.sums,
    )


def _page(request: Survey, conf: Conf, pace: Pace) -> Outcome:
    backend = backend_for(request.cache)
    if request.summing is None:
        return Outcome(*survey.survey(backend, request, conf, pace))

    def add(summer: Summer) -> tuple[Summary, str | None]:
        return survey.add_page(backend, request, conf, pace, summer)

    if request.page is not None:
        return _holdings.add_page(request.page, request, request.summing, add)
    summer = Summer(bytes.fromhex(request.seed), request.summing)
    return Outcome(*add(summer), sums=summer.sums())


def _gathered(request: Gather, conf: Conf, worker: Worker, received_at: float) -> Gathered:
    _demand_cache(request.cache, conf)
    kept = _holdings.gather(request.run, request.cache)
    sums = None if kept is None else kept.summer.sums()
    return Gathered(
        worker=worker,
        received_at=received_at,
        sent_at=time.time(),
        sums=sums,
        pages=() if kept is None else kept.pages,
    )


def _collected(request: Collect, conf: Conf, worker: Worker, received_at: float) -> Collected:
    _demand_cache(request.cache, conf)
    demand_collect(request)
    with _in_turn(_turns.surveying, "this worker is on another survey"):
        pace = Budget(conf.budget_seconds)
        listed, scanned, cursor = collect.collect(backend_for(request.cache), request, conf, pace)
    return Collected(
        worker=worker,
        received_at=received_at,
        sent_at=time.time(),
        listed=listed,
        scanned=scanned,
        cursor=cursor,
    )


def _readings(request: Read, conf: Conf, worker: Worker, received_at: float) -> Readings:
    _demand_cache(request.cache, conf)
    if len(request.keys) > conf.max_keys:
        raise Unmet("too-large", f"more than {conf.max_keys} keys in one request")
    if request.is_detailed and len(request.keys) > MAX_TREES:
        raise Unmet("too-large", f"trees or texts of more than {MAX_TREES} values in one request")
    with _in_turn(_turns.reading, f"this worker is on {READS_AT_ONCE} other readings"):
        pace = Budget(conf.budget_seconds)
        readings = read.read(backend_for(request.cache), request, conf, pace)
    return Readings(
        worker=worker,
        received_at=received_at,
        sent_at=time.time(),
        readings=readings,
        unread=len(request.keys) - len(readings),
    )


def _canaried(request: Canary, conf: Conf, worker: Worker, received_at: float) -> Canaried:
    _demand_cache(request.cache, conf)
    canary.demand_canary(request, conf)
    with _in_turn(_turns.moving, f"this worker is on {MOVES_AT_ONCE} other moves of canaries"):
        pace = Budget(conf.budget_seconds)
        cache = cache_for(request.cache)
        results, undone = canary.make_move(cache, request, worker.id, conf, pace)
    return Canaried(
        worker=worker,
        received_at=received_at,
        sent_at=time.time(),
        results=results,
        undone=undone,
    )


def _verified(request: Verify, conf: Conf, worker: Worker, received_at: float) -> Verified:
    _demand_cache(request.cache, conf)
    with _in_turn(_turns.verifying, "this worker is on other keys and their source of truth"):
        pace, backend = Budget(conf.budget_seconds), backend_for(request.cache)
        checks, is_spent = verify.verify(backend, request, conf, _allowance, pace)
    return Verified(
        worker=worker,
        received_at=received_at,
        sent_at=time.time(),
        checks=checks,
        unread=len(request.keys) - len(checks),
        is_spent=is_spent,
    )


def _demand_cache(alias: str, conf: Conf) -> None:
    if alias not in conf.caches:
        detail = f"no cache {alias!r} here; there are {', '.join(conf.caches)}"
        raise Unmet("unknown-cache", detail)


@contextmanager
def _in_turn(turns: Lock | BoundedSemaphore, taken: str) -> Iterator[None]:
    """Take a turn and give it back; raises ``Unmet`` where none is free."""
    if not turns.acquire(blocking=False):
        raise Unmet("busy", taken)
    try:
        yield
    finally:
        turns.release()
