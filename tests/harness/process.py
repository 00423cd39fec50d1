"""Processes that a test starts, watches and surely ends."""

import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

LOOPBACK = "127.0.0.1"

# Below the range that the kernel draws outgoing ports from, so that no connection takes one.
_PORTS = range(18_000, 32_000)
_POLL_SECONDS = 0.01
_claims: list[IO[str]] = []


class HarnessError(Exception):
    """A server of the harness did not do what a test needs."""


def parent_of(pid: int) -> int | None:
    """Return the parent of a living process; None where there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent = stat.rpartition(")")[2].split()[:2]
    return None if state == "Z" else int(parent)


def children_of(pid: int) -> set[int]:
    """Return the living processes whose parent is this one."""
    everybody = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return {each for each in everybody if parent_of(each) == pid}


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A command that has ended."""

    exit_code: int
    stdout: str
    stderr: str


def free_port() -> int:
    """Return a loopback port that no other test process is given while this one lives.

    Binding port 0 and closing it leaves the port to anybody until the server binds it; instead
    each port is claimed by a file lock, which the kernel drops when this process ends.
    """
    claims = Path(tempfile.gettempdir()) / f"cachecheck-test-ports-{os.getuid()}"
    claims.mkdir(exist_ok=True)
    for port in random.SystemRandom().sample(_PORTS, 500):
        claim = (claims / str(port)).open("w")
        if _locks(claim) and _binds(port):
            _claims.append(claim)
            return port
        claim.close()
    raise HarnessError(f"no free port on {LOOPBACK} in 500 draws")


def wait_until(
    predicate: Callable[[], object],
    timeout_seconds: float = 10.0,
    *,
    what: str = "the condition",
    poll_seconds: float = _POLL_SECONDS,
) -> None:
    """Return once the predicate holds; raise HarnessError if it does not in time."""
    deadline = time.monotonic() + timeout_seconds
    while not predicate():
        if time.monotonic() > deadline:
            raise HarnessError(f"{what} did not come about within {timeout_seconds} s")
        time.sleep(poll_seconds)


def exchange(
    port: int, request: bytes, timeout_seconds: float = 1.0, *, host: str = LOOPBACK
) -> bytes:
    """Return what a server says first to these bytes; nothing where it does not answer."""
    try:
        with socket.create_connection((host, port), timeout_seconds) as connection:
            connection.sendall(request)
            return connection.recv(65_536)
    except OSError:
        return b""


def finish(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    timeout_seconds: float = 60.0,
) -> Finished:
    """Run a command without input to its end."""
    done = subprocess.run(
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    return Finished(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr)


class Process:
    """A program in a session of its own, with its output in a log file.

    It ends with `stop`, at the end of a `with` block, or when the thread that started it ends
    (so start it in the main thread), and the processes it forked end with it.
    """

    stop_signal = signal.SIGTERM

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.log_file = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [*_ends_with_us(), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self._popen.returncode is None and not self._has_exited()

    def wait_ready(
        self, predicate: Callable[[], object], timeout_seconds: float = 20.0, *, what: str
    ) -> None:
        """Wait until the predicate holds; where it does not, stop and raise with the log."""
        try:
            wait_until(lambda: not self.is_running or predicate(), timeout_seconds, what=what)
        except HarnessError as exc:
            self.stop()
            raise HarnessError(f"{exc}\n{self.log[-4000:]}") from exc
        if not self.is_running:
            self.stop()
            raise HarnessError(f"{what} ended at its start\n{self.log[-4000:]}")

    def kill(self) -> None:
        """Kill the program, and it alone; `stop` ends what it forked."""
        os.kill(self.pid, signal.SIGKILL)

    def interrupt(self, timeout_seconds: float = 20.0) -> int:
        """Interrupt the program as a terminal does, and give the status that it ends with."""
        os.kill(self.pid, signal.SIGINT)
        return self._popen.wait(timeout_seconds)

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """End the program and every process of its group; doing so twice is harmless."""
        if self._popen.returncode is not None:
            return
        # Not by `Popen.terminate`, which reaps a program that has ended: until it is reaped, its
        # number names our group and no other.
        os.kill(self.pid, self.stop_signal)
        deadline = time.monotonic() + timeout_seconds
        while not self._has_exited() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()

    def _has_exited(self) -> bool:
        """Say whether the program ended, without reaping it."""
        looking = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, looking) is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def _locks(claim: IO[str]) -> bool:
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _binds(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _ends_with_us() -> list[str]:
    """Return the command prefix that makes Linux end the program when this process dies.

    `preexec_fn` would do the same, but warns in a process with threads since Python 3.12.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
