"""A node of the demo: gunicorn with several workers, in a process group of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from cachecheck.errors import CachecheckError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOOPBACK = "127.0.0.1"
WORKERS = 3

_POLL_SECONDS = 0.05
_END_SECONDS = 5.0
_LOG_CHARS = 2_000
_NOT_INHERITED = ("CACHECHECK_", "DJANGO_", "GUNICORN_", "SHOP_", "WEB_CONCURRENCY")


class NodeFailed(CachecheckError):
    """A node did not start; carries its name and the end of its log."""

    def __init__(self, name: str, reason: str, log: str) -> None:
        self.name = name
        self.log = log
        super().__init__(f"{name} {reason}\n{log}".rstrip())


class Node:
    """One running node; ``port`` is on the loopback interface."""

    def __init__(self, name: str, folder: Path, env: Mapping[str, str]) -> None:
        """Start the node, with its log and the marks of its workers in ``folder``."""
        self.name = name
        self._log = folder / "log"
        self._ready = folder / "ready"
        self._ready.mkdir(parents=True)
        with socket.socket() as listener, self._log.open("wb") as log:
            # gunicorn takes over the bound socket: no other program can take the port between.
            listener.bind((LOOPBACK, 0))
            self.port: int = listener.getsockname()[1]
            self._process = subprocess.Popen(  # noqa: S603  our own program
                _command(listener.fileno()),
                cwd=folder,
                env=_environment(name, self._ready, env),
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process number of its gunicorn, and of the group of its workers."""
        return self._process.pid

    def wait_until_ready(self, timeout_seconds: float) -> None:
        """Wait for all workers; raises ``NodeFailed`` where they do not come."""
        deadline = time.monotonic() + timeout_seconds
        while len(list(self._ready.iterdir())) < WORKERS:
            if self._process.poll() is not None:
                raise NodeFailed(self.name, "ended at its start:", self._end_of_log())
            if time.monotonic() > deadline:
                reason = f"was not ready within {timeout_seconds:.0f} s:"
                raise NodeFailed(self.name, reason, self._end_of_log())
            time.sleep(_POLL_SECONDS)

    def ask_to_end(self) -> None:
        """Ask gunicorn to end its workers and itself, without waiting for it."""
        if self._process.poll() is None:
            self._process.terminate()

    def end(self) -> None:
        """End gunicorn and every process of its group; doing so twice is harmless."""
        self.ask_to_end()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            _kill_group(self.pid)
            self._process.wait()
        # Workers outlive a gunicorn that was killed. While one lives, nothing else can get the
        # number of its group.
        _kill_group(self.pid)

    def _end_of_log(self) -> str:
        return self._log.read_text(errors="replace")[-_LOG_CHARS:]


def _command(descriptor: int) -> list[str]:
    options = ["--config", "python:cachecheck.demo.site.serving", "--bind", f"fd://{descriptor}"]
    return [sys.executable, "-m", "gunicorn", *options, "cachecheck.demo.site.wsgi"]


def _environment(name: str, ready: Path, env: Mapping[str, str]) -> dict[str, str]:
    inherited = {
        variable: value
        for variable, value in os.environ.items()
        if not variable.startswith(_NOT_INHERITED)
    }
    ours = {
        "DJANGO_SETTINGS_MODULE": "cachecheck.demo.site.settings",
        "SHOP_NODE": name,
        "SHOP_READY": str(ready),
        "SHOP_WORKERS": str(WORKERS),
    }
    return inherited | ours | dict(env)


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
