"""What can be done with a report: which findings count, where it goes, and what it never shows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.memcached import MemcachedServer
from harness.nodes import Node
from harness.process import Finished
from harness.redis import RedisServer
from harness.scenarios import LOCMEM, MEMCACHED, REDIS, Check, Launch

SESSION = "django.contrib.sessions.cache0123456789abcdef"
OTHER_SESSION = "django.contrib.sessions.cachefedcba9876543210"
RunCli = Callable[..., Finished]


@pytest.fixture(scope="module")
def redis(launch: Launch) -> RedisServer:
    return launch.redis()


@pytest.fixture(scope="module")
def memcached(launch: Launch) -> MemcachedServer:
    return launch.memcached()


@pytest.fixture(scope="module")
def fleet(launch: Launch, redis: RedisServer, memcached: MemcachedServer) -> tuple[Node, ...]:
    """Start two nodes whose prefix differs in one cache, and whose processes cache in another."""

    def node(prefix: str, timeout: int, database: str, **cachecheck: Any) -> dict[str, Any]:
        store = {"BACKEND": REDIS, "LOCATION": redis.url}
        caches = {
            "default": store,
            "drift": store | {"KEY_PREFIX": prefix},
            "timeout": store | {"TIMEOUT": timeout},
            "local": {"BACKEND": LOCMEM},
            "memcached": {"BACKEND": MEMCACHED, "LOCATION": memcached.address},
            "split": {"BACKEND": REDIS, "LOCATION": redis.url[:-1] + database},
        }
        return {"caches": caches, "cachecheck": {"SCOPES": {"local": "worker"}, **cachecheck}}

    nodes = launch.nodes(node("shop", 300, "1"), node("shop-eu", 600, "2", WITHHOLD=[]), workers=2)
    for number, each in enumerate(nodes):
        for pid in each.worker_pids():
            for key in (SESSION, "user:1"):
                each.app_on_worker(pid, "set", cache="local", key=key, value=number, timeout=None)
    nodes[0].app("set_many", value={f"product:{number}": number for number in range(30)})
    nodes[0].app("set_many", cache="memcached", value={"a": 1, "b": 2})
    nodes[1].app("set_many", cache="split", value={"a": 1, "b": 2})
    return nodes


@pytest.fixture
def run_check(run_cli: RunCli, fleet: tuple[Node, ...]) -> RunCli:
    """Run `check` on the fleet as it is run by hand."""

    def run(*options: str) -> Finished:
        return run_cli("check", *(node.address for node in fleet), "--settle", "0.5", *options)

    return run


# --- which findings count ------------------------------------------------------------------


def test_finding_of_the_baseline_does_not_fail(
    fleet: tuple[Node, ...], check: Check, tmp_path: Path
) -> None:
    known = str(tmp_path / "known.json")
    assert check(fleet, "--cache", "drift", "--save", known).exit_code == 1
    again = check(fleet, "--cache", "drift", "--baseline", known)
    assert again.exit_code == 0
    assert again.only("N001")["is_known"]
    more = check(fleet, "--cache", "drift", "--cache", "timeout", "--baseline", known)
    assert more.exit_code == 1
    assert [one["code"] for one in more.findings if not one["is_known"]] == ["T003"]


def test_baseline_knows_findings_by_what_they_are_about(
    fleet: tuple[Node, ...], check: Check, tmp_path: Path
) -> None:
    known = str(tmp_path / "known.json")
    first = check(fleet, "--cache", "local", "--key", "user:1", "--save", known)
    assert first.codes == ["V001"]
    for node in fleet:
        for pid in node.worker_pids():
            node.app_on_worker(pid, "set", cache="local", key="user:2", value=pid, timeout=None)
    other = check(fleet, "--cache", "local", "--key", "user:2", "--baseline", known)
    assert other.exit_code == 1
    assert not other.only("V001")["is_known"]


@pytest.mark.parametrize(
    ("options", "codes", "exit_code"),
    [
        ([], ["N001", "T003"], 1),
        (["--select", "N,V"], ["N001"], 1),
        (["--ignore", "N", "--ignore", "T003"], [], 0),
        (["--fail-on", "error", "--ignore", "N001"], ["T003"], 0),
        (["--fail-on", "warning", "--ignore", "N001"], ["T003"], 1),
        (["--exit-zero"], ["N001", "T003"], 0),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_findings_are_chosen(
    fleet: tuple[Node, ...], check: Check, options: list[str], codes: list[str], exit_code: int
) -> None:
    checked = check(fleet, "--cache", "drift", "--cache", "timeout", "--sample", "0", *options)
    assert checked.codes == codes
    assert checked.exit_code == exit_code


def test_information_counts_where_that_is_asked_for(fleet: tuple[Node, ...], check: Check) -> None:
    for number, node in enumerate(fleet):
        node.app("set", cache="local", key="sampled", value=number)
    assert check(fleet, "--cache", "local").exit_code == 0
    assert check(fleet, "--cache", "local", "--fail-on", "info").exit_code == 1


def test_findings_beyond_the_most_are_counted(fleet: tuple[Node, ...], check: Check) -> None:
    keys = [f"many:{number}" for number in range(5)]
    for node in fleet:
        for pid in node.worker_pids():
            values = dict.fromkeys(keys, pid)
            node.app_on_worker(pid, "set_many", cache="local", value=values, timeout=None)
    named = [word for key in keys for word in ("--key", key)]
    checked = check(fleet, "--cache", "local", *named, "--max-findings", "2")
    assert checked.codes == ["V001", "V001"]
    assert checked.report["findings_left_out"] == {"V001": 3}


# --- plan, save, nodes ---------------------------------------------------------------------


def test_plan_reads_nothing(
    run_check: RunCli, redis: RedisServer, memcached: MemcachedServer
) -> None:
    """Not even witnesses of who shares a store, which two databases ask for."""
    before = _reads(redis, memcached)
    planned = run_check("--plan")
    assert planned.exit_code == 0
    assert planned.stderr == ""
    assert "local" in planned.stdout
    assert "survey up to" in planned.stdout
    assert _reads(redis, memcached) == before
    assert run_check("--cache", "default", "--cache", "memcached").exit_code == 0
    assert _reads(redis, memcached) != before


def _reads(redis: RedisServer, memcached: MemcachedServer) -> tuple[int, ...]:
    """Count what was read of entries, and what was listed."""
    with redis.client() as client:
        stats = client.info("stats")
        commands = client.info("commandstats")
    scans = commands.get("cmdstat_scan", {"calls": 0})["calls"]
    told = dict(line.split()[1:] for line in memcached.ask("stats").splitlines()[:-1])
    counted = [told[name] for name in ("cmd_get", "cmd_meta", "get_hits", "cmd_touch")]
    return (stats["keyspace_hits"], stats["keyspace_misses"], scans, *map(int, counted))


def test_report_is_saved_as_it_is_shown(
    run_check: RunCli, published_schema: Draft202012Validator, tmp_path: Path
) -> None:
    file = tmp_path / "report.json"
    shown = run_check("--cache", "drift", "--format", "json", "--save", str(file))
    assert file.read_text() == shown.stdout
    published_schema.validate(json.loads(file.read_text()))
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".json"] == ["report.json"]


def test_report_is_saved_beside_a_table(
    run_check: RunCli, published_schema: Draft202012Validator, tmp_path: Path
) -> None:
    shown = run_check("--cache", "drift", "--save", str(tmp_path / "report.json"))
    assert shown.exit_code == 1
    assert "N001" in shown.stdout
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())
    published_schema.validate(json.loads((tmp_path / "report.json").read_text()))


def test_quiet_says_nothing_where_all_is_well(run_check: RunCli) -> None:
    well = run_check("--cache", "default", "--quiet")
    assert (well.exit_code, well.stdout, well.stderr) == (0, "", "")
    ill = run_check("--cache", "drift", "--quiet")
    assert ill.exit_code == 1
    assert "N001" in ill.stdout


def test_nodes_are_shown(
    run_cli: RunCli, fleet: tuple[Node, ...], published_schema: Draft202012Validator
) -> None:
    addresses = [node.address for node in fleet]
    shown = run_cli("nodes", *addresses)
    assert shown.exit_code == 0
    assert shown.stderr == ""
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())
    for node in fleet:
        assert node.address in shown.stdout
    report = json.loads(run_cli("nodes", *addresses, "--format", "json").stdout)
    published_schema.validate(report)
    assert [node["name"] for node in report["nodes"]] == addresses
    told = [{worker["pid"] for worker in node["workers"]} for node in report["nodes"]]
    assert told == [set(node.worker_pids()) for node in fleet]
    stores = {cache["alias"]: len(cache["stores"]) for cache in report["caches"]}
    one = dict.fromkeys(("default", "drift", "memcached", "timeout"), 1)
    assert stores == {**one, "local": 4, "split": 2}


# --- what is never shown -------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["table", "json"])
def test_session_key_is_in_no_output(run_check: RunCli, tmp_path: Path, format_: str) -> None:
    """One node withholds it, the other does not: what is compared is redacted all the same."""
    file = tmp_path / "report.json"
    shown = run_check(
        "--cache", "local", "--key", SESSION, "--key", "user:1", "--verbose", "--format", format_,
        "--save", str(file),
    )  # fmt: skip
    assert shown.exit_code == 1
    assert SESSION not in shown.stdout + shown.stderr + file.read_text()
    assert SESSION[-16:] not in shown.stdout + shown.stderr + file.read_text()
    assert "user:1" in shown.stdout


def test_session_that_differs_is_told_of_by_a_digest(fleet: tuple[Node, ...], check: Check) -> None:
    """Where no node withholds it, a session is compared; the report names it by a digest."""
    for pid in fleet[1].worker_pids():
        fleet[1].app_on_worker(pid, "set", cache="local", key=OTHER_SESSION, value=pid)
    checked = check(fleet[1:], "--cache", "local", "--key", OTHER_SESSION)
    assert checked.exit_code == 1
    assert checked.only("V001")["subject"].startswith("redacted:")
    assert OTHER_SESSION not in json.dumps(checked.report)


def test_session_that_one_node_withholds_is_left_out_of_the_sample(
    fleet: tuple[Node, ...], check: Check
) -> None:
    checked = check(fleet, "--cache", "local")
    assert checked.report["undecided"] == []
    assert any("withheld by a node" in note for note in checked.cache("local")["coverage"]["notes"])


def test_session_that_nodes_withhold_is_undecided(fleet: tuple[Node, ...], check: Check) -> None:
    checked = check(fleet[:1], "--cache", "local", "--key", SESSION)
    assert checked.exit_code == 3
    assert checked.codes == []
    assert SESSION not in json.dumps(checked.report)
    assert "redacted:" in checked.report["undecided"][0]


def test_secret_is_in_no_output(run_check: RunCli, fleet: tuple[Node, ...]) -> None:
    shown = run_check("--cache", "drift", "--verbose", "--format", "json")
    assert fleet[0].secret not in shown.stdout + shown.stderr


@pytest.mark.parametrize("cache", ["default", "memcached", "local"])
def test_sessions_are_withheld_from_the_sample(
    fleet: tuple[Node, ...], check: Check, cache: str
) -> None:
    fleet[0].app("set", cache=cache, key=SESSION, value="a session")
    checked = check(fleet[:1], "--cache", cache)
    assert SESSION not in json.dumps(checked.report)
    assert max(store["withheld"] for store in checked.cache(cache)["stores"]) >= 1
