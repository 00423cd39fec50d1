from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cachecheck.model import StoreIdentity
from cachecheck.rules.observations import Again
from cachecheck.rules.routing import check, suspects, undecided
from observed import cache, codes, fleet, grouped, namespace, node, web, worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.model import CacheDescription
    from cachecheck.rules.observations import Fleet

A, B, C = "10.0.0.1:11211", "10.0.0.2:11211", "10.0.0.3:11211"
PROCESSES = {A: "100:1", B: "200:2", C: "300:3"}
LOCAL_A = "localhost:11211"


def listing(
    servers: Sequence[str],
    keys: Sequence[str] = (),
    *,
    told: Sequence[str] | None = None,
    **changed: Any,
) -> CacheDescription:
    """Describe a list of servers, and the server of each of some probe keys."""
    processes = [PROCESSES.get(label, "") for label in servers] if told is None else told
    identity = StoreIdentity(
        grade="suggested",
        token=f"memcached:{','.join(sorted(processes))}",
        address=",".join(servers),
        servers=tuple(zip(servers, processes, strict=True)),
    )
    routing = tuple((f"probe-{number}", server) for number, server in enumerate(keys))
    return cache(kind="memcached", identity=identity, routing=routing, **changed)


USUAL = listing([A, B], [A, B, A, B])


def test_servers_in_another_order_are_named_with_the_keys_that_move() -> None:
    other = listing([B, A], [B, A, B, A])
    (found,) = check(fleet(web("web-1", USUAL), web("web-2", USUAL), web("web-3", other)))
    assert (found.code, found.severity, found.subject) == ("B004", "error", "shop")
    assert found.message == (
        "keys of 'default' go to other servers on web-3 (4 of 4 probe keys: the servers stand in "
        "another order)"
    )
    assert grouped(found) == {f"{A}, {B}": ("web-1:1", "web-2:1"), f"{B}, {A}": ("web-3:1",)}
    assert found.evidence["keys_per_server"] == {"A": {A: 2, B: 2}, "B": {B: 2, A: 2}}
    assert found.evidence["moved"] == {"B": {f"{A} to {B}": 2, f"{B} to {A}": 2}}


def test_another_order_that_moves_no_key_is_none() -> None:
    assert check(fleet(web("web-1", USUAL), web("web-2", listing([B, A], [A, B, A, B])))) == ()


def test_two_spellings_of_one_server_are_none_where_keys_stay() -> None:
    other = listing([LOCAL_A, B], [LOCAL_A, B, LOCAL_A, B], told=[PROCESSES[A], PROCESSES[B]])
    assert check(fleet(web("web-1", USUAL), web("web-2", other))) == ()


def test_spelling_that_moves_keys_is_named() -> None:
    other = listing([LOCAL_A, B], [B, B, LOCAL_A, B], told=[PROCESSES[A], PROCESSES[B]])
    (found,) = check(fleet(web("web-1", USUAL), web("web-2", other)))
    assert found.evidence["why"] == {"B": [f"{A} is spelled {LOCAL_A}"]}
    assert found.evidence["moved"] == {"B": {f"{A} to {B}": 1}}
    assert "than on web-1: a split without a majority" in found.message


def test_server_that_is_missing_is_named_though_no_probe_key_was_on_it() -> None:
    usual = listing([A, B, C], [A, B, A, B])
    (found,) = check(fleet(web("web-1", usual), web("web-2", usual), web("web-3", USUAL)))
    assert found.evidence["why"] == {"B": [f"{C} is not listed"]}
    assert "0 of 4 probe keys" in found.message


def test_list_of_one_server_sends_every_key_there() -> None:
    (found,) = check(fleet(web("web-1", USUAL, workers=2), web("web-2", listing([A]))))
    assert found.evidence["keys_per_server"]["B"] == {A: 4}
    assert found.evidence["moved"] == {"B": {f"{B} to {A}": 2}}
    single = listing([A])
    assert check(fleet(web("web-1", single), web("web-2", single))) == ()


GIVEN_UP = listing([A, B], [A, A, A, A], dead_servers=(B,))


def with_one_that_gave_up(later: CacheDescription | None) -> Fleet:
    """Observe a worker whose client gave B up, and what it said when it was asked again."""
    other = worker("web-1", 2, (GIVEN_UP,))
    if later is not None:
        other = msgspec.structs.replace(other, again=Again(caches=(later,), builders=()))
    return fleet(node("web-1", [worker("web-1", 1, (USUAL,)), other]), web("web-2", USUAL))


def test_server_that_a_worker_has_given_up_and_not_taken_back_is_named() -> None:
    seen = with_one_that_gave_up(GIVEN_UP)
    (found,) = check(seen)
    assert found.evidence["why"] == {"B": [f"{B} is given up"]}
    assert grouped(found)[f"{A}, {B}; given up: {B}"] == ("web-1:2",)
    assert suspects(seen) == ("web-1:2",)
    assert list(undecided(seen)) == []


@pytest.mark.parametrize("later", [None, USUAL])
def test_server_that_was_not_found_given_up_again_leaves_it_undecided(
    later: CacheDescription | None,
) -> None:
    seen = with_one_that_gave_up(later)
    assert check(seen) == ()
    (line,) = undecided(seen)
    assert line == (
        "default: a server that was given up on web-1:2 was not found so again, so where keys go "
        "there is not known"
    )


def test_server_that_everybody_has_given_up_is_no_drift() -> None:
    everywhere = fleet(web("web-1", GIVEN_UP), web("web-2", GIVEN_UP))
    assert (check(everywhere), suspects(everywhere), list(undecided(everywhere))) == ((), (), [])


def test_only_what_was_given_up_is_asked_for_again() -> None:
    assert suspects(fleet(web("web-1", USUAL), web("web-2", listing([B, A], [B, A, B, A])))) == ()


def test_other_hashing_is_named() -> None:
    other = listing([A, B], [B, B, A, A], settings=(("hasher", "site.hashing.Own"),))
    (found,) = check(fleet(web("web-1", USUAL), web("web-2", USUAL), web("web-3", other)))
    assert found.evidence["why"] == {"B": ["keys are hashed in another way"]}


def test_lists_without_a_common_server_are_different_stores() -> None:
    other = listing([C], told=["300:3"])
    assert check(fleet(web("web-1", listing([A])), web("web-2", other))) == ()


def test_lists_are_compared_through_a_third_one() -> None:
    lists = [listing([A]), listing([C]), listing([A, C], [A, C])]
    (found,) = check(fleet(*(web(f"web-{n}", one) for n, one in enumerate(lists))))
    assert len(found.groups) == 3


def test_localhost_of_another_host_is_another_server() -> None:
    here = listing([LOCAL_A, B], [LOCAL_A, B], told=["100:1", "200:2"])
    there = listing([LOCAL_A, B], [LOCAL_A, B], told=["101:1", "200:2"])
    (found,) = check(fleet(web("web-1", here), web("web-2", there)))
    assert found.code == "B004"
    same_host = [worker("web-1", pid, (here,), host_id="one") for pid in (1, 2)]
    assert check(fleet(node("web-1", same_host))) == ()


def test_server_that_some_could_not_reach_is_the_one_of_that_name() -> None:
    unreached = listing([A, B], [A, B, A, B], told=[PROCESSES[A], ""])
    assert check(fleet(web("web-1", USUAL), web("web-2", unreached))) == ()


def test_server_that_was_restarted_meanwhile_is_still_the_one_of_that_name() -> None:
    restarted = listing([A, B], [A, B, A, B], told=[PROCESSES[A], "201:9"])
    assert check(fleet(web("web-1", USUAL), web("web-2", restarted))) == ()


def test_servers_that_say_the_same_of_themselves_are_told_apart_by_name() -> None:
    """Containers that were started together have equal pids and starts."""
    alike = listing([A, B], [A, B, A, B], told=["1:5", "1:5"])
    other = listing([B, A], [B, A, B, A], told=["1:5", "1:5"])
    assert check(fleet(web("web-1", alike), web("web-2", alike))) == ()
    assert codes(check(fleet(web("web-1", alike), web("web-2", other)))) == ["B004"]


def test_another_prefix_is_not_called_routing() -> None:
    other = listing([A, B], [B, A, B, A], namespace=namespace("other"))
    assert check(fleet(web("web-1", USUAL), web("web-2", other))) == ()


@pytest.mark.parametrize("kind", ["redis", "locmem", "dummy"])
def test_stores_that_divide_nothing_are_silent(kind: str) -> None:
    assert check(fleet(web("web-1", cache(kind=kind)), web("web-2", cache(kind=kind)))) == ()


def test_lists_whose_hashing_is_not_known_are_compared_as_they_stand() -> None:
    usual = listing([A, B], routing_unknown="hash crc is not known")
    other = listing([B, A], routing_unknown="hash crc is not known")
    assert check(fleet(web("web-1", usual), web("web-2", usual))) == ()
    (found,) = check(fleet(web("web-1", usual), web("web-2", usual), web("web-3", other)))
    assert (found.code, found.severity) == ("B004", "warning")
    assert "hash crc is not known" in found.message
    assert f"{B}, {A} on web-3" in found.message
    behaves = msgspec.structs.replace(usual, settings=(("behaviors.hash", "crc"),))
    assert codes(check(fleet(web("web-1", usual), web("web-2", behaves)))) == ["B004"]


def test_hashing_that_is_known_on_one_side_alone_is_compared_as_it_stands() -> None:
    crc = (("behaviors.hash", "crc"),)
    unknown = listing([A, B], routing_unknown="hash crc is not known", settings=crc)
    usual = listing([A, B], [A, B], settings=(("behaviors.hash", "default"),))
    (found,) = check(fleet(web("web-1", usual), web("web-2", usual), web("web-3", unknown)))
    assert (found.code, found.severity) == ("B004", "warning")
    assert grouped(found)[f"{A}, {B}; hash=crc"] == ("web-3:1",)


def test_shards_at_localhost_are_those_of_their_host() -> None:
    shards = ["redis://localhost:1/0", "redis://localhost:2/0"]
    here = listing(shards, shards, told=["", ""])
    there = listing(shards[::-1], shards[::-1], told=["", ""])
    assert check(fleet(web("web-1", here), web("web-2", there))) == ()


def test_more_than_three_ways_are_counted() -> None:
    lists = [[A, B, C], [B, C, A], [C, A, B], [B, A, C], [C, B, A], [A, C, B]]
    views = [web(f"web-{n}", listing(each, each)) for n, each in enumerate(lists)]
    (found,) = check(fleet(*views))
    assert "and in 2 other ways" in found.message
