"""One run, from a fleet to a report: describe, map stores, choose keys, read, compare, confirm."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Literal

import msgspec

from cachecheck.coordinator.audit import Ledger, State
from cachecheck.coordinator.choosing import chosen_aliases, restricted
from cachecheck.coordinator.comparing import Work, compare_entries
from cachecheck.coordinator.contents import heads_in_use
from cachecheck.coordinator.deadline import Deadline
from cachecheck.coordinator.describing import describe_targets
from cachecheck.coordinator.detail import Detail, read_in_detail
from cachecheck.coordinator.direct import Stores
from cachecheck.coordinator.entries import Entries
from cachecheck.coordinator.fleet import Target
from cachecheck.coordinator.mapping import map_all, probe_keys
from cachecheck.coordinator.probing import Prober, Rate
from cachecheck.coordinator.restarts import look_for_restarts
from cachecheck.coordinator.second_look import look_again, suspects
from cachecheck.coordinator.views import cohorts, seen_views
from cachecheck.coordinator.voiding import ended_workers, without
from cachecheck.coordinator.window import between
from cachecheck.digest import new_seed
from cachecheck.model import Value
from cachecheck.rules.observations import Fleet, ReplicaOutcome, StoreMap
from cachecheck.rules.trials import Trial
from cachecheck.wire import Describe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor

    from cachecheck.coordinator.client import Client
    from cachecheck.coordinator.describing import Heard
    from cachecheck.coordinator.fleet import AnyTarget
    from cachecheck.coordinator.options import Options
    from cachecheck.coordinator.progress import Progress


Reads = Literal["nothing", "witnesses", "entries"]


class Observed(Value, frozen=True, kw_only=True):
    """All that a run saw; ``started_at`` and ``ended_at`` are in the coordinator's clock.

    ``heads_in_use`` are the namespaces of all aliases, also of those that were not looked at.
    """

    run: str
    started_at: float
    ended_at: float
    fleet: Fleet
    aliases: tuple[str, ...]
    stores: tuple[StoreMap, ...]
    entries: tuple[Entries, ...]
    details: tuple[Detail, ...] = ()
    heads_in_use: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    is_out_of_time: bool = False
    reads_entries: bool = True
    maps_stores: bool = True

    @property
    def replicas(self) -> tuple[ReplicaOutcome, ...]:
        """What was found of servers that only reads go to."""
        return _replicas(self.entries)


async def observe(  # noqa: PLR0913  each is another side of the run
    targets: Sequence[AnyTarget],
    options: Options,
    progress: Progress,
    *,
    reads: Reads = "entries",
    ledger: Ledger | None = None,
    heavy: Executor | None = None,
) -> Observed:
    """Observe the fleet within the deadline; what could not be seen is part of the result.

    Who is there, and what they say of their caches; then, as far as ``reads`` allows, witnesses of
    who shares a store; then all that is to be compared. ``ledger`` is of a run that goes on where
    it was interrupted. ``heavy`` is where stores that are read directly are read whole; None: in
    threads. Raises ``UsageError`` where an alias is asked for that no node has.
    """
    ledger = ledger or new_ledger(time.time())
    deadline = Deadline(options.deadline)
    request = Describe(run=ledger.state.run, probe_keys=probe_keys(ledger.state.run))
    webs = tuple(target for target in targets if isinstance(target, Target))
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(_client(options)) if webs else None
        progress.stage("Asking nodes who is there", len(targets))
        stores = _stores(options, deadline, heavy)
        heard = await describe_targets(targets, client, stores, request, progress)
        prober = _prober(heard, ledger, options, deadline)
        looking = _Looking(prober, request, ledger, options, progress)
        fleet, first_look = _fleet(heard), time.monotonic()
        observed = await looking.look(fleet, reads)
        if client is not None and reads == "entries":
            observed = await _with_restarts(observed, client, webs, request, prober)
            if options.window is not None:
                wait_seconds = first_look + options.window - time.monotonic()
                await _pause(min(wait_seconds, deadline.remaining_seconds), progress)
                again = await describe_targets(webs, client, stores, request, progress)
                fleet = between(observed.fleet, _fleet(again))
                observed = msgspec.structs.replace(observed, fleet=fleet)
    return msgspec.structs.replace(
        observed, ended_at=time.time(), is_out_of_time=not deadline.remaining_seconds
    )


class _Looking:
    """Looks at a fleet that was heard: who shares what, and whether entries agree."""

    def __init__(
        self,
        prober: Prober,
        request: Describe,
        ledger: Ledger,
        options: Options,
        progress: Progress,
    ) -> None:
        self._prober = prober
        self._request = request
        self._ledger = ledger
        self._options = options
        self._progress = progress

    async def look(self, fleet: Fleet, reads: Reads) -> Observed:
        """Look as closely as is said."""
        options, state = self._options, self._ledger.state
        aliases = chosen_aliases(fleet, options.caches)
        views = seen_views(fleet, aliases)
        stores = await map_all(
            self._prober, views, options, self._progress, with_witnesses=reads != "nothing"
        )
        entries: tuple[Entries, ...] = ()
        details: tuple[Detail, ...] = ()
        if reads == "entries":
            horizon = state.started_at + options.deadline
            work = Work(stores=stores, horizon=horizon, options=options)
            entries = await compare_entries(
                self._prober, cohorts(views), work, self._ledger, self._progress
            )
            if options.details != "none":
                details = await read_in_detail(
                    self._prober, entries, time.time(), with_values=options.details == "values"
                )
            fleet = await look_again(
                self._prober,
                fleet,
                self._request,
                suspects(restricted(fleet, aliases), _replicas(entries)),
                settle_seconds=options.settle,
            )
        trials: tuple[Trial, ...] = ()
        if options.canary:
            from cachecheck.coordinator.canary.outing import let_out  # noqa: PLC0415  for few runs

            trials = await let_out(self._prober, views, options.settle, self._progress)
        return Observed(
            run=state.run,
            started_at=state.started_at,
            ended_at=time.time(),
            fleet=restricted(fleet, aliases),
            aliases=aliases,
            stores=stores,
            entries=entries,
            details=details,
            heads_in_use=heads_in_use(fleet),
            trials=trials,
            reads_entries=reads == "entries",
            maps_stores=reads != "nothing",
        )


def _fleet(heard: Sequence[Heard]) -> Fleet:
    return Fleet(nodes=tuple(one.node for one in heard), now=time.time())


async def _pause(seconds: float, progress: Progress) -> None:
    """Wait for the end of the window, where comparing took less than that."""
    if seconds > 0:
        progress.stage("Counting hits", None)
        await asyncio.sleep(seconds)


async def _with_restarts(
    observed: Observed,
    client: Client,
    targets: Sequence[Target],
    request: Describe,
    prober: Prober,
) -> Observed:
    fleet = await look_for_restarts(client, targets, observed.fleet, request, prober)
    ended, now = ended_workers(fleet), time.time()
    return msgspec.structs.replace(
        observed,
        fleet=restricted(fleet, observed.aliases),
        entries=tuple(without(one, ended, now) for one in observed.entries),
    )


def _replicas(entries: Sequence[Entries]) -> tuple[ReplicaOutcome, ...]:
    return tuple(one.outcome for each in entries for one in each.replicas)


def _stores(options: Options, deadline: Deadline, heavy: Executor | None) -> Stores:
    return Stores(
        timeout_seconds=options.timeout,
        concurrency=options.concurrency,
        deadline=deadline,
        heavy=heavy,
    )


def _prober(heard: Sequence[Heard], ledger: Ledger, options: Options, deadline: Deadline) -> Prober:
    asked = {one.node.name: one.asked for one in heard}
    state, rate = ledger.state, Rate(options.rate)
    return Prober(asked, run=state.run, seed=state.seed, rate=rate, deadline=deadline)


def new_ledger(started_at: float, seed: str | None = None) -> Ledger:
    """Begin a run; with the ``seed`` of another one its digests can be compared with those."""
    run = new_seed().hex()
    return Ledger(State(run=run, seed=seed or new_seed().hex(), started_at=started_at, question=""))


def _client(options: Options) -> Client:
    """Make the client of Django nodes; where there are none, what it needs is not loaded."""
    from cachecheck.coordinator.client import Client  # noqa: PLC0415  httpx takes its time

    return Client(
        timeout_seconds=options.timeout,
        concurrency=options.concurrency,
        deadline=time.monotonic() + options.deadline,
    )
