"""Which views a canary goes through, and what it makes of what it sees. Pure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachecheck.coordinator.canary.circles import by_cache, choose_pairs, circles, count_pairs
from cachecheck.coordinator.canary.mover import Done
from cachecheck.coordinator.canary.names import drop, read, write
from cachecheck.coordinator.canary.rows import MOST_PROPAGATIONS, canary_row
from cachecheck.coordinator.canary.watching import Watch
from cachecheck.coordinator.options import Options, demand_sensible
from cachecheck.coordinator.plan import plan_of
from cachecheck.coordinator.run import Observed
from cachecheck.coordinator.views import SeenView
from cachecheck.errors import UsageError
from cachecheck.model import CanaryResult
from cachecheck.rules.observations import Clock, View
from cachecheck.rules.trials import Sighting, Trial
from observed import NOW, cache, fleet, store_map, web

CLOCK = Clock(offset_seconds=0.0, uncertainty_seconds=0.01, rtt_seconds=0.02)


def seen(node: str, pid: int = 1, kind: str = "redis", **changed: Any) -> SeenView:
    is_direct = changed.pop("is_direct", False)
    application = changed.pop("application", "shop")
    described = cache(kind=kind, **changed)
    return SeenView(
        view=View(node=node, worker=f"{node}:{pid}", cache=described.alias),
        worker_id=f"{node}:{pid}",
        host_id=node,
        application=application,
        cache=described,
        clock=CLOCK,
        is_direct=is_direct,
    )


def many(nodes: int, workers: int, **changed: Any) -> list[SeenView]:
    return [seen(f"web-{node}", pid, **changed) for node in range(nodes) for pid in range(workers)]


# --- who -------------------------------------------------------------------------------------


def test_a_canary_goes_through_one_cache_of_one_application() -> None:
    groups = by_cache(
        [seen("a"), seen("b"), seen("a", alias="other"), seen("c", application="blog")]
    )
    assert [[one.view.node for one in group] for group in groups] == [["a", "b"], ["a"], ["c"]]


def test_stores_read_directly_and_caches_meant_to_keep_nothing_are_left_out() -> None:
    assert by_cache([seen("redis", is_direct=True)]) == ()
    assert by_cache([seen("a", kind="dummy", declared_scope="none")]) == ()
    assert len(by_cache([seen("a", kind="dummy")])) == 1


@pytest.mark.parametrize(
    ("declared", "sizes"),
    [(None, [6]), ("network", [6]), ("host", [3, 3]), ("worker", [1] * 6)],
)
def test_views_share_as_they_are_declared(declared: Any, sizes: list[int]) -> None:
    found = circles(many(2, 3, declared_scope=declared))
    assert [len(circle) for circle in found] == sizes
    assert count_pairs(found) == sum(size * (size - 1) for size in sizes)


def test_a_declaration_that_not_all_share_divides_nothing() -> None:
    assert len(circles([seen("a", declared_scope="worker"), seen("b")])) == 1


@given(nodes=st.integers(1, 6), workers=st.integers(1, 12), most=st.integers(1, 400))
def test_pairs_are_all_or_a_bounded_choice_that_covers_every_view(
    nodes: int, workers: int, most: int
) -> None:
    found = circles(many(nodes, workers))
    pairs = choose_pairs(found, "seed", most)
    views = nodes * workers
    assert len(set(pairs)) == len(pairs)
    assert all(writer != reader for writer, reader in pairs)
    assert pairs == choose_pairs(found, "seed", most)
    if count_pairs(found) <= most:
        assert len(pairs) == count_pairs(found)
    else:
        assert len(pairs) <= max(most, views)
        assert len({one for one, _ in pairs}) == len({other for _, other in pairs}) == views


# --- watching --------------------------------------------------------------------------------


def done(outcome: str, at: float, **changed: Any) -> Done:
    result = CanaryResult(outcome=outcome, at=NOW + at, took_seconds=0.0, **changed)  # type: ignore[arg-type]
    return Done(result=result, ended_at=NOW + at, uncertainty_seconds=0.01)


def test_what_the_first_look_sees_has_no_lag() -> None:
    step = write("a")
    watch = Watch(done("done", 0), seen("b").view, read(step))
    watch.look(done("found", 0.3, nonce=step.nonces[0]))
    assert (watch.lag_seconds, watch.least_lag_seconds, watch.is_open) == (0.0, 0.0, False)


def test_a_lag_lies_between_the_last_look_that_missed_and_the_first_that_saw() -> None:
    before, step = write("a"), write("a")
    watch = Watch(done("done", 0), seen("b").view, read(step, before))
    watch.look(done("found", 0.5, nonce=before.nonces[0]))
    watch.look(done("failed", 0.7, error="TimeoutError"))
    watch.look(done("found", 0.9, nonce=step.nonces[0]))
    assert watch.least_lag_seconds == pytest.approx(0.48)  # two clocks, each to ± 10 ms
    assert watch.lag_seconds == pytest.approx(0.9)


def test_a_failure_is_never_a_miss() -> None:
    watch = Watch(done("done", 0), seen("b").view, read(write("a")), wanted="nothing")
    watch.look(done("failed", 0.5, error="TimeoutError"))
    assert watch.is_open
    assert watch.least_lag_seconds == 0.0
    watch.look(done("missing", 0.6))
    assert not watch.is_open


def test_a_count_is_seen_once_it_is_as_large() -> None:
    watch = Watch(done("done", 0), seen("b").view, read(write("a")), wanted=20)
    watch.look(done("found", 0.1, count=19))
    assert watch.is_open
    watch.look(done("found", 0.2, count=20))
    assert not watch.is_open


def test_a_step_is_dropped_under_the_key_that_it_was_written_under() -> None:
    step = write("a", "unicode")
    assert (drop(step).name, drop(step).value) == (step.name, step.value)


# --- rows and plan ---------------------------------------------------------------------------


def test_of_many_pairs_of_nodes_the_worst_are_kept() -> None:
    views = [seen(f"web-{number}").view for number in range(30)]
    sightings = tuple(
        Sighting(
            what="text",
            writer=writer,
            reader=reader,
            fate="absent" if writer == reader == views[-1] else "seen",
            looked=1,
        )
        for writer in views
        for reader in views
    )
    trial = Trial(
        cache="default",
        application="shop",
        views=tuple(views),
        pairs=870,
        pairs_chosen=870,
        sightings=sightings,
    )
    row = canary_row(trial)
    assert len(row.propagation) == MOST_PROPAGATIONS
    assert (row.propagation[0].writer, row.propagation[0].seen) == ("web-29", 0)
    assert row.pairs_tried == 870


def test_a_plan_says_what_would_be_written_and_writes_nothing() -> None:
    nodes = (web("web-1", workers=2), web("web-2", workers=2))
    workers = [worker for node in nodes for worker in node.workers]
    observed = Observed(
        run="ab" * 16,
        started_at=NOW,
        ended_at=NOW,
        fleet=fleet(*nodes),
        aliases=("default",),
        stores=(store_map(workers, kind="redis"),),
        entries=(),
    )
    told = "let a canary write through 4 views, and look for it in 12 of 12 pairs of them"
    assert list(plan_of(observed, Options(canary=True)))[-1] == f"default: {told}"
    assert "canary" not in "".join(plan_of(observed, Options()))


def test_what_is_looked_for_longer_than_it_lives_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="too long for a canary"):
        demand_sensible(Options(canary=True, settle=31, deadline=60))
    assert demand_sensible(Options(settle=31, deadline=60))
