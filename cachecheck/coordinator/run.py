"""One run, from a fleet to a report: describe, map stores, choose keys, read, compare, confirm."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Literal

import msgspec

from cachecheck.coordinator.client import Client
from cachecheck.coordinator.describe import describe_fleet, describe_node
from cachecheck.coordinator.entries import Entries, compare_entries
from cachecheck.coordinator.probing import Prober, Rate
from cachecheck.coordinator.stores import map_stores, needs_witnesses
from cachecheck.coordinator.views import cohorts, seen_views
from cachecheck.coordinator.witness import find_stores
from cachecheck.digest import new_seed
from cachecheck.errors import UsageError
from cachecheck.model import Key, Value
from cachecheck.rules.observations import Fleet, ObservedNode, ObservedWorker, StoreMap
from cachecheck.wire import Describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.coordinator.fleet import Target
    from cachecheck.coordinator.options import Options
    from cachecheck.coordinator.progress import Progress
    from cachecheck.coordinator.views import SeenView

ROUTING_PROBES = 16

Reads = Literal["nothing", "witnesses", "entries"]


class Observed(Value, frozen=True, kw_only=True):
    """All that a run saw; ``started_at`` and ``ended_at`` are in the coordinator's clock."""

    run: str
    started_at: float
    ended_at: float
    fleet: Fleet
    aliases: tuple[str, ...]
    stores: tuple[StoreMap, ...]
    entries: tuple[Entries, ...]
    is_out_of_time: bool = False
    reads_entries: bool = True


async def observe(
    targets: Sequence[Target], options: Options, progress: Progress, *, reads: Reads = "entries"
) -> Observed:
    """Observe the fleet within the deadline; what could not be seen is part of the result.

    Who is there, and what they say of their caches; then, as far as ``reads`` allows, witnesses of
    who shares a store; then all that is to be compared. Raises ``UsageError`` where an alias is
    asked for that no node has.
    """
    run, started_at = _run_id(), time.time()
    entries: tuple[Entries, ...] = ()
    async with _client(options) as client:
        fleet = await _describe(client, targets, run, progress)
        aliases = _aliases(fleet, options.caches)
        views = seen_views(fleet, aliases)
        prober = _prober(client, targets, run, options)
        stores = await _map_stores(
            prober, views, options, progress, with_witnesses=reads != "nothing"
        )
        if reads == "entries":
            entries = await compare_entries(prober, cohorts(views), stores, options, progress)
            fleet = await _look_for_restarts(client, targets, fleet, run, prober)
        is_out_of_time = not client.remaining_seconds
    return Observed(
        run=run,
        started_at=started_at,
        ended_at=time.time(),
        fleet=_restricted(fleet, aliases),
        aliases=aliases,
        stores=stores,
        entries=entries,
        is_out_of_time=is_out_of_time,
        reads_entries=reads == "entries",
    )


def _run_id() -> str:
    return new_seed().hex()


def _client(options: Options) -> Client:
    return Client(
        timeout_seconds=options.timeout,
        concurrency=options.concurrency,
        deadline=time.monotonic() + options.deadline,
    )


def _prober(client: Client, targets: Sequence[Target], run: str, options: Options) -> Prober:
    by_name = {target.node.name: target for target in targets}
    seed = new_seed().hex()
    return Prober(client, by_name, run=run, seed=seed, rate=Rate(options.rate))


def probe_keys(run: str) -> tuple[str, ...]:
    """Name keys that occur nowhere else; the first shows the namespace, all show the routing."""
    return tuple(f"cachecheck:probe:{run}:{number}" for number in range(ROUTING_PROBES))


async def _describe(
    client: Client, targets: Sequence[Target], run: str, progress: Progress
) -> Fleet:
    progress.stage("Asking nodes who is there", len(targets))
    request = Describe(run=run, probe_keys=probe_keys(run))
    nodes = await describe_fleet(client, targets, request, lambda _node: progress.advance())
    return Fleet(nodes=nodes, now=time.time())


def _aliases(fleet: Fleet, asked: tuple[str, ...]) -> tuple[str, ...]:
    known = fleet.aliases
    unknown = sorted(set(asked) - set(known)) if fleet.workers else []
    if unknown:
        raise UsageError(
            f"no node has a cache {', '.join(map(repr, unknown))}: there are {', '.join(known)}"
        )
    return tuple(sorted(set(asked))) or known


def _restricted(fleet: Fleet, aliases: tuple[str, ...]) -> Fleet:
    """Leave out what was not asked for, so that nothing is said of it."""
    return Fleet(
        nodes=tuple(
            msgspec.structs.replace(
                node, workers=tuple(_only(worker, aliases) for worker in node.workers)
            )
            for node in fleet.nodes
        ),
        now=fleet.now,
    )


def _only(worker: ObservedWorker, aliases: tuple[str, ...]) -> ObservedWorker:
    caches = tuple(cache for cache in worker.caches if cache.alias in aliases)
    return msgspec.structs.replace(worker, caches=caches)


async def _map_stores(
    prober: Prober,
    views: Sequence[SeenView],
    options: Options,
    progress: Progress,
    *,
    with_witnesses: bool,
) -> tuple[StoreMap, ...]:
    """Map stores for each alias of each application, backends of one kind together."""
    groups: dict[tuple[str, str, str], list[SeenView]] = {}
    for seen in views:
        key = (seen.view.cache, seen.application, seen.cache.kind)
        groups.setdefault(key, []).append(seen)
    progress.stage("Finding out who shares a store", len(groups))
    named = tuple(Key(name=key) for key in options.keys)

    found = []
    for members in groups.values():  # one after the other: aliases often share a server
        if with_witnesses and needs_witnesses(members):
            found.append(await find_stores(prober, members, named, probe_keys(prober.run)))
        else:
            cache = members[0].view.cache
            found.append(map_stores(cache, members, {}, differed_twice=with_witnesses))
        progress.advance()
    return _united(found)


def _united(maps: Sequence[StoreMap]) -> tuple[StoreMap, ...]:
    """Put the maps of one alias and application together, whatever the kinds of backend."""
    united: dict[tuple[str, str], StoreMap] = {}
    for one in maps:
        key = (one.cache, one.application)
        other = united.get(key)
        united[key] = one if other is None else _both(other, one)
    return tuple(united.values())


def _both(one: StoreMap, other: StoreMap) -> StoreMap:
    return StoreMap(
        cache=one.cache,
        application=one.application,
        stores=one.stores + other.stores,
        is_split=one.is_split or other.is_split,
        undecided=one.undecided or other.undecided,
    )


async def _look_for_restarts(
    client: Client, targets: Sequence[Target], fleet: Fleet, run: str, prober: Prober
) -> Fleet:
    """Describe nodes of which a worker was not heard again: it may have been restarted."""
    by_name = {target.node.name: target for target in targets}
    suspects = [node for node in fleet.nodes if node.name in prober.nodes_with_lost_workers]
    request = Describe(run=run, probe_keys=probe_keys(run))
    found = await asyncio.gather(
        *(
            describe_node(client, by_name[node.name], request, client.remaining_seconds / 2)
            for node in suspects
        )
    )
    pairs = zip(suspects, found, strict=True)
    again = {before.name: with_restarts(before, after) for before, after in pairs}
    return Fleet(nodes=tuple(again.get(node.name, node) for node in fleet.nodes), now=fleet.now)


def _relabelled(worker: ObservedWorker, taken: set[str]) -> ObservedWorker:
    """Keep labels apart: in a container a successor often has the pid of the one before."""
    if worker.label not in taken:
        return worker
    label = f"{worker.label}~{worker.worker.id[-4:]}"
    return msgspec.structs.replace(worker, label=label)


def with_restarts(before: ObservedNode, after: ObservedNode) -> ObservedNode:
    """Mark the workers that went while others came, and add those that came."""
    had = {worker.worker.id for worker in before.workers}
    has = {worker.worker.id for worker in after.workers}
    taken = {worker.label for worker in before.workers}
    came = tuple(
        _relabelled(worker, taken) for worker in after.workers if worker.worker.id not in had
    )
    gone = tuple(worker.label for worker in before.workers if worker.worker.id not in has)
    if not (came and gone):
        return before
    return msgspec.structs.replace(before, workers=before.workers + came, restarted=gone)
