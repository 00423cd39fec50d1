"""Who this process is, and which processes beside it are workers of the same server.

What the kernel knows is read from ``/proc`` (proc(5)); elsewhere siblings are unknown and the start
is the moment at which this module was first asked.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import socket
import time
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from cachecheck.model import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.model import Role

_PROC = Path("/proc")
_START_TIME_FIELD = 19  # of /proc/<pid>/stat, counted after the command's closing parenthesis
_PARENT_FIELD = 1
_MAX_AGE_SECONDS = 10 * 365 * 86_400.0  # a clock that says more is not the kernel's
_drawing = Lock()
# multiprocessing gives each child other numbers on an otherwise equal command line
_HANDLES = re.compile(rb"\b(tracker_fd|pipe_handle|parent_pid)=\d+")


def this_worker(role: Role = "web", listener: str | None = None) -> Worker:
    """Identify this process; its random part is drawn once per process, after any fork."""
    pid = os.getpid()
    host, host_id = _host()
    with _drawing:  # threads that ask first, at once, must be given one identity
        started_at, token = _birth(pid)
    return Worker(
        id=f"{host}:{pid}:{started_at:.2f}:{token}",
        host=host,
        host_id=host_id,
        pid=pid,
        started_at=started_at,
        role=role,
        parent=_parent(os.getppid()),
        listener=listener,
    )


def count_siblings() -> int | None:
    """Count the processes under the same parent that look like this one, itself included.

    None where the system does not say.
    """
    pids = _children(os.getppid())
    own = command_line(os.getpid())
    if own is None or os.getpid() not in pids:
        return None
    return sum(command_line(pid) == own for pid in pids)


@cache
def _birth(pid: int) -> tuple[float, str]:
    """Give start time and random token of the process ``pid``, which is this one."""
    age = _age_seconds(pid)
    return round(time.time() - age, 2), secrets.token_hex(8)


@cache
def _host() -> tuple[str, str]:
    name = socket.gethostname()
    parts = (name, _read("sys/kernel/random/boot_id"), _link("self/ns/pid"))
    return name, hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


def _age_seconds(pid: int) -> float:
    """Say how old a process is, by the clock that ``/proc`` counts its start on; 0: not known."""
    stat = _stat(pid)
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    if stat is None or clock is None:
        return 0.0
    age = time.clock_gettime(clock) - int(stat[_START_TIME_FIELD]) / os.sysconf("SC_CLK_TCK")
    return age if 0.0 <= age <= _MAX_AGE_SECONDS else 0.0


def _parent(ppid: int) -> str:
    stat = _stat(ppid)
    return f"{ppid}:{stat[_START_TIME_FIELD]}" if stat else str(ppid)


def _children(ppid: int) -> tuple[int, ...]:
    try:
        tasks = tuple((_PROC / str(ppid) / "task").iterdir())
        listed = " ".join((task / "children").read_text() for task in tasks)
    except OSError:
        return tuple(_children_by_parent(ppid))
    return tuple(int(pid) for pid in listed.split())


def _children_by_parent(ppid: int) -> Iterator[int]:
    try:
        names = os.listdir(_PROC)  # noqa: PTH208  os.listdir is one call, iterdir makes paths
    except OSError:
        return
    for name in names:
        stat = _stat(int(name)) if name.isdigit() else None
        if stat is not None and int(stat[_PARENT_FIELD]) == ppid:
            yield int(name)


def command_line(pid: int) -> bytes | None:
    """Give a process's command line as it is now, comparable with its siblings'; None: gone."""
    try:
        raw = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return None
    return without_handles(raw) or None  # a zombie's is empty


def without_handles(raw: bytes) -> bytes:
    """Leave out of a command line what multiprocessing gives each child of its own."""
    return _HANDLES.sub(rb"\1", raw)


def namespace_of_processes() -> str:
    """Name the host and its namespace of process ids: there a pid means the same process."""
    return f"{socket.gethostname()}\0{_link('self/ns/pid')}"


def _stat(pid: int) -> list[str] | None:
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return fields if len(fields) > _START_TIME_FIELD else None


def _read(name: str) -> str:
    try:
        return (_PROC / name).read_text().strip()
    except OSError:
        return ""


def _link(name: str) -> str:
    try:
        return str((_PROC / name).readlink())
    except OSError:
        return ""
