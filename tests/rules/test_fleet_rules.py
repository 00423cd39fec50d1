from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cachecheck.rules import fleet as rules
from cachecheck.rules.observations import Clock
from observed import VERSIONS, cache, codes, fleet, grouped, healthy, node, web, worker

if TYPE_CHECKING:
    from cachecheck.rules.observations import Findings


def clock(offset: float, uncertainty: float = 0.01) -> Clock:
    return Clock(
        offset_seconds=offset, uncertainty_seconds=uncertainty, rtt_seconds=2 * uncertainty
    )


def test_healthy_fleet_has_no_findings() -> None:
    assert rules.check(healthy()) == ()


# --- F001, F002 ----------------------------------------------------------------------------


def test_node_that_did_not_answer_is_unreachable_and_says_why() -> None:
    down = node("web-3", state="unreachable", detail="connection refused", clock=None)
    (found,) = rules.check(fleet(web("web-1"), down))
    assert (found.code, found.severity, found.subject) == ("F001", "error", "web-3")
    assert found.message == "web-3 did not answer: connection refused"
    assert found.evidence["url"] == "http://web-3:8000/cachecheck/"


@pytest.mark.parametrize("state", ["rejected", "failed", "incompatible"])
def test_answer_that_cannot_be_used_is_a_rejected_probe_with_its_reason(state: str) -> None:
    odd = node("web-3", state=state, detail="404 with the site's own page")
    (found,) = rules.check(fleet(web("web-1"), odd))
    assert (found.code, found.severity, found.subject) == ("F002", "error", "web-3")
    assert "404 with the site's own page" in found.message
    assert state in found.message


def test_node_that_gave_no_reason_is_still_reported() -> None:
    (found,) = rules.check(fleet(node("web-3", state="unreachable")))
    assert "no reason given" in found.message


# --- F003 ----------------------------------------------------------------------------------


def test_clock_beyond_tolerance_is_named_with_its_offset() -> None:
    off = msgspec.structs.replace(web("web-2"), clock=clock(-7.5))
    (found,) = rules.check(fleet(web("web-1"), off))
    assert (found.code, found.severity, found.subject) == ("F003", "warning", "web-2")
    assert "web-2 is 7.5 s behind ours" in found.message
    assert found.evidence["offset_seconds"] == -7.5


def test_stale_refusal_is_a_rejected_probe_and_a_clock() -> None:
    stale = node("web-2", state="rejected", detail="stale: its clock is off", clock=clock(600))
    found = rules.check(fleet(web("web-1"), stale))
    assert codes(found) == ["F002", "F003"]
    assert "600.0 s ahead of ours" in found[1].message


def test_slow_network_is_not_a_wrong_clock() -> None:
    slow = msgspec.structs.replace(web("web-2"), clock=clock(3.5, uncertainty=2.0))
    assert rules.check(fleet(web("web-1"), slow)) == ()


def test_clock_within_a_wider_tolerance_is_silent() -> None:
    off = msgspec.structs.replace(web("web-2"), clock=clock(4))
    assert codes(rules.check(fleet(off))) == ["F003"]
    assert rules.check(fleet(off), tolerance_seconds=5) == ()


def test_offset_that_all_nodes_share_may_be_our_own_clock() -> None:
    nodes = [msgspec.structs.replace(web(f"web-{n}"), clock=clock(30 + n / 10)) for n in (1, 2)]
    found = rules.check(fleet(*nodes))
    assert codes(found) == ["F003", "F003"]
    assert all("this machine's clock" in one.message for one in found)


# --- F004, F007 ----------------------------------------------------------------------------


def test_unheard_workers_of_a_process_local_cache_are_a_warning() -> None:
    seen = msgspec.structs.replace(
        web("web-1", cache("local", "locmem"), workers=2), workers_expected=4
    )
    (found,) = rules.check(fleet(seen))
    assert (found.code, found.severity, found.subject) == ("F004", "warning", "web-1")
    assert (
        found.message == "web-1: 2 of 4 workers heard; what the others hold in local is undecided"
    )


def test_unheard_workers_of_a_shared_cache_are_information() -> None:
    seen = msgspec.structs.replace(web("web-1", workers=2), workers_expected=4)
    (found,) = rules.check(fleet(seen))
    assert (found.code, found.severity) == ("F004", "info")
    assert "the verdict stands" in found.message


def test_unknown_expectation_says_so() -> None:
    seen = msgspec.structs.replace(web("web-1"), workers_expected=None)
    (found,) = rules.check(fleet(seen))
    assert "1 worker heard, and how many there should be is unknown" in found.message


def test_more_workers_than_expected_are_silent() -> None:
    assert (
        rules.check(fleet(msgspec.structs.replace(web("web-1", workers=3), workers_expected=2)))
        == ()
    )


def test_celery_worker_does_not_stand_in_for_an_unheard_web_worker() -> None:
    heard = [worker("web-1", 1), worker("web-1", 2, role="celery", parent="other")]
    assert codes(rules.check(fleet(node("web-1", heard, workers_expected=2)))) == ["F004"]


def test_unreachable_node_is_not_also_said_to_lack_workers() -> None:
    down = node("web-1", state="unreachable", workers_expected=None)
    assert codes(rules.check(fleet(down))) == ["F001"]


def test_replaced_worker_is_named_and_is_no_unseen_one() -> None:
    heard = [worker("web-1", 1), worker("web-1", 2), worker("web-1", 3)]
    (found,) = rules.check(fleet(node("web-1", heard, workers_expected=2, restarted=("web-1:1",))))
    assert (found.code, found.severity, found.subject) == ("F007", "info", "web-1")
    assert "web-1:1" in found.message


def test_replaced_worker_whose_successor_was_not_heard_is_unseen() -> None:
    heard = [worker("web-1", 1), worker("web-1", 2)]
    found = rules.check(fleet(node("web-1", heard, restarted=("web-1:1",))))
    assert codes(found) == ["F004", "F007"]


# --- F006 ----------------------------------------------------------------------------------


def test_versions_and_releases_of_different_applications_may_differ() -> None:
    other = web(
        "blog-1",
        application="blog",
        release="b9",
        versions=msgspec.structs.replace(VERSIONS, pickle_protocol=6),
    )
    assert rules.check(fleet(web("web-1"), other)) == ()


def test_different_releases_are_information() -> None:
    (found,) = rules.check(fleet(web("web-1"), web("web-2"), web("web-3", release="r2")))
    assert (found.code, found.severity, found.subject) == ("F006", "info", "shop")
    assert found.message == "different releases: r2 on web-3; r1 on the other 2 of 3 views"
    assert grouped(found) == {"r1": ("web-1:1", "web-2:1"), "r2": ("web-3:1",)}


def test_worker_that_states_no_release_is_no_drift() -> None:
    assert rules.check(fleet(web("web-1"), web("web-2", release=None))) == ()


def test_worker_that_went_away_no_longer_counts_as_another_release() -> None:
    heard = [worker("web-1", 1, release="r0"), worker("web-1", 2)]
    found = rules.check(fleet(node("web-1", heard, workers_expected=1, restarted=("web-1:1",))))
    assert codes(found) == ["F007"]


# --- F008 ----------------------------------------------------------------------------------


def behind_one_url(*identities: dict[str, Any], **changed: Any) -> Findings:
    heard = [worker("site", pid, **identity) for pid, identity in enumerate(identities, start=1)]
    return rules.check(fleet(node("site", heard, **changed)))


def test_one_url_on_two_hosts_is_a_balancer() -> None:
    (found,) = behind_one_url(
        {"host": "a", "host_id": "1"}, {"host": "b", "host_id": "2"}, {"host": "a", "host_id": "1"}
    )
    assert (found.code, found.severity, found.subject) == ("F008", "error", "site")
    assert "http://site:8000/cachecheck/" in found.message
    assert grouped(found) == {"host a (1)": ("site:1", "site:3"), "host b (2)": ("site:2",)}


def test_hosts_that_share_a_name_are_told_apart() -> None:
    assert codes(behind_one_url({"host_id": "1"}, {"host_id": "2"})) == ["F008"]


def test_agents_that_go_by_two_names_are_two_nodes() -> None:
    (found,) = behind_one_url({}, {}, own_names=("web-1", "web-2", "web-1"))
    assert found.code == "F008"
    assert "2 nodes (web-1 and web-2)" in found.message


def test_proxy_before_two_servers_on_one_host_is_a_balancer() -> None:
    (found,) = behind_one_url(
        {"parent": "10", "listener": "127.0.0.1:8001"},
        {"parent": "20", "listener": "127.0.0.1:8002"},
        {"parent": "10", "listener": "127.0.0.1:8001"},
    )
    assert found.code == "F008"
    assert grouped(found) == {
        "127.0.0.1:8001": ("site:1", "site:3"),
        "127.0.0.1:8002": ("site:2",),
    }


def test_processes_of_one_supervisor_on_two_ports_are_two_servers() -> None:
    found = behind_one_url({"listener": "127.0.0.1:8001"}, {"listener": "127.0.0.1:8002"})
    assert codes(found) == ["F008"]


def test_several_workers_of_one_server_are_one_node() -> None:
    assert behind_one_url({}, {}, {}) == ()


def test_two_masters_on_one_listener_are_one_node() -> None:
    assert behind_one_url({"parent": "10"}, {"parent": "20"}) == ()


def test_one_server_reached_at_two_addresses_of_its_port_is_one_node() -> None:
    found = behind_one_url(
        {"listener": "127.0.0.1:8000"}, {"listener": "::1:8000"}, {"listener": "127.0.0.1:8000"}
    )
    assert found == ()


def test_masters_that_are_linked_through_a_third_worker_are_one_node() -> None:
    found = behind_one_url(
        {"parent": "10", "listener": "127.0.0.1:8000"},
        {"parent": "20", "listener": "::1:8000"},
        {"parent": "10", "listener": "::1:8000"},
    )
    assert found == ()


def test_worker_without_a_listener_proves_nothing() -> None:
    found = behind_one_url(
        {"listener": "127.0.0.1:8000"}, {"listener": None, "parent": "9", "role": "celery"}
    )
    assert found == ()


def test_server_that_moved_during_the_run_is_no_balancer() -> None:
    heard = [
        worker("site", 1, parent="10", listener="127.0.0.1:8001"),
        worker("site", 2, parent="20", listener="127.0.0.1:8002"),
    ]
    moved = node("site", heard, workers_expected=1, restarted=("site:1",))
    assert codes(rules.check(fleet(moved))) == ["F007"]
