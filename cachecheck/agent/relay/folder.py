"""Where the processes of a site meet: a folder of this user's alone, one socket for each process.

It is opened once and checked as what was opened, so that nobody can put another in its place; names
are then resolved in it, by its descriptor. Who shares a folder has the same user, secret,
application and process namespace: others on the host never see each other's sockets.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import re
import socket
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self, cast

from cachecheck.agent.worker import namespace_of_processes
from cachecheck.errors import CachecheckError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.agent.conf import Conf
    from cachecheck.model import Role, Worker

MOST_PATH_BYTES = 103
"""What fits into a socket's address on every system: macOS has 104 bytes, with the last one 0."""

MOST_NAMES = 10_000
_DESCRIPTORS = Path("/proc/self/fd")
_NAME = re.compile(r"(web|celery|command)-([0-9a-f]{8})-(\d{1,10})-([0-9a-f]{10})")
_PRIVATE = 0o700
_CLOSED = -1


class Unfit(CachecheckError):
    """The relay cannot work in this process; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Name(NamedTuple):
    """What a socket's name tells of its process.

    ``kin`` is equal for processes that one server started alike; ``mark`` is derived from the
    worker's id.
    """

    role: Role
    kin: str
    pid: int
    mark: str

    @classmethod
    def of(cls, worker: Worker, role: Role, kin: str) -> Self:
        """Name the socket of a worker."""
        return cls(role, kin, worker.pid, mark_of(worker.id))

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read a name; None where it is not one."""
        found = _NAME.fullmatch(text)
        if found is None:
            return None
        return cls(cast("Role", found[1]), found[2], int(found[3]), found[4])

    def __str__(self) -> str:
        return f"{self.role}-{self.kin}-{self.pid}-{self.mark}"


def mark_of(worker_id: str) -> str:
    """Derive the part of a socket's name that stands for a worker's id."""
    return hashlib.blake2b(worker_id.encode(), digest_size=5).hexdigest()


class Folder:
    """An open folder that is this user's alone; close it by ``close``."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self.descriptor = descriptor

    def address(self, name: str) -> str:
        """Give the address of a socket in it; raises ``Unfit`` where it would be too long."""
        if _DESCRIPTORS.is_dir():
            return f"{_DESCRIPTORS}/{self.descriptor}/{name}"
        address = str(self._path / name)
        if len(os.fsencode(address)) > MOST_PATH_BYTES:
            raise Unfit(f"{self._path} is too long a path for sockets: set RELAY to a shorter one")
        return address

    def is_current(self, name: str) -> bool:
        """Whether the path still leads here, and the socket called so is still in it."""
        try:
            here, there = os.fstat(self.descriptor), self._path.lstat()
            os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except OSError:
            return False
        return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)

    def names(self) -> Iterator[Name]:
        """Give the names of all sockets, at most ``MOST_NAMES``; raises ``OSError`` once closed."""
        if self.descriptor == _CLOSED:  # which os.listdir takes for the folder we work in
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        listed = sorted(os.listdir(self.descriptor))[:MOST_NAMES]  # noqa: PTH208  by descriptor
        yield from (name for text in listed if (name := Name.read(text)) is not None)

    def remove(self, name: str) -> None:
        """Remove a socket, if it is still there."""
        try:
            os.unlink(name, dir_fd=self.descriptor)
        except OSError:
            return

    def rename(self, old: str, new: str) -> None:
        """Rename a socket."""
        os.rename(old, new, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def sweep(self) -> None:
        """Remove the sockets of processes that are no more."""
        for name in self.names():
            self.forget(name)

    def forget(self, name: Name) -> None:
        """Remove a socket, unless its process still lives: some systems refuse under load."""
        if not _is_alive(name.pid):
            self.remove(str(name))

    def remove_if_empty(self) -> None:
        """Leave no folder behind where nobody listens any more."""
        for path in (self._path, self._path.parent):
            try:
                path.rmdir()
            except OSError:
                return

    def close(self) -> None:
        """Let go of the folder; a second call does nothing."""
        descriptor, self.descriptor = self.descriptor, _CLOSED
        if descriptor != _CLOSED:
            os.close(descriptor)


def open_folder(conf: Conf) -> Folder:
    """Open the folder of this site, making it where there is none.

    Raises ``Unfit`` where it cannot be made, or is not this user's alone.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise Unfit("this system has no Unix sockets")
    base = Path(conf.relay_folder or tempfile.gettempdir())
    try:
        _demand_steady(base)
        path = base / f"cachecheck-{os.geteuid()}"
        os.close(_opened(path))
        path /= _site(conf)
        return Folder(path, _opened(path))
    except OSError as exc:
        raise Unfit(f"{base}: {exc.strerror or type(exc).__name__}") from exc


def _opened(path: Path) -> int:
    """Open a folder that is this user's alone, making it where there is none."""
    path.mkdir(mode=_PRIVATE, exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    found = os.fstat(descriptor)
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077 == 0:
        return descriptor
    os.close(descriptor)
    raise Unfit(f"{path} is not private to this user (its own, mode 0700)")


def _demand_steady(base: Path) -> None:
    """Raise ``Unfit`` where others may rename what is in a folder."""
    found = base.stat()
    is_open = stat.S_IMODE(found.st_mode) & 0o022 and not found.st_mode & stat.S_ISVTX
    if is_open or found.st_uid not in {0, os.geteuid()}:
        raise Unfit(f"{base} lets others replace what is in it")


def _site(conf: Conf) -> str:
    """Name the folder of a site by what its processes share, and nobody else knows."""
    if conf.keyring is None:
        raise Unfit("there is no secret")
    shared = f"cachecheck relay\0{conf.application}\0{namespace_of_processes()}"
    return hmac.digest(conf.keyring.secrets[0].key, shared.encode(), "sha256")[:5].hex()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
