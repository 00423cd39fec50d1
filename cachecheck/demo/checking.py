"""The check of the demo: the command that anybody would type, run as a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cachecheck.demo.deployment import SECRET_FILE
from cachecheck.demo.faults import DRIFTED_KEY, STALE_KEY
from cachecheck.errors import CachecheckError
from cachecheck.reporting import json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.demo.deployment import Deployment
    from cachecheck.demo.signals import Signals
    from cachecheck.model import Report

_REPORT_FILE = "report.json"
_NAME = "cachecheck"


class CheckFailed(CachecheckError):
    """The check left no report; carries its exit code."""

    def __init__(self, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(f"the check ended with exit code {exit_code} and left no report")


def arguments(deployment: Deployment) -> tuple[tuple[str, ...], ...]:
    """Give the arguments of the check, each option together with its value."""
    return (
        ("check",),
        *((f"{name}={address}",) for name, address in deployment.addresses.items()),
        ("--secret-file", SECRET_FILE),
        ("--key", STALE_KEY),
        ("--key", DRIFTED_KEY),
        ("--sample", "100"),
        ("--settle", "2"),
        ("--save", _REPORT_FILE),
    )


def run(words: Sequence[str], deployment: Deployment, signals: Signals) -> int:
    """Run ``cachecheck`` in the folder of the deployment, its output to ours; gives its exit code.

    Where a signal asks us to end, it ends with us.
    """
    with signals.held():
        process = subprocess.Popen(  # noqa: S603  our own program
            [sys.executable, "-m", _NAME, *words],
            cwd=deployment.folder,
            stdin=subprocess.DEVNULL,
        )
    try:
        return process.wait()
    finally:
        process.kill()  # does nothing to one that was waited for
        process.wait()


def report(deployment: Deployment, exit_code: int) -> Report:
    """Read what the check reported; raises ``CheckFailed`` where it did not get that far."""
    try:
        text = (deployment.folder / _REPORT_FILE).read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise CheckFailed(exit_code) from exc
    return json.parse(text)


def folder_of_program() -> Path | None:
    """Give the folder that the shell has to search for this ``cachecheck``; None: it does."""
    ours = Path(sys.executable).parent
    found = shutil.which(_NAME)
    return None if found and Path(found).parent == ours else ours
