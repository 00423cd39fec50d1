"""What the agent answers to a request that holds: one function for each type of probe."""

from __future__ import annotations

import logging
import time
from threading import BoundedSemaphore, Lock
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

log = logging.getLogger("cachecheck.agent")

BUSY_RETRY_SECONDS = 0.5
READS_AT_ONCE = 2

_surveying = Lock()
_reading = BoundedSemaphore(READS_AT_ONCE)


def answer(request: AnyRequest, conf: Conf, worker: Worker, received_at: float) -> AnyAnswer:
    """Do what the request asks, within the limits of ``conf``.

    What the site's own code raises, a key function say, is refused, and told by its type alone.
    """
    if not _is_meant(request, worker):
        return Elsewhere(worker=worker, received_at=received_at, sent_at=time.time())
    try:
        return _answered(request, conf, worker, received_at)
    except Exception as exc:  # noqa: BLE001  the boundary to code of the site's own
        kind = type(request).__name__.lower()
        log.warning("a probe (%s) met an error of the site: %s", kind, type(exc).__name__)
        detail = f"{type(exc).__name__} while looking at the cache"
        return refusal("not-allowed", detail, conf=conf, worker=worker)


def _answered(request: AnyRequest, conf: Conf, worker: Worker, received_at: float) -> AnyAnswer:
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
        return _busy("this worker is on another survey", conf, worker)
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
    if not _reading.acquire(blocking=False):
        return _busy(f"this worker is on {READS_AT_ONCE} other readings", conf, worker)
    try:
        pace = Budget(conf.budget_seconds)
        readings = read.read(backend_for(request.cache), request, conf, pace)
    except StoreError as exc:
        return refusal("not-allowed", exc.reason, conf=conf, worker=worker)
    finally:
        _reading.release()
    return Readings(
        worker=worker,
        received_at=received_at,
        sent_at=time.time(),
        readings=readings,
        unread=len(request.keys) - len(readings),
    )


def _busy(detail: str, conf: Conf, worker: Worker) -> Refused:
    return refusal("busy", detail, conf=conf, worker=worker, retry_after_seconds=BUSY_RETRY_SECONDS)


def _unknown_cache(alias: str, conf: Conf, worker: Worker) -> Refused:
    detail = f"no cache {alias!r} here; there are {', '.join(conf.caches)}"
    return refusal("unknown-cache", detail, conf=conf, worker=worker)
