from __future__ import annotations

from typing import Any

import msgspec

from cachecheck.model import Member
from cachecheck.rules.failing import check, suspects, undecided
from cachecheck.rules.observations import Again, Fleet, ObservedWorker
from observed import cache, fleet, grouped, healthy, node, unseen_cache, worker

REFUSED = "connection refused"


def looking(
    name: str, pid: int, failing: str | None = None, again: str | None = None, **changed: Any
) -> ObservedWorker:
    """Observe a worker whose store fails, and failed once more where ``again`` says so."""
    described = cache(failing=failing, **changed)
    later = None
    if again is not None:
        later = Again(caches=(cache(failing=again or None, **changed),), builders=())
    return msgspec.structs.replace(worker(name, pid, (described,)), again=later)


def seen(*workers: ObservedWorker) -> Fleet:
    names = dict.fromkeys(one.node for one in workers)
    return fleet(*(node(name, [one for one in workers if one.node == name]) for name in names))


def test_stores_that_answer_are_silent_and_nobody_is_asked_again() -> None:
    assert check(healthy()) == ()
    assert suspects(healthy()) == ()


def test_one_worker_of_each_node_is_asked_again_for_each_thing_that_was_said() -> None:
    whole = seen(
        *(looking("web-1", pid, REFUSED) for pid in (1, 2)),
        looking("web-1", 3, "timed out"),
        looking("web-2", 4, REFUSED),
        looking("web-3", 5),
    )
    assert suspects(whole) == ("web-1:1", "web-1:3", "web-2:4")


def test_store_that_does_not_answer_one_node_names_it() -> None:
    (found,) = check(
        seen(
            looking("web-1", 1, REFUSED, again=REFUSED, hides_errors=True),
            looking("web-1", 2, REFUSED, hides_errors=True),
            *(looking("web-2", pid) for pid in (3, 4, 5)),
        )
    )
    assert (found.code, found.severity) == ("B006", "error")
    assert (found.cache, found.subject) == ("default", "shop")
    assert found.message == (
        "the store of 'default' does not answer: connection refused on web-1; answers on the other "
        "3 of 5 views; the client hides errors there, so the site sees misses"
    )
    assert grouped(found)["does not answer: connection refused"] == ("web-1:1", "web-1:2")
    assert found.evidence["errors_hidden_on"] == ["web-1:1", "web-1:2"]


def test_store_that_answers_nobody_says_so_once() -> None:
    alike = [looking(f"web-{number}", number, REFUSED, again=REFUSED) for number in (1, 2)]
    (found,) = check(seen(*alike))
    assert found.message == (
        "the store of 'default' does not answer: connection refused on all 2 views"
    )
    (found,) = check(seen(alike[0], looking("web-2", 2, "timed out", again="timed out")))
    assert found.message == (
        "the store of 'default' does not answer on any of 2 views: connection refused and timed out"
    )


def test_errors_that_are_hidden_on_some_views_are_told_as_such() -> None:
    workers = [
        looking("web-1", 1, REFUSED, again=REFUSED, hides_errors=True),
        looking("web-2", 2, REFUSED, again=REFUSED),
    ]
    (found,) = check(seen(*workers))
    assert found.message.endswith("hides errors on 1 of these views, so the site sees misses")


def test_store_that_answered_a_moment_later_is_silent() -> None:
    assert check(seen(looking("web-1", 1, REFUSED, again=""), looking("web-2", 2))) == ()


def test_what_could_not_be_asked_again_is_no_finding() -> None:
    assert check(seen(looking("web-1", 1, REFUSED))) == ()


def test_backend_that_raised_takes_no_part() -> None:
    broken = worker("web-2", 2, (unseen_cache(),))
    (found,) = check(seen(looking("web-1", 1, REFUSED, again=REFUSED), broken))
    assert set(grouped(found)) == {"does not answer: connection refused"}


# --- servers by themselves -----------------------------------------------------------------


def server(address: str, **fields: Any) -> Member:
    return Member(address=address, takes_writes=address == "p", **fields)


READ_ONLY = (server("p", role="replica", is_read_only=True, follows="q:6379"),)
SILENT = (server("p"), server("r", failure=REFUSED))


def configured(
    pid: int, first: tuple[Member, ...], again: tuple[Member, ...] = ()
) -> ObservedWorker:
    later = Again(caches=(cache(members=again),), builders=()) if again else None
    seen_by = worker("web-1", pid, (cache(members=first),))
    return msgspec.structs.replace(seen_by, again=later)


def test_writes_to_a_read_only_replica_are_named_once_that_was_said_again() -> None:
    whole = seen(configured(1, READ_ONLY, READ_ONLY), configured(2, READ_ONLY))
    assert suspects(whole) == ("web-1:1",)
    (found,) = check(whole)
    assert (found.code, found.severity, found.subject) == ("B006", "error", "p")
    assert found.message == "writes to 'default' on web-1 go to p, a read-only replica"
    assert check(seen(configured(1, READ_ONLY))) == ()
    assert check(seen(configured(1, READ_ONLY, (server("p", role="primary"),)))) == ()


def test_replica_that_is_silent_twice_is_named_and_the_store_is_not() -> None:
    (found,) = check(seen(configured(1, SILENT, SILENT)))
    assert found.message == ("the replica r of 'default' does not answer web-1: connection refused")
    assert check(seen(configured(1, SILENT, (server("p"), server("r"))))) == ()


def test_replica_that_was_silent_once_was_not_compared_and_leaves_that_undecided() -> None:
    back = (server("p"), server("r"))
    (said,) = undecided(seen(configured(1, SILENT, back)))
    assert said == (
        "default: the replica r was not compared through web-1: r did not answer "
        "(connection refused)"
    )
    assert list(undecided(seen(configured(1, SILENT)))) != []
    assert list(undecided(seen(configured(1, SILENT, back), configured(2, back)))) == []
    assert list(undecided(seen(configured(1, back)))) == []


def test_replica_of_a_server_that_was_silent_once_was_not_compared() -> None:
    back = (server("p"), server("r"))
    (said,) = undecided(seen(configured(1, (server("p", failure=REFUSED), server("r")), back)))
    assert said == (
        "default: the replica r was not compared through web-1: "
        "p did not answer (connection refused)"
    )


def test_replica_that_is_read_only_is_as_it_should_be() -> None:
    healthy_pair = (server("p", role="primary"), server("r", role="replica", is_read_only=True))
    assert suspects(seen(configured(1, healthy_pair))) == ()
