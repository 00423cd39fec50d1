from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from cachecheck.model import CacheDescription
from cachecheck.rules import backend, hit_ratio, rollout, ttl
from cachecheck.rules import fleet as fleet_rules
from cachecheck.rules import namespace as namespace_rules
from cachecheck.rules.selection import ordered
from observed import cache, fleet, namespace, node, store_map, worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cachecheck.rules.observations import Findings, Fleet, StoreMap


KINDS = st.sampled_from(["redis", "locmem", "dummy", "file", "unsupported"])


def everything(seen: Fleet, stores: Iterable[StoreMap] = ()) -> Findings:
    found = (
        *hit_ratio.check(seen),
        *ttl.check(seen),
        *namespace_rules.check(seen),
        *backend.check(seen, stores),
        *fleet_rules.check(seen),
    )
    return ordered(rollout.explain(found, seen, 600))


CACHES = st.builds(
    cache,
    kind=KINDS,
    namespace=st.builds(namespace, st.sampled_from(["", "shop"]), st.sampled_from("12")),
    timeout=st.sampled_from([None, 60, 300]),
    is_counting=st.booleans(),
    declared_scope=st.sampled_from([None, "worker", "host", "network", "none"]),
)
Described = list[list[CacheDescription]]
NODES = st.lists(st.lists(CACHES, max_size=3), min_size=1, max_size=4)


def built(names: Sequence[str], described: Described) -> Fleet:
    return fleet(
        *(
            node(name, [worker(name, pid, (one,)) for pid, one in enumerate(caches)])
            for name, caches in zip(names, described, strict=False)
        )
    )


@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from(["redis", "file", "unsupported"]))
def test_fleet_of_identical_workers_on_one_store_has_no_findings(
    nodes: int, workers: int, kind: str
) -> None:
    seen = built([f"web-{n}" for n in range(nodes)], [[cache(kind=kind)] * workers] * nodes)
    assert everything(seen, [store_map(seen.workers, kind=kind)]) == ()


@given(NODES)
def test_names_of_nodes_change_nothing_in_what_is_found(described: Described) -> None:
    plain = everything(built("abcd", described))
    renamed = everything(built("zyxw", described))
    shapes = [
        [
            (one.code, one.severity, one.cache, [len(group.views) for group in one.groups])
            for one in found
        ]
        for found in (plain, renamed)
    ]
    assert shapes[0] == shapes[1]


@given(NODES)
def test_groups_of_every_finding_are_apart_and_name_workers_of_the_fleet(
    described: Described,
) -> None:
    seen = built("abcd", described)
    labels = {one.label for one in seen.workers}
    for found in everything(seen):
        views = [view for group in found.groups for view in group.views]
        assert len(views) == len(set(views))
        assert labels.issuperset(views)


@given(NODES)
def test_each_code_is_given_once_for_each_alias(described: Described) -> None:
    found = [(one.code, one.cache, one.subject) for one in everything(built("abcd", described))]
    assert len(found) == len(set(found))
