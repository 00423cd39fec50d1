"""The tutorial, carried out: its own commands in one shell, its own output line by line."""

from __future__ import annotations

import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.process import Finished, finish, free_port, parent_of, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial" / "first-check.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def script() -> str:
    """Give all commands but the installation, which the tests have had, on ports that are free."""
    installation, *commands = (block for kind, block in BLOCKS if kind == "sh")
    assert "pip install" in installation
    text = "\n".join(commands)
    for port in ("8001", "8002"):
        text = text.replace(port, str(free_port()))
    return text


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for file in tmp_path.glob("web-*.pid"):  # left over only where the tutorial broke off
        with suppress(ProcessLookupError, ValueError):
            os.kill(int(file.read_text()), signal.SIGTERM)


def carry_out(folder: Path) -> Finished:
    inherited = ("HOME", "LANG", "TMPDIR")
    env = {name: os.environ[name] for name in inherited if name in os.environ}
    env["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env["PYTHONDONTWRITEBYTECODE"] = "1"  # settings change within a second of each other
    return finish(["bash", "-euc", script()], env=env, cwd=folder, timeout_seconds=110)


def alike(line: str) -> str:
    """Make two runs' lines equal: numbers, signs, units of time and the width of columns differ."""
    numbered = re.sub(r"[+-]?\d+(\.\d+)?( (ms|s|µs))?", "#", line)
    return " ".join(numbered.split())


def test_tutorial_does_what_it_says_and_leaves_nothing_running(folder: Path) -> None:
    done = carry_out(folder)
    assert done.exit_code == 0, done
    printed = {alike(line) for line in done.stdout.splitlines()}
    shown = [line for kind, block in BLOCKS if kind == "text" for line in block.splitlines()]
    missing = [line for line in shown if alike(line) not in printed]
    assert not missing, done.stdout
    assert re.findall(r"exit code (\d)", done.stdout) == ["1", "0", "1", "3"]
    assert "System check identified no issues" in done.stdout
    assert (folder / "cachecheck.toml").exists()
    pids = [int(pid) for log in folder.glob("web-*.log") for pid in pids_in(log)]
    assert pids
    wait_until(lambda: all(parent_of(pid) is None for pid in pids), what="the nodes' end")


def pids_in(log: Path) -> list[str]:
    return re.findall(r"Booting worker with pid: (\d+)", log.read_text())
