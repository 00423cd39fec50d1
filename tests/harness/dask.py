"""A Dask scheduler with two workers, each a process."""

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness.process import LOOPBACK, Process, free_port

_PROGRAM = "from distributed.cli.dask_{0} import main; main()"
_WORKERS = 2


@contextmanager
def start_dask(tmp: Path) -> Iterator[str]:
    """Start them with files in `tmp`; give the address of the scheduler."""
    port = free_port()
    address = f"tcp://{LOOPBACK}:{port}"
    with ExitStack() as started:

        def start(name: str, *arguments: str) -> Process:
            command = [sys.executable, "-c", _PROGRAM.format(name), *arguments, "--no-dashboard"]
            log = tmp / f"dask-{name}.log"
            return started.enter_context(Process(command, log=log, cwd=tmp))

        scheduler = start("scheduler", "--host", LOOPBACK, "--port", str(port))
        scheduler.wait_ready(lambda: _listens(port), 60.0, what="scheduler")
        for _ in range(_WORKERS):
            start("worker", address, "--nthreads", "1", "--local-directory", str(tmp))
        yield address


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), 1.0):
            return True
    except OSError:
        return False
