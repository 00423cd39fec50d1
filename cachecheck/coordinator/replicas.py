"""Compare each replica of a store with the server that takes writes, through one and the same node.

A site's reads go to any of its replicas, so what views agree on says nothing of them: a view is
read where it writes. Here each distinct replica is read by itself, once, however many views have it
configured. What is only on a replica is found as well, since its keys are surveyed, too.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from cachecheck.coordinator.probing import Unit
from cachecheck.coordinator.sample import Draw, Surveyance, chosen_keys, survey_units
from cachecheck.coordinator.suspects import Examination, Examined
from cachecheck.coordinator.views import SeenView
from cachecheck.model import Key, Member, Present, Value
from cachecheck.rules.observations import ReplicaOutcome, View

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.coordinator.options import Options
    from cachecheck.coordinator.probing import Prober
    from cachecheck.coordinator.suspects import Examiner
    from cachecheck.coordinator.views import Cohort
    from cachecheck.rules.observations import StoreMap

DRIFTS = frozenset(
    {"divergent", "unknown-structure", "missing", "persistence-drift", "expiry-drift"}
)
MOST_REPLICAS = 50  # of one alias: a node that makes servers up must not keep a run busy
_LOOKS_OF_LAG = 3  # what agreed in the second look may have been written between two reads


class Pair(Value, frozen=True, kw_only=True):
    """A replica and the server that takes writes, as ``seen`` has them.

    ``configured_by`` are all views that read from this replica; ``surveyed`` is what was listed
    already of the server that takes writes.
    """

    seen: SeenView
    primary: Member
    replica: Member
    configured_by: tuple[View, ...]
    surveyed: tuple[Surveyance, ...] = ()

    @property
    def units(self) -> tuple[Unit, Unit]:
        """Both servers, to be read through the worker that has them."""
        view = self.seen.view
        primary = Unit(
            node=view.node,
            cache=view.cache,
            workers=frozenset({self.seen.worker_id}),
            stands_for=(view,),
            shift_seconds=self.seen.expiry_shift_seconds,
        )
        itself = View(node=view.node, worker=self.replica.address, cache=view.cache)
        replica = msgspec.structs.replace(
            primary, stands_for=(itself,), server=self.replica.address
        )
        return primary, replica


class ComparedReplica(Value, frozen=True, kw_only=True):
    """What came of comparing a replica; ``survey`` is of its own keys, None: not asked for."""

    pair: Pair
    survey: Surveyance | None
    examination: Examination

    @property
    def unread(self) -> tuple[Examined, ...]:
        """The keys of which it is not known whether they agree."""
        return self._judged("unread", "open")

    @property
    def outcome(self) -> ReplicaOutcome:
        """What rules are to judge."""
        drifting = tuple(one for one in self.examination.keys if one.judgement in DRIFTS)
        lagged = (one for one in self._judged("healed") if _lagged(one))
        late = [one.looks[-1].at - one.looks[0].at for one in lagged]
        pair = self.pair
        return ReplicaOutcome(
            cache=pair.seen.view.cache,
            application=pair.seen.application,
            through=pair.seen.view.worker,
            primary=pair.primary,
            replica=pair.replica,
            configured_by=tuple(view.worker for view in pair.configured_by),
            keys_compared=len(self.examination.keys) - len(self.unread),
            differing=tuple((one.key, one.judgement) for one in drifting),
            caught_up=len(late),
            caught_up_seconds=max(late, default=0.0),
        )

    def _judged(self, *judgements: str) -> tuple[Examined, ...]:
        return tuple(one for one in self.examination.keys if one.judgement in judgements)


def pairs_of(
    cohort: Cohort, stores: StoreMap, surveys: Sequence[tuple[Unit, Surveyance]] = ()
) -> tuple[Pair, ...]:
    """Give each distinct replica of each store once, in the order of the views.

    Servers that are one process are one; where a server does not say which it is, its address
    counts, on that node.
    """
    store_of = {view: store.id for store in stores.stores for view in store.views}
    found: dict[tuple[str, ...], Pair] = {}
    for seen in cohort.views:
        for primary, replica in _readable(seen):
            who = replica.run_id or f"{seen.view.node} {replica.address}"
            key = (store_of[seen.view], who)
            before = found.get(key)
            found[key] = Pair(
                seen=before.seen if before else seen,
                primary=before.primary if before else primary,
                replica=before.replica if before else replica,
                configured_by=(*(before.configured_by if before else ()), seen.view),
                surveyed=before.surveyed if before else _surveyed(seen, surveys),
            )
    return tuple(found.values())


def _surveyed(seen: SeenView, surveys: Sequence[tuple[Unit, Surveyance]]) -> tuple[Surveyance, ...]:
    return tuple(
        found for unit, found in surveys if seen.view in unit.stands_for and found.failure is None
    )


def _readable(seen: SeenView) -> Iterator[tuple[Member, Member]]:
    """Give the replicas that a view has beside the server that takes writes, if both answer."""
    members = seen.cache.members
    if not members or members[0].failure is not None:
        return
    primary = members[0]
    for replica in members[1:]:
        is_itself = replica.run_id is not None and replica.run_id == primary.run_id
        if replica.failure is None and not is_itself:
            yield primary, replica


async def compare_replicas(
    prober: Prober,
    pairs: Sequence[Pair],
    keys: Sequence[Key],
    options: Options,
    examiner: Examiner,
) -> tuple[ComparedReplica, ...]:
    """Compare all replicas at once: the given keys, and a sample that is drawn over both sides."""
    draw = Draw(size=options.sample_size, match=options.match, max_scan=options.max_scan)

    async def one(pair: Pair) -> ComparedReplica:
        survey, wanted = None, tuple(keys)
        if draw.size and prober.deadline.remaining_seconds:
            asked = pair.units[1:] if pair.surveyed else pair.units
            found = await survey_units(prober, asked, draw, lambda: None)
            survey = found[pair.units[1]]
            drawn = chosen_keys((*pair.surveyed, *found.values()), draw.size)
            wanted = tuple(dict.fromkeys((*keys, *drawn)))
        examination = await examiner.examine(pair.units, wanted)
        return ComparedReplica(pair=pair, survey=survey, examination=examination)

    return tuple(await asyncio.gather(*(one(pair) for pair in pairs)))


def _lagged(one: Examined) -> bool:
    """Whether a replica came to hold what the other server had held all the time."""
    if len(one.looks) < _LOOKS_OF_LAG:
        return False
    held = {
        look.readings[0].digest if isinstance(look.readings[0], Present) else "missing"
        for look in one.looks
    }
    return len(held) == 1
