"""`check --all --dask`: whoever does the work, the report is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.dask import start_dask
from harness.planting import Faults, pairs
from harness.process import LOOPBACK, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import RunCli
    from harness.redis import RedisCluster
    from harness.scenarios import Check, Checked, Launch

COUNT = 3_000
ALL = ("--all", "--settle", "0")


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    with start_dask(tmp_path) as address:
        yield address


def told(checked: Checked) -> dict[str, Any]:
    """Take out of a report all but what another run has of its own: ids, times and digests."""
    cache = checked.cache()
    return {
        "findings": [
            (one["code"], one["subject"], one["severity"], one["message"], _groups(one))
            for one in checked.findings
        ],
        "coverage": cache["coverage"],
        "agreement": cache["agreement"],
        "undecided": checked.report["undecided"],
        "exit": checked.exit_code,
    }


def _groups(finding: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(group["label"], group["views"], group["state"]) for group in finding["groups"]]


def test_the_report_is_the_same_from_a_dask_cluster_and_from_processes(
    start_cluster: Callable[..., RedisCluster], launch: Launch, check: Check, scheduler: str
) -> None:
    cluster, server, faults = start_cluster(), launch.redis(), Faults()
    with cluster.client() as one, server.client() as other:
        for pair in pairs(COUNT, faults):
            for client, entry in zip((one, other), pair, strict=True):
                if entry is not None:
                    client.set(entry.name, entry.value, pxat=entry.expires_ms)
    cluster.wait_for_replicas()
    addresses = [f"cluster={cluster.url}", f"single={server.url}"]
    by_processes = check(addresses, *ALL)
    by_dask = check(addresses, *ALL, "--dask", scheduler)
    assert told(by_dask) == told(by_processes)
    found = {one["subject"] for one in by_dask.findings if one["code"][0] in "VT"}
    assert found == set().union(*faults.named.values())
    assert by_dask.cache()["coverage"]["keys_compared"] == COUNT


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((f"redis://{LOOPBACK}:1/0", "--dask", "tcp://{dead}"), "--dask goes with --all"),
        ((f"{LOOPBACK}:1", "--all", "--dask", "tcp://{dead}"), "no node is one: redis://HOST/0"),
        (
            (f"redis://{LOOPBACK}:1/0", "--all", "--timeout", "1", "--dask", "tcp://{dead}"),
            "no Dask scheduler answered there",
        ),
        ((f"redis://{LOOPBACK}:1/0", "--all", "--dask", "nonsense"), "--dask takes tcp://"),
        ((f"redis://{LOOPBACK}:1/0", "--all", "--dask", "foo://{dead}"), "--dask takes tcp://"),
    ],
)
def test_a_dask_cluster_that_cannot_be_used_is_a_usage_error(
    run_cli: RunCli, arguments: tuple[str, ...], text: str
) -> None:
    dead = f"{LOOPBACK}:{free_port()}"
    done = run_cli("check", *(word.format(dead=dead) for word in arguments))
    assert done.exit_code == 2, done
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stdout == ""
