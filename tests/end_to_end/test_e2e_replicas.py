"""Replicas that reads go to: each is read by itself, and only what does not heal is a finding.

Every alias of this fleet is a scenario of its own, checked with `--cache`.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from harness.balancer import Balancer
from harness.nodes import Node
from harness.process import LOOPBACK, free_port, wait_until
from harness.redis import RedisServer
from harness.scenarios import DJANGO_REDIS, REDIS, Check, Launch, caches, views_of

if TYPE_CHECKING:
    from conftest import RunCli

VALUES = {f"product:{number}": {"id": number} for number in range(30)}


@dataclass(frozen=True, kw_only=True)
class Replicated:
    nodes: tuple[Node, ...]
    primary: RedisServer
    replica: RedisServer
    detached: RedisServer
    relay: Balancer


@pytest.fixture(scope="module")
def fleet(launch: Launch) -> Replicated:
    primary = launch.redis()
    replica = launch.redis(replicaof=primary)
    detached = launch.redis(replicaof=primary)
    relay = launch.balancer(primary)
    lagging = launch.redis(replicaof=relay)
    other = launch.redis()
    down = f"redis://{LOOPBACK}:{free_port()}/0"
    servers = {
        "default": [primary.url, replica.url],
        "same": [primary.url, primary.url.replace("127.0.0.1", "localhost")],
        "detached": [primary.url, replica.url, detached.url],
        "foreign": [primary.url, other.url],
        "silent": [primary.url, down],
        "lagging": [primary.url, lagging.url],
    }
    made: dict[str, Any] = {
        name: {"BACKEND": REDIS, "LOCATION": urls} for name, urls in servers.items()
    }
    made["django-redis"] = {"BACKEND": DJANGO_REDIS, "LOCATION": servers["default"]}
    right, wrong = servers["default"], [replica.url, primary.url]
    nodes = launch.nodes(
        *(
            {
                "caches": {
                    name: {**each, "KEY_PREFIX": name}
                    for name, each in {
                        **made,
                        "backwards": {"BACKEND": REDIS, "LOCATION": location},
                    }.items()
                }
            }
            for location in (right, wrong)
        ),
        workers=1,
    )
    for alias in made:
        nodes[0].app("set_many", cache=alias, value=VALUES, timeout=600)
    with detached.client() as client:
        wait_until(lambda: client.get("detached:1:product:29"), 10, what="replication")
        client.execute_command("REPLICAOF", "NO", "ONE")
    return Replicated(nodes=nodes, primary=primary, replica=replica, detached=detached, relay=relay)


def test_replicas_that_follow_are_read_by_themselves_and_silent(
    fleet: Replicated, check: Check
) -> None:
    aliases = ("default", "django-redis", "same")
    checked = check(fleet.nodes, *caches(*aliases), "--key", "product:1", "--sample", "100")
    assert checked.codes == []
    assert checked.exit_code == 0
    assert checked.report["undecided"] == []
    for alias in aliases[:2]:
        notes = checked.cache(alias)["coverage"]["notes"]
        assert f"30 keys read on the replica {fleet.replica.url} by itself" in notes


def test_plan_names_the_replicas_that_would_be_read(fleet: Replicated, run_cli: "RunCli") -> None:
    done = run_cli("check", fleet.nodes[0].address, "--cache", "default", "--plan")
    assert f"up to 1000 keys on the replica {fleet.replica.url}" in done.stdout


def test_replicas_are_not_said_to_be_compared_in_every_key(fleet: Replicated, check: Check) -> None:
    checked = check(fleet.nodes[:1], "--cache", "default", "--all")
    assert checked.codes == []
    assert checked.exit_code == 3
    (line,) = checked.report["undecided"]
    assert f"the replica {fleet.replica.url} was compared by a sample" in line


def test_servers_that_are_no_replicas_do_not_answer_or_take_no_writes_are_named(
    fleet: Replicated, check: Check
) -> None:
    fleet.nodes[0].app("set", cache="detached", key="product:1", value="new", timeout=600)
    fleet.nodes[0].app("delete", cache="detached", key="product:2")
    checked = check(fleet.nodes, *caches("detached", "foreign", "silent", "backwards"))
    assert checked.exit_code == 1
    assert checked.codes_by_cache == {
        "backwards": ["B006"],
        "detached": ["B005"],
        "foreign": ["B005"],
        "silent": ["B006"],
    }
    found = {one["cache"]: one for one in checked.findings}

    detached = found["detached"]
    assert (detached["severity"], detached["subject"]) == ("warning", fleet.detached.url)
    assert (
        "is no replica of it, but a primary of its own and has 2 of 30 keys otherwise"
        in (detached["message"])
    )
    evidence = detached["evidence"]
    assert sorted(evidence["examples"]) == ["product:1", "product:2"]
    assert evidence["keys_differing"] == {"another value": 1, "on one side only": 1}
    assert evidence["replica"]["role"] == "primary"
    assert evidence["primary"]["offset_bytes"] > 0
    assert set(evidence["configured_on"]) == views_of(*fleet.nodes)

    assert "has 30 of 30 keys otherwise" in found["foreign"]["message"]
    assert "does not answer" in found["silent"]["message"]
    assert found["backwards"]["message"] == (
        f"writes to 'backwards' on {fleet.nodes[1].address} go to {fleet.replica.url}, a read-only "
        "replica"
    )


def test_replica_that_lags_is_named_with_how_far_it_is_behind(
    fleet: Replicated, check: Check
) -> None:
    fleet.relay.hold()
    try:
        fleet.nodes[0].app("set", cache="lagging", key="product:3", value="new", timeout=600)
        checked = check(fleet.nodes, "--cache", "lagging")
    finally:
        fleet.relay.release()
    assert checked.exit_code == 1
    assert checked.codes == ["B005"]
    found = checked.only("B005")
    assert "has 1 of 30 keys otherwise, " in found["message"]
    assert found["evidence"]["lag_bytes"] > 0
    assert found["evidence"]["examples"] == ["product:3"]


def test_lag_that_heals_in_time_is_information_with_the_time_it_took(
    fleet: Replicated, check: Check
) -> None:
    fleet.relay.hold()
    node = fleet.nodes[0]
    try:
        node.app("set", cache="lagging", key="product:4", value="newest", timeout=600)
        looks = node.log.count("read of lagging")
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(check, [node], "--cache", "lagging", "--settle", "20")
            wait_until(
                lambda: run.done() or node.log.count("read of lagging") >= looks + 16,
                20.0,
                what="some looks",
            )
            fleet.relay.release()
            checked = run.result()
    finally:
        fleet.relay.release()
    assert checked.exit_code == 0
    assert checked.codes == ["B005"]
    found = checked.only("B005")
    assert found["severity"] == "info"
    assert "lagged behind: 1 of 30 keys agreed only after" in found["message"]
