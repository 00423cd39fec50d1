"""What the agent answers to a request that holds: one function for each type of probe."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, assert_never

from cachecheck.agent import describe, read, survey
from cachecheck.agent.budget import Budget
from cachecheck.agent.caches import backend_for
from cachecheck.errors import StoreError
from cachecheck.wire import (
    Describe,
    Described,
    Elsewhere,
    Read,
    Readings,
    Refused,
    Survey,
    Surveyed,
)

if TYPE_CHECKING:
    from cachecheck.agent.conf import Conf
    from cachecheck.model import Worker
    from cachecheck.wire import AnyAnswer, AnyRequest, RefusalReason

BUSY_RETRY_SECONDS = 0.5

_surveying = Lock()


def answer(request: AnyRequest, conf: Conf, worker: Worker, received_at: float) -> AnyAnswer:
    """Do what the request asks, within the limits of ``conf``."""
    if not _is_meant(request, worker):
        return Elsewhere(worker=worker, received_at=received_at, sent_at=time.time())
    match request:
        case Describe():
            return _described(request, conf, worker, received_at)
        case Survey():
            return _surveyed(request, conf, worker, received_at)
        case Read():
            return _readings(request, conf, worker, received_at)
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
    )


def _surveyed(
    request: Survey, conf: Conf, worker: Worker, received_at: float
) -> Surveyed | Refused:
    if request.cache not in conf.caches:
        return _unknown_cache(request.cache, conf, worker)
    if not _surveying.acquire(blocking=False):
        return refusal(
            "busy",
            "this worker is on another survey",
            conf=conf,
            worker=worker,
            retry_after_seconds=BUSY_RETRY_SECONDS,
        )
    try:
        pace = Budget(conf.budget_seconds)
        summary, cursor = survey.survey(backend_for(request.cache), request, conf, pace)
    except StoreError as exc:
        return refusal("not-allowed", exc.reason, conf=conf, worker=worker)
    finally:
        _surveying.release()
    return Surveyed(
        worker=worker,
        received_at=received_at,
        sent_at=time.time(),
        summary=summary,
        cursor=cursor,
    )


def _readings(request: Read, conf: Conf, worker: Worker, received_at: float) -> Readings | Refused:
    if request.cache not in conf.caches:
        return _unknown_cache(request.cache, conf, worker)
    if len(request.keys) > conf.max_keys:
        detail = f"more than {conf.max_keys} keys in one request"
        return refusal("too-large", detail, conf=conf, worker=worker)
    try:
        pace = Budget(conf.budget_seconds)
        readings = read.read(backend_for(request.cache), request, conf, pace)
    except StoreError as exc:
        return refusal("not-allowed", exc.reason, conf=conf, worker=worker)
    return Readings(
        worker=worker,
        received_at=received_at,
        sent_at=time.time(),
        readings=readings,
        unread=len(request.keys) - len(readings),
    )


def _unknown_cache(alias: str, conf: Conf, worker: Worker) -> Refused:
    detail = f"no cache {alias!r} here; there are {', '.join(conf.caches)}"
    return refusal("unknown-cache", detail, conf=conf, worker=worker)
