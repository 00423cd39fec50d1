from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cachecheck.model import Key, Member
from cachecheck.rules.observations import Again, Fleet, ReplicaOutcome
from cachecheck.rules.replica import check, suspects, undecided
from observed import cache, fleet, node, worker

if TYPE_CHECKING:
    from cachecheck.rules.observations import Findings

HISTORY, OTHER = "a" * 40, "b" * 40
PRIMARY = Member(
    address="redis://p/0",
    takes_writes=True,
    role="primary",
    run_id="p",
    replication_id=HISTORY,
    offset_bytes=1000,
)
REPLICA = Member(
    address="redis://r/0",
    takes_writes=False,
    role="replica",
    run_id="r",
    replication_id=HISTORY,
    offset_bytes=1000,
    follows="p:6379",
    is_linked=True,
    is_read_only=True,
)


def changed(**fields: Any) -> Member:
    return msgspec.structs.replace(REPLICA, **fields)


DETACHED = changed(role="primary", replication_id=OTHER, follows=None, is_linked=None)
UNLINKED = changed(is_linked=False)


def outcome(replica: Member = REPLICA, **fields: Any) -> ReplicaOutcome:
    return ReplicaOutcome(
        cache="default",
        application="shop",
        through="web-1:1",
        primary=PRIMARY,
        replica=replica,
        configured_by=("web-1:1", "web-2:2"),
        keys_compared=100,
        **fields,
    )


def said_again(*members: Member) -> Fleet:
    again = Again(caches=(cache(members=members),), builders=()) if members else None
    return fleet(node("web-1", [msgspec.structs.replace(worker("web-1", 1), again=again)]))


def judged(one: ReplicaOutcome, later: Member | None = None) -> Findings:
    members = () if later is None else (PRIMARY, later)
    return check(said_again(*members), [one], lambda key: key.name)


def differing(count: int) -> tuple[tuple[Key, str], ...]:
    return tuple((Key(name=f"k{number}"), "divergent") for number in range(count))


def test_replica_that_follows_is_silent_and_nobody_is_asked_again() -> None:
    assert judged(outcome()) == ()
    assert suspects([outcome()]) == ()


def test_server_that_was_detached_is_named_once_it_said_so_again() -> None:
    assert suspects([outcome(DETACHED)]) == ("web-1:1",)
    (found,) = judged(outcome(DETACHED), DETACHED)
    assert (found.code, found.severity) == ("B005", "warning")
    assert (found.cache, found.subject) == ("default", "redis://r/0")
    assert found.message == (
        "the replica redis://r/0 of redis://p/0 is no replica of it, but a primary of its own"
    )
    assert "lag_bytes" not in found.evidence  # offsets in two histories do not compare


def test_server_that_follows_another_one_is_told_with_that() -> None:
    astray = changed(replication_id=OTHER, follows="q:6379")
    (found,) = judged(outcome(astray), astray)
    assert "is no replica of it: it follows q:6379" in found.message


def test_link_that_is_down_twice_is_named_and_one_that_came_back_is_not() -> None:
    (found,) = judged(outcome(UNLINKED), UNLINKED)
    assert found.message.endswith("has lost its link to it")
    assert judged(outcome(UNLINKED), REPLICA) == ()


def test_what_could_not_be_confirmed_is_undecided_and_no_finding() -> None:
    assert judged(outcome(DETACHED)) == ()
    (line,) = undecided(said_again(), [outcome(DETACHED)])
    assert "redis://r/0 is no replica of it" in line
    assert list(undecided(said_again(PRIMARY, DETACHED), [outcome(DETACHED)])) == []


def test_keys_that_stood_are_named_with_the_lag_of_the_last_look() -> None:
    one = outcome(changed(offset_bytes=400), differing=differing(12))
    assert suspects([one]) == ("web-1:1",)
    (found,) = judged(one, changed(offset_bytes=900))
    assert found.message.endswith("has 12 of 100 keys otherwise, 100 bytes behind")
    assert found.evidence["lag_bytes"] == 100
    assert found.evidence["keys_differing"] == {"another value": 12}
    assert len(found.evidence["examples"]) == 10


def test_keys_that_stood_need_no_second_statement() -> None:
    (found,) = judged(outcome(differing=differing(1)))
    assert found.severity == "warning"


def test_lag_that_healed_is_information_with_the_time_it_took() -> None:
    (found,) = judged(outcome(caught_up=2, caught_up_seconds=3.21))
    assert found.severity == "info"
    assert found.message.endswith("lagged behind: 2 of 100 keys agreed only after 3.2 s")


def test_server_that_keeps_its_history_to_itself_is_judged_by_its_keys_alone() -> None:
    silent = Member(address="redis://r/0", takes_writes=False)
    assert judged(outcome(silent), silent) == ()
    (found,) = judged(outcome(silent, differing=differing(1)))
    assert found.message.endswith("has 1 of 100 keys otherwise")
