"""Files that are read and left as they are: no link followed, no time of access moved."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from cachecheck.model import Failed

if TYPE_CHECKING:
    from pathlib import Path

_NO_TRACE = getattr(os, "O_NOATIME", 0)
_READ_ONLY = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)  # an entry is a file; a link could lead anywhere
    | getattr(os, "O_NONBLOCK", 0)  # a pipe would block
    | getattr(os, "O_BINARY", 0)
)


def open_untouched(path: str) -> int:
    """Open a file to be read; gives its descriptor, raises ``OSError``."""
    try:
        return os.open(path, _READ_ONLY | _NO_TRACE)
    except PermissionError as exc:
        if exc.errno != errno.EPERM or not _NO_TRACE:
            raise
    # Only the owner of a file may leave its access time alone (open(2)).
    return os.open(path, _READ_ONLY)


def read_rest(descriptor: int, begun: bytes, most: int) -> bytes:
    """Read on after what was begun with, to at most that many bytes in all."""
    parts, left = [begun], most - len(begun)
    while left > 0 and (part := os.read(descriptor, min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def read_whole(path: str, most: int) -> bytes | Failed:
    """Read a regular file of at most ``most`` bytes; raises ``FileNotFoundError``."""
    try:
        descriptor = open_untouched(path)
    except FileNotFoundError:
        raise
    except OSError as exc:
        return Failed(reason="error", detail=f"the file cannot be read: {named(exc)}")
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return Failed(reason="error", detail="not a regular file")
        found = read_rest(descriptor, b"", most + 1)
    except OSError as exc:
        return Failed(reason="error", detail=f"the file cannot be read: {named(exc)}")
    finally:
        os.close(descriptor)
    if len(found) > most:
        return Failed(reason="too-large", detail=f"more than {most} bytes")
    return found


def nearest_existing(path: Path) -> Path:
    """Give the path, or the nearest folder above it that is there."""
    return next(found for found in (path, *path.parents) if found.exists())


def named(exc: OSError) -> str:
    """Name an error of the system, without the path."""
    return errno.errorcode.get(exc.errno or 0, type(exc).__name__)
