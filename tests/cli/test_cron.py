"""What cron runs: silent where all is well, a short report where not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.nodes import SECRET, Node
from harness.process import LOOPBACK, Finished, free_port

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
DECLARED = {"SCOPES": {"default": "worker"}}
CONFIG = """\
[fleets.shop]
nodes = [{nodes}]
secret_file = "{secret}"

[defaults]
key = ["user:1"]
settle = 0.3
"""

RunCli = Callable[..., Finished]
Configure = Callable[..., str]


@pytest.fixture
def nodes(start_node: Callable[..., Node]) -> tuple[Node, ...]:
    started = tuple(
        start_node(name=name, caches=CACHES, cachecheck=DECLARED, workers=1, wait=False)
        for name in ("web-1", "web-2")
    )
    for node in started:
        node.wait_until_booted()
        node.app("set", key="user:1", value="Ada", timeout=None)
    return started


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    def write(*addresses: str) -> str:
        (tmp_path / "secret").write_text(f"{SECRET}\n")
        quoted = ", ".join(f'"{address}"' for address in addresses)
        text = CONFIG.format(nodes=quoted, secret=tmp_path / "secret")
        (tmp_path / "fleet.toml").write_text(text)
        return str(tmp_path / "fleet.toml")

    return write


def test_cron_is_quiet_where_all_is_well_and_brief_where_not(
    nodes: tuple[Node, ...], configure: Configure, run_cli: RunCli
) -> None:
    addresses = [node.address for node in nodes]

    def quietly(config: str) -> Finished:
        return run_cli("check", "--quiet", "--config", config, env={"CACHECHECK_SECRET": ""})

    assert quietly(configure(*addresses)) == Finished(exit_code=0, stdout="", stderr="")

    undecided = quietly(configure(*addresses, f"{LOOPBACK}:{free_port()}"))
    assert (undecided.exit_code, undecided.stderr) == (3, "")
    assert undecided.stdout.startswith("UNDECIDED")
    assert "F001" in undecided.stdout

    nodes[1].app("set", key="user:1", value="Grace", timeout=None)
    divergent = quietly(configure(*addresses))
    assert (divergent.exit_code, divergent.stderr) == (1, "")
    assert divergent.stdout.startswith("DIVERGENT")
    assert "V001" in divergent.stdout
    assert len(divergent.stdout.splitlines()) < 40
    assert max(map(len, divergent.stdout.splitlines())) <= 80
