"""Ask stores that the coordinator reads by itself, in the messages that nodes are asked in.

What is quick (who are you, a sample, some keys) runs in a thread of its own. What reads every key
runs where the run was told to: in threads, in processes, or on the machines of a Dask cluster.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from cachecheck.coordinator.executors import shares_hashes
from cachecheck.coordinator.outcomes import Answered, NoAnswer, told
from cachecheck.errors import StoreDenied, StoreError, StoreUnreachable
from cachecheck.rules.observations import Clock
from cachecheck.stores.direct import answer, members
from cachecheck.wire import Collect, Refused, Survey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from concurrent.futures import Executor

    from cachecheck.coordinator.deadline import Deadline
    from cachecheck.coordinator.outcomes import Outcome
    from cachecheck.model import NodeState
    from cachecheck.stores.direct import StoreSpec
    from cachecheck.wire import AnyAnswer, AnyRequest

T = TypeVar("T")
Group = TypeVar("Group")

log = logging.getLogger("cachecheck.coordinator")

SLICE_SECONDS = 2.0  # of work for one page
GRACE_SECONDS = 3.0  # beyond the slice and the store's own time-out
PAUSES_SECONDS = (0.1, 0.4)

OUR_CLOCK = Clock(offset_seconds=0.0, uncertainty_seconds=0.0, rtt_seconds=0.0)


class Stores:
    """The stores of a run that are read directly, at most ``concurrency`` of them at once.

    ``timeout_seconds`` bounds each request to a store; ``heavy`` is where every key is read, None:
    in a thread as well. One thread is asked for one thing, so that one that hangs in the system's
    resolver stops nobody, and not the end of the program either.
    """

    def __init__(
        self,
        *,
        timeout_seconds: float,
        concurrency: int,
        deadline: Deadline,
        heavy: Executor | None = None,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._deadline = deadline
        self._slots = asyncio.Semaphore(concurrency)
        self._heavy = heavy
        self.shares_hashes = shares_hashes(heavy)

    async def members(self, spec: StoreSpec) -> tuple[StoreSpec, ...] | NoAnswer:
        """Find the store and each of its replicas, or say why that cannot be."""
        return await self._patiently(spec, lambda: self._members_once(spec))

    async def ask(self, spec: StoreSpec, request: AnyRequest) -> Outcome:
        """Ask a store, again where it could not be reached."""
        return await self._patiently(spec, lambda: self.ask_once(spec, request))

    async def _patiently(self, spec: StoreSpec, once: Callable[[], Awaitable[T]]) -> T:
        """Try several times, unless the first of them have taken their time."""
        started = time.monotonic()
        for pause_seconds in PAUSES_SECONDS:
            found = await once()
            if not (isinstance(found, NoAnswer) and found.is_worth_retrying):
                return found
            log.debug("%s: %s", spec.name, told(found))
            has_taken = time.monotonic() - started + pause_seconds
            if has_taken > min(self._timeout_seconds, self._deadline.remaining_seconds):
                return found
            await asyncio.sleep(pause_seconds)
        return await once()

    async def _members_once(self, spec: StoreSpec) -> tuple[StoreSpec, ...] | NoAnswer:
        try:
            return await self._run_in_thread(members, self._timed(spec))
        except StoreError as exc:
            return no_answer(exc)

    async def ask_once(self, spec: StoreSpec, request: AnyRequest) -> Outcome:
        """Ask a store once."""
        seconds = min(SLICE_SECONDS, self._deadline.remaining_seconds)
        if seconds <= 0:
            return NoAnswer(state="unreachable", detail="the run's deadline had passed")
        run = self._run_in_thread
        if self._heavy is not None and is_heavy(request):
            run = self._run_in_pool
        try:
            found = await run(answer_in_time, self._timed(spec), request, seconds)
        except StoreError as exc:
            return no_answer(exc)
        if isinstance(found, Refused):
            return NoAnswer(state="failed", detail=f"refused as {found.reason}: {found.detail}")
        return Answered(answer=found, clock=OUR_CLOCK, answer_bytes=0)

    def _timed(self, spec: StoreSpec) -> StoreSpec:
        return msgspec.structs.replace(spec, timeout_seconds=self._timeout_seconds)

    async def _run_in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run work in a thread; what does not come back in time is given up."""
        async with self._slots:
            patience = SLICE_SECONDS + self._timeout_seconds + GRACE_SECONDS
            seconds = min(patience, self._deadline.remaining_seconds)
            with _translated():
                return await _in_time(in_a_thread(work, *arguments), seconds)

    async def _run_in_pool(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run work where the heavy work is done; how long it waits there is no fault of it."""
        if self._heavy is None:
            raise AssertionError("there is no such pool")
        try:
            with _translated():
                future = self._heavy.submit(work, *arguments)
                return await _in_time(future, self._deadline.remaining_seconds)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise StoreError("where it was read, the work was given up") from None


class DirectNode:
    """One store as the prober asks it: a node of one worker that nothing stands before."""

    is_direct = True

    def __init__(self, stores: Stores, spec: StoreSpec) -> None:
        self.shares_hashes = stores.shares_hashes
        self._stores = stores
        self._spec = spec

    async def ask(
        self,
        wanted: Mapping[Group, frozenset[str]],
        request_for: Callable[[tuple[str, ...]], AnyRequest],
    ) -> dict[Group, Outcome]:
        """Ask for each group; whoever stands for it, it is this store."""
        outcome = await self._stores.ask(self._spec, request_for(()))
        if isinstance(outcome, NoAnswer) and not outcome.is_worth_retrying:
            # a refusal of the store's own, as a worker would give it
            outcome = msgspec.structs.replace(outcome, worker=self._spec.name)
        return dict.fromkeys(wanted, outcome)


@contextmanager
def _translated() -> Iterator[None]:
    """Have whatever fails over one store cost that store only."""
    try:
        yield
    except StoreError:
        raise
    except Exception as exc:
        log.warning("the work on a store failed where it was done", exc_info=exc)
        raise StoreError(f"the work failed where it was done: {type(exc).__name__}") from exc


async def _in_time(future: Future[T], seconds: float) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.wrap_future(future)
    except TimeoutError as exc:
        raise StoreUnreachable(f"timed out: no answer within {seconds:.1f} s") from exc


def in_a_thread(work: Callable[..., T], *arguments: Any) -> Future[T]:
    """Run work in a thread of its own, for which the end of the program does not wait."""
    future: Future[T] = Future()

    def fulfil() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(work(*arguments))
        except Exception as exc:  # noqa: BLE001  it is raised again where the result is awaited
            future.set_exception(exc)

    threading.Thread(target=fulfil, name="cachecheck-store", daemon=True).start()
    return future


def answer_in_time(spec: StoreSpec, request: AnyRequest, seconds: float) -> AnyAnswer:
    """Answer in whichever thread, process or machine this is, which finds it by its name."""
    return answer(spec, request, seconds=seconds)


def is_heavy(request: AnyRequest) -> bool:
    """Whether a request reads so much that it is worth a process of its own."""
    return isinstance(request, Collect) or (
        isinstance(request, Survey) and request.summing is not None
    )


def no_answer(exc: StoreError) -> NoAnswer:
    """Turn what a store did not do into an outcome."""
    is_lost = isinstance(exc, StoreUnreachable)
    state: NodeState = "unreachable" if is_lost else "failed"
    if isinstance(exc, StoreDenied):
        state = "rejected"
    return NoAnswer(state=state, detail=exc.reason, is_worth_retrying=is_lost)
