"""From what was observed to a verdict: what counts, what is undecided, what is known."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cachecheck.coordinator.judge import report_of, shower
from cachecheck.coordinator.options import Options, demand_sensible
from cachecheck.coordinator.restarts import with_restarts
from cachecheck.coordinator.run import Observed
from cachecheck.errors import UsageError
from cachecheck.model import Key
from cachecheck.rules.observations import Fleet, StoreMap
from observed import NOW, cache, fleet, healthy, namespace, node, web

DOWN = node("web-9", state="unreachable", detail="connection refused")


def observed(seen: Fleet, **changed: Any) -> Observed:
    return Observed(
        **{
            "run": "r",
            "started_at": NOW,
            "ended_at": NOW + 1.5,
            "fleet": seen,
            "aliases": seen.aliases,
            "stores": (),
            "entries": (),
            **changed,
        }
    )


def drifted() -> Fleet:
    """Observe a fleet in which one node has another TIMEOUT: T003, a warning."""
    first, second, third = (web(f"web-{number}") for number in (1, 2, 3))
    (worker,) = third.workers
    other = msgspec.structs.replace(worker, caches=(cache(timeout=5.0),))
    return fleet(first, second, msgspec.structs.replace(third, workers=(other,)))


def test_a_healthy_fleet_is_consistent() -> None:
    report = report_of(observed(healthy()), Options())
    assert report.verdict == "consistent"
    assert report.findings == ()
    assert report.undecided == ()


def test_a_warning_makes_a_run_divergent_by_default() -> None:
    report = report_of(observed(drifted()), Options())
    assert [one.code for one in report.findings] == ["T003"]
    assert report.verdict == "divergent"


@pytest.mark.parametrize(
    ("fail_on", "verdict"),
    [("info", "divergent"), ("warning", "divergent"), ("error", "consistent")],
)
def test_fail_on_says_from_which_severity_on_a_finding_counts(fail_on: Any, verdict: str) -> None:
    assert report_of(observed(drifted()), Options(fail_on=fail_on)).verdict == verdict


def test_a_silent_node_is_undecided_and_no_divergence() -> None:
    seen = fleet(*healthy().nodes, DOWN)
    report = report_of(observed(seen), Options())
    assert [one.code for one in report.findings] == ["F001"]
    assert report.verdict == "undecided"
    assert "web-9" in report.undecided[0]


def test_divergence_outranks_what_was_not_seen() -> None:
    seen = fleet(*drifted().nodes, DOWN)
    assert report_of(observed(seen), Options()).verdict == "divergent"


def test_less_coverage_can_be_enough() -> None:
    seen = fleet(*healthy().nodes, DOWN)
    assert report_of(observed(seen), Options(require_coverage=75)).verdict == "consistent"
    assert report_of(observed(seen), Options(require_coverage=76)).verdict == "undecided"


def test_ignoring_a_finding_does_not_make_a_node_seen() -> None:
    seen = fleet(*healthy().nodes, DOWN)
    report = report_of(observed(seen), Options(ignore=("F",)))
    assert report.findings == ()
    assert report.verdict == "undecided"


def test_unknown_stores_make_a_run_undecided_unless_declared_apart() -> None:
    unknown = (
        StoreMap(cache="default", application="shop", stores=(), undecided="nothing is known"),
    )
    report = report_of(observed(healthy(), stores=unknown), Options())
    assert report.verdict == "undecided"
    declared = fleet(
        *(web(f"web-{number}", cache(declared_scope="host"), workers=2) for number in (1, 2, 3))
    )
    assert report_of(observed(declared, stores=unknown), Options()).verdict == "consistent"


def test_a_backend_that_cannot_be_read_is_undecided_with_its_reason() -> None:
    blind = cache(kind="unsupported")
    blind = msgspec.structs.replace(
        blind,
        capabilities=msgspec.structs.replace(
            blind.capabilities, can_read=False, can_scan=False, reasons=("not known",)
        ),
    )
    report = report_of(observed(fleet(web("web-1", blind))), Options())
    assert report.verdict == "undecided"
    assert "not known" in report.undecided[0]


def test_what_the_baseline_has_does_not_count_and_is_still_listed() -> None:
    before = report_of(observed(drifted()), Options())
    report = report_of(observed(drifted()), Options(), before)
    assert report.verdict == "consistent"
    assert [one.is_known for one in report.findings] == [True]


def test_what_is_new_since_the_baseline_counts() -> None:
    before = report_of(observed(healthy()), Options())
    assert report_of(observed(drifted()), Options(), before).verdict == "divergent"


def test_keys_that_match_a_pattern_are_shown_as_a_digest() -> None:
    show = shower(("django.contrib.sessions.*",))
    shown = show(Key(name="django.contrib.sessions.cacheabc"))
    assert "abc" not in shown
    assert shown == show(Key(name="django.contrib.sessions.cacheabc"))
    assert show(Key(name="user:1")) == "user:1"


def test_a_worker_that_went_while_another_came_was_restarted() -> None:
    before, after = web("web-1", workers=2), web("web-1", workers=2)
    first, second = after.workers
    newborn = msgspec.structs.replace(
        second,
        label="web-1:99",
        worker=msgspec.structs.replace(second.worker, id="another", pid=99),
    )
    now = with_restarts(before, msgspec.structs.replace(after, workers=(first, newborn)))
    assert now.restarted == (before.workers[1].label,)
    assert newborn in now.workers
    assert with_restarts(before, after) == before


@pytest.mark.parametrize(
    "options",
    [
        {"sample": -1},
        {"sample": 10**6},
        {"settle": -1.0},
        {"timeout": 0.0},
        {"concurrency": 0},
        {"require_coverage": 101.0},
        {"settle": 50.0},
        {"keys": ("two words",)},
        {"keys": ("k" * 300,)},
        {"keys": ("",)},
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        demand_sensible(Options(**options))


def test_naming_keys_turns_sampling_off_unless_it_is_asked_for() -> None:
    assert Options().sample_size == 1000
    assert Options(keys=("k",)).sample_size == 0
    assert Options(keys=("k",), sample=5).sample_size == 5


def prefixed(*prefixes: str) -> Fleet:
    """Observe a node for each prefix."""
    return fleet(
        *(
            web(f"web-{number}", cache(namespace=namespace(prefix)))
            for number, prefix in enumerate(prefixes, 1)
        )
    )


def test_the_same_fault_on_another_node_is_new() -> None:
    before = report_of(observed(prefixed("blog", "shop", "shop")), Options())
    now = observed(prefixed("shop", "blog", "shop"))
    assert report_of(now, Options(), before).verdict == "divergent"
    again = observed(prefixed("blog", "shop", "shop"))
    assert report_of(again, Options(), before).verdict == "consistent"


def test_what_has_become_graver_is_new() -> None:
    before = report_of(observed(drifted()), Options())
    milder = msgspec.structs.replace(
        before,
        findings=tuple(msgspec.structs.replace(one, severity="info") for one in before.findings),
    )
    assert report_of(observed(drifted()), Options(), milder).verdict == "divergent"


def test_a_successor_with_the_pid_of_the_one_before_has_a_label_of_its_own() -> None:
    before = web("web-1")
    (worker,) = before.workers
    successor = msgspec.structs.replace(
        worker, worker=msgspec.structs.replace(worker.worker, id="another-one")
    )
    now = with_restarts(before, msgspec.structs.replace(before, workers=(successor,)))
    labels = [one.label for one in now.workers]
    assert len(set(labels)) == 2
    assert now.restarted == (worker.label,)
