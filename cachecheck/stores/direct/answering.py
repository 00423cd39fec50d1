"""Answer, for a store that is read directly, the requests that an agent answers."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, assert_never

from cachecheck.model import Worker
from cachecheck.stores.direct import paging, showing
from cachecheck.stores.direct.opening import open_store
from cachecheck.stores.direct.spec import address
from cachecheck.wire import (
    Canary,
    Collect,
    Describe,
    Elsewhere,
    Gather,
    Read,
    Refused,
    Survey,
    Verify,
)

if TYPE_CHECKING:
    from cachecheck.stores.base import Store
    from cachecheck.stores.direct.spec import StoreSpec
    from cachecheck.wire import AnyAnswer, AnyRequest, RefusalReason

SECONDS = 2.0


def answer(spec: StoreSpec, request: AnyRequest, *, seconds: float = SECONDS) -> AnyAnswer:
    """Open the store, do what the request asks for about ``seconds``, and close it.

    What was not finished is continued by the answer's cursor, or counted as unread. Sums and rows
    are always in the answer: nothing is kept between requests. Raises ``StoreError``, which can be
    pickled, where the store cannot be asked.
    """
    seen = showing.Seen(worker=worker_of(spec), received_at=time.time())
    if not _is_meant(request, seen.worker):
        return Elsewhere(**seen.times())
    if isinstance(request, Gather):
        return _refused("bad-request", "a store that is read directly keeps no sums", seen.worker)
    if isinstance(request, Verify):
        return _refused("not-allowed", "a store that is read directly has no truth", seen.worker)
    if isinstance(request, Canary):
        return _refused(
            "not-allowed", "a store that is read directly is not written to", seen.worker
        )
    if not isinstance(request, Describe) and (refused := _unfit(spec, request, seen.worker)):
        return refused
    with closing(open_store(spec)) as store:
        return _answered(spec, store, request, seen, paging.Until(seconds))


def _unfit(spec: StoreSpec, request: Survey | Collect | Read, worker: Worker) -> Refused | None:
    """Refuse what is asked of another cache, or of one server of several."""
    if request.cache != spec.cache:
        detail = f"this store is compared as {spec.cache!r}, not as {request.cache!r}"
        return _refused("unknown-cache", detail, worker)
    if isinstance(request, Read | Survey) and request.server is not None:
        return _refused("bad-request", "a store that is read directly is one server", worker)
    return None


def worker_of(spec: StoreSpec) -> Worker:
    """Give the worker that speaks for a store: one for each of its members."""
    where = address(spec)
    return Worker(
        id=f"store:{spec.name}:{spec.member or 'main'}",
        host=where,
        host_id=where,
        pid=0,
        started_at=0.0,
        role="store",
        parent="",
    )


def _answered(
    spec: StoreSpec,
    store: Store,
    request: Describe | Survey | Collect | Read,
    seen: showing.Seen,
    until: paging.Until,
) -> AnyAnswer:
    match request:
        case Describe():
            return showing.describe(spec, store, request, seen)
        case Survey():
            return paging.survey(spec, store, request, seen, until)
        case Collect():
            return paging.collect(spec, store, request, seen, until)
        case Read():
            return showing.read(spec, store, request, seen, until)
        case _:
            assert_never(request)


def _is_meant(request: AnyRequest, worker: Worker) -> bool:
    if isinstance(request, Describe) and worker.id in request.heard:
        return False
    return not request.audience or worker.id in request.audience


def _refused(reason: RefusalReason, detail: str, worker: Worker) -> Refused:
    return Refused(reason=reason, detail=detail, clock=time.time(), worker=worker)
