"""The crontab in configs/ does what it says: its own command line, in cron's poor environment."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.nodes import SECRET, Node
from harness.process import Finished, finish, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

CRONTAB = (Path(__file__).parents[2] / "configs" / "crontab").read_text("utf-8")
INSTALLED = "/etc/cachecheck/cachecheck.toml"
SCHEDULE = "*/5 * * * * "
FILES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": "cache",
        "KEY_PREFIX": "shop",
    }
}

StartNode = Callable[..., Node]


def lines() -> list[str]:
    return [line for line in CRONTAB.splitlines() if line and not line.startswith("#")]


def variables() -> dict[str, str]:
    return dict(line.split("=", 1) for line in lines() if re.match(r"\w+=", line))


def job() -> str:
    (line,) = (line for line in lines() if not re.match(r"\w+=", line))
    return line.removeprefix(SCHEDULE)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    folder.mkdir()
    secret = folder / "secret"
    secret.write_text(f"{SECRET}\n")
    secret.chmod(0o600)
    return folder / "cachecheck.toml"


@pytest.fixture
def cron(tmp_path: Path, config: Path) -> Callable[[], Finished]:
    """Run the job as cron does: by its shell, at home, with hardly any environment."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "cachecheck").symlink_to(Path(sys.executable).with_name("cachecheck"))
    home = tmp_path / "home"
    home.mkdir()
    told = variables()
    path = told["PATH"].replace("/opt/cachecheck/bin", str(programs))
    poor = [f"HOME={home}", "LOGNAME=nobody", f"PATH={path}", f"SHELL={told['SHELL']}"]
    # A measured run leaves its numbers behind; cron itself sets nothing of the kind.
    poor += [f"{name}={value}" for name, value in os.environ.items() if name.startswith("COV")]

    def run() -> Finished:
        command = job().replace(INSTALLED, str(config))
        return finish(["env", "-i", *poor, told["SHELL"], "-c", command], env={}, cwd=home)

    return run


def write(config: Path, *addresses: str) -> None:
    nodes = ", ".join(f'"web-{at}={address}"' for at, address in enumerate(addresses, 1))
    secret = config.with_name("secret")
    config.write_text(
        f'[fleets.production]\nnodes = [{nodes}]\nsecret_file = "{secret}"\n'
        "[defaults]\nsettle = 0.5\ndeadline = 20\n"
    )


def start(start_node: StartNode, tmp_path: Path, *prefixes: str) -> list[Node]:
    shared = {**FILES["default"], "LOCATION": str(tmp_path / "cache")}
    nodes = [
        start_node(
            name=f"web-{at}",
            caches={"default": {**shared, "KEY_PREFIX": prefix}},
            workers=2,
            wait=False,
        )
        for at, prefix in enumerate(prefixes, 1)
    ]
    for node in nodes:
        node.wait_until_booted()
    return nodes


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def test_crontab_is_a_job_every_five_minutes_that_mails_what_it_prints() -> None:
    assert any(line.startswith(SCHEDULE) for line in lines())
    assert variables()["MAILTO"]
    assert "%" not in job()  # cron would make a line end of it
    assert "--quiet" in job()
    assert f"--config {INSTALLED}" in job()
    assert "secret" not in job().lower()
    assert CRONTAB.endswith("\n")  # without it, cron leaves the last line out
    assert shutil.which("flock")


def test_nothing_is_printed_where_all_is_well(
    cron: Callable[[], Finished], config: Path, start_node: StartNode, tmp_path: Path
) -> None:
    nodes = start(start_node, tmp_path, "shop", "shop")
    nodes[0].app("set", key="product:1", value=1)
    write(config, *(node.address for node in nodes))
    assert cron() == Finished(exit_code=0, stdout="", stderr="")


def test_report_is_printed_where_prefixes_differ(
    cron: Callable[[], Finished], config: Path, start_node: StartNode, tmp_path: Path
) -> None:
    nodes = start(start_node, tmp_path, "shop", "shop-new")
    write(config, *(node.address for node in nodes))
    done = cron()
    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout.startswith("DIVERGENT")
    assert "N001 prefix-drift" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_report_is_printed_where_a_node_is_down(
    cron: Callable[[], Finished], config: Path, start_node: StartNode, tmp_path: Path
) -> None:
    (node,) = start(start_node, tmp_path, "shop")
    write(config, node.address, f"127.0.0.1:{free_port()}")
    done = cron()
    assert (done.exit_code, done.stderr) == (3, "")
    assert "F001 node-unreachable" in done.stdout


def test_run_is_left_out_while_another_goes_on(cron: Callable[[], Finished], config: Path) -> None:
    write(config, f"127.0.0.1:{free_port()}")
    with locked(config):
        assert cron() == Finished(exit_code=1, stdout="", stderr="")


def test_secret_that_cannot_be_read_is_said(cron: Callable[[], Finished], config: Path) -> None:
    write(config, f"127.0.0.1:{free_port()}")
    config.with_name("secret").unlink()
    done = cron()
    assert (done.exit_code, done.stdout) == (2, "")
    assert "cannot read the secret" in done.stderr
