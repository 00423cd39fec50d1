"""Real memcached servers."""

import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from harness.process import LOOPBACK, HarnessError, Process, exchange, free_port


class MemcachedServer(Process):
    """A memcached; `address` is what Django's LOCATION takes."""

    stop_signal = signal.SIGKILL  # it has nothing to put away, and is gone at once

    def __init__(self, command: Sequence[str], *, host: str, port: int, log: Path) -> None:
        self.host = host
        self.port = port
        self.address = f"{host}:{port}"
        self.url = f"memcached://{self.address}"
        super().__init__(command, log=log)

    def ask(self, command: str) -> str:
        """Return the first answer to one command line of the text protocol."""
        return exchange(self.port, f"{command}\r\n".encode(), host=self.host).decode(
            errors="replace"
        )


def start_memcached(
    tmp: Path, *, host: str = LOOPBACK, port: int | None = None, extra_args: Sequence[str] = ()
) -> MemcachedServer:
    """Start a memcached with 16 MiB, its log in `tmp`; at `port`, where one was stopped before."""
    executable = shutil.which("memcached")
    if executable is None:
        raise HarnessError("memcached is not installed: run tests/install-servers")
    port = free_port() if port is None else port
    # As root it demands a user; another one would drop the tie to this process's life.
    user = ["-u", "root"] if os.geteuid() == 0 else []
    command = [executable, *user, "-l", host, "-p", str(port), "-U", "0", "-m", "16"]
    log = tmp / f"memcached-{host}-{port}.log"
    server = MemcachedServer([*command, *extra_args], host=host, port=port, log=log)
    server.wait_ready(
        lambda: server.ask("version").startswith("VERSION"), what=f"memcached on {port}"
    )
    return server
