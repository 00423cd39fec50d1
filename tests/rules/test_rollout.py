from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cachecheck.rules import fleet as fleet_rules
from cachecheck.rules import namespace as namespace_rules
from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import group_by
from cachecheck.rules.observations import Clock
from cachecheck.rules.rollout import explain
from observed import HOUR, cache, fleet, namespace, web

if TYPE_CHECKING:
    from cachecheck.model import Finding
    from cachecheck.rules.observations import Fleet


GRACE = 600.0
BLOG = cache(namespace=namespace("blog"))


def rolled_out(age_seconds: float = 60.0, **changed: Any) -> Fleet:
    new = {"release": "r2", "age_seconds": age_seconds, **changed}
    return fleet(web("web-1"), web("web-2"), web("web-3", BLOG, **new))


def explained(seen: Fleet) -> Finding:
    (found,) = explain(namespace_rules.check(seen), seen, GRACE)
    return found


def test_difference_that_comes_with_a_new_release_is_information() -> None:
    found = explained(rolled_out())
    assert (found.code, found.severity, found.explained_by) == ("N001", "info", "F006")
    assert found.message.endswith("; coincides with the rollout of r2")


@pytest.mark.parametrize("age", [GRACE, 2 * HOUR])
def test_difference_that_outlives_the_grace_is_not_explained(age: float) -> None:
    found = explained(rolled_out(age))
    assert (found.severity, found.explained_by) == ("error", None)


def test_difference_between_workers_of_one_release_is_not_explained() -> None:
    seen = fleet(web("web-1"), web("web-2", BLOG), web("web-3", BLOG, release="r2", age_seconds=1))
    assert explained(seen).explained_by is None


def test_difference_within_a_release_is_not_explained_by_another() -> None:
    new = {"release": "r2", "age_seconds": 1}
    seen = fleet(web("web-1"), web("web-2", **new), web("web-3", BLOG, **new))
    assert explained(seen).explained_by is None


def test_unknown_release_explains_nothing() -> None:
    assert explained(rolled_out(release=None)).explained_by is None
    assert explained(rolled_out(release="")).explained_by is None


def test_one_old_process_of_the_new_release_ends_the_rollout() -> None:
    seen = rolled_out()
    late = web("web-4", BLOG, release="r2", age_seconds=2 * GRACE)
    assert explained(fleet(*seen.nodes, late)).explained_by is None


def test_recycled_worker_of_the_old_release_does_not_make_it_the_new_one() -> None:
    seen = rolled_out(age_seconds=300)
    recycled = web("web-4", age_seconds=1)
    assert explained(fleet(*seen.nodes, recycled)).explained_by == "F006"


def test_third_release_must_be_young_as_well() -> None:
    third = cache(namespace=namespace("news"))
    for age, expected in ((90.0, "F006"), (1000.0, None)):
        seen = fleet(
            web("web-1"),
            web("web-2", third, release="r1.1", age_seconds=age),
            web("web-3", BLOG, release="r2", age_seconds=30),
        )
        assert explained(seen).explained_by == expected


def test_age_is_corrected_for_the_clock_of_the_node() -> None:
    first, second, third = rolled_out(age_seconds=60).nodes
    ahead = Clock(offset_seconds=-HOUR, uncertainty_seconds=0.01, rtt_seconds=0.02)
    by_its_clock = web("web-3", BLOG, release="r2", age_seconds=HOUR + 60)
    corrected = msgspec.structs.replace(by_its_clock, clock=ahead)
    assert explained(fleet(first, second, corrected)).explained_by == "F006"
    wrong = msgspec.structs.replace(third, clock=ahead)
    assert explained(fleet(first, second, wrong)).severity == "info"


def test_releases_of_two_applications_are_no_rollout() -> None:
    seen = fleet(web("web-1"), web("blog-1", application="blog", release="b1", age_seconds=1))
    groups = group_by({one.label: one.application for one in seen.workers})
    found = (finding("V001", message="m", groups=groups),)
    assert explain(found, seen, GRACE) == found


def test_version_drift_can_be_part_of_a_rollout_but_release_drift_explains_itself() -> None:
    versions = msgspec.structs.replace(web("x").workers[0].versions, pickle_protocol=6)
    seen = fleet(web("web-1"), web("web-2", release="r2", age_seconds=1, versions=versions))
    version, release = explain(fleet_rules.check(seen), seen, GRACE)
    assert (version.code, version.severity, version.explained_by) == ("F005", "info", "F006")
    assert (release.code, release.explained_by) == ("F006", None)


def test_balanced_address_is_never_part_of_a_rollout() -> None:
    new = web("web-2", release="r2", age_seconds=1).workers
    seen = fleet(msgspec.structs.replace(web("web-1"), workers=(*web("web-1").workers, *new)))
    found = [one for one in explain(fleet_rules.check(seen), seen, GRACE) if one.code == "F008"]
    assert [one.severity for one in found] == ["error"]


def test_finding_without_groups_or_of_unknown_views_stays_as_it_is() -> None:
    seen = rolled_out()
    strange = group_by({"web-1:1": "a", "redis://h": "b"})
    found = (finding("F001", message="m"), finding("V001", message="m", groups=strange))
    assert explain(found, seen, GRACE) == found
