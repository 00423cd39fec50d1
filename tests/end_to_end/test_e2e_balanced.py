"""An address that is no node but a load balancer is said so, and nothing is concluded from it."""

from pathlib import Path

import pytest

from harness.nodes import Node
from harness.scenarios import LOCMEM, MEMCACHED, REDIS, Check, Launch


@pytest.fixture(scope="module")
def hosts(launch: Launch) -> tuple[Node, ...]:
    """Start two nodes on hosts of different names, which share a Redis and a memcached."""
    shared = {
        "default": {"BACKEND": REDIS, "LOCATION": launch.redis().url},
        "memcached": {"BACKEND": MEMCACHED, "LOCATION": launch.memcached().address},
    }
    return launch.nodes({"hostname": "alpha"}, {"hostname": "beta"}, caches=shared, workers=2)


@pytest.fixture(scope="module")
def named(launch: Launch) -> tuple[Node, ...]:
    """Start two nodes that have names, and go by no other."""
    return launch.nodes(
        *({"cachecheck": {"NODE": name}} for name in ("shop-1", "shop-2")),
        caches={"default": {"BACKEND": LOCMEM}},
        workers=1,
    )


def test_address_of_two_hosts_is_no_node(
    launch: Launch, hosts: tuple[Node, ...], check: Check
) -> None:
    balancer = launch.balancer(*hosts)
    checked = check([balancer.address], "--cache", "default")
    assert checked.exit_code == 3
    assert checked.codes == ["F008"]
    found = checked.only("F008")
    assert found["subject"] == balancer.address
    assert "alpha" in found["message"]
    assert "beta" in found["message"]
    assert checked.report["verdict"] == "undecided"
    assert checked.report["undecided"]


def test_those_hosts_by_themselves_are_consistent(hosts: tuple[Node, ...], check: Check) -> None:
    checked = check(hosts, "--cache", "default")
    assert checked.exit_code == 0
    assert checked.codes == []
    assert checked.views_by_store() == [4]


def test_balancer_in_front_of_one_host_is_as_good_as_its_node(
    launch: Launch, hosts: tuple[Node, ...], check: Check
) -> None:
    checked = check([launch.balancer(hosts[0]).address], "--cache", "default")
    assert checked.exit_code == 0
    assert checked.codes == []


def test_memcached_of_several_hosts_is_recognised_by_witnesses(
    hosts: tuple[Node, ...], check: Check
) -> None:
    """What a server tells of its process could be told by one on every host."""
    empty = check(hosts, "--cache", "memcached")
    assert empty.exit_code == 3
    assert empty.codes == []
    hosts[0].app("set_many", cache="memcached", value={"a": 1, "b": 2})
    checked = check(hosts, "--cache", "memcached")
    assert checked.exit_code == 0
    assert checked.codes == []
    assert checked.views_by_store("memcached") == [4]
    assert checked.cache("memcached")["stores"][0]["identity"] == "confirmed"
    assert checked.cache("memcached")["agreement"]["agreeing"] == 2


def test_address_of_two_servers_of_one_host_is_no_node(launch: Launch, check: Check) -> None:
    local = {"default": {"BACKEND": LOCMEM}}
    servers = launch.nodes(
        {}, {}, caches=local, workers=1, cachecheck={"SCOPES": {"default": "worker"}}
    )
    checked = check([launch.balancer(*servers).address])
    assert checked.exit_code == 3
    assert checked.codes == ["F008"]


def test_address_of_two_names_is_no_node(
    launch: Launch, named: tuple[Node, ...], check: Check
) -> None:
    checked = check([launch.balancer(*named).address])
    assert checked.exit_code == 3
    assert "F008" in checked.codes
    assert set(checked.codes) <= {"F002", "F008"}
    message = checked.only("F008")["message"]
    assert "shop-1" in message
    assert "shop-2" in message


def test_nodes_answer_to_their_own_names(
    named: tuple[Node, ...], check: Check, tmp_path: Path
) -> None:
    fleet = "".join(
        f'[[fleets.web.nodes]]\nname = "shop-{number}"\nurl = "{node.url}"\n'
        for number, node in enumerate(named, 1)
    )
    (tmp_path / "cachecheck.toml").write_text(fleet)
    checked = check([], "--key", "k")
    assert checked.exit_code == 1
    assert checked.codes == ["B001"]
    assert [node["name"] for node in checked.report["nodes"]] == ["shop-1", "shop-2"]
