"""diskcache's ``DjangoCache`` (diskcache/djangocache.py, fanout.py, core.py).

Keys are divided among folders, each with a SQLite database and files for large values. ``get()``
counts hits and moves the time of access that eviction may go by, so the databases are read on
connections of our own, which may only read. Values are never unpickled.
"""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import adler32

import msgspec

from cachecheck.agent.backends.base import Backend
from cachecheck.agent.backends.diskcache_shard import (
    BYTES,
    FLOAT,
    INTEGER,
    PICKLE,
    TEXT,
    Shard,
)
from cachecheck.agent.backends.files import named, nearest_existing
from cachecheck.agent.backends.shown import dotted, shown_options
from cachecheck.agent.worker import this_worker
from cachecheck.errors import InertUnreadable, StoreError
from cachecheck.model import Capabilities, Failed, StoreIdentity
from cachecheck.stores import parts, walking
from cachecheck.stores.base import Page
from cachecheck.stores.failures import as_reading
from cachecheck.stores.unsupported import UnsupportedStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cachecheck.agent.backends.base import Pairs
    from cachecheck.stores.base import Batch, Choose, Pace, RawReading, Store, Stored

MAX_VALUE_BYTES = 16 << 20

_DISK = "diskcache.core.Disk"
_BAD_KEY = Failed(reason="error", detail="the key is no text")
_ROW = re.compile("[0-9]{1,18}")
_SEVERAL = 2
_MAKES: dict[int, Callable[[bytes], object]] = {
    INTEGER: int,
    FLOAT: float,
    TEXT: bytes.decode,
    BYTES: bytes,
}


class DiskCacheStore:
    """The folders of a ``FanoutCache``, in order, each by its path."""

    def __init__(self, folders: Sequence[str], *, max_value_bytes: int = MAX_VALUE_BYTES) -> None:
        self._folders = tuple(folders)
        self._shards = [Shard(folder, max_value_bytes) for folder in folders]
        self._cursors: dict[str, str] = {}

    def identity(self) -> StoreIdentity:
        """Observed: the directory on this host, by path, device and inode."""
        try:
            path = Path(self._folders[0]).parent.resolve()
            status = nearest_existing(path).stat()
            servers = tuple((folder, _told(folder)) for folder in self._folders)
        except OSError as exc:
            raise StoreError(f"the directory cannot be looked at: {named(exc)}") from exc
        token = f"diskcache:{this_worker().host_id}:{path}:{status.st_dev}:{status.st_ino}"
        return StoreIdentity(grade="observed", token=token, address=str(path), servers=servers)

    def capabilities(self) -> Capabilities:
        """List and read, without counting a hit or moving a time of access."""
        reasons: tuple[str, ...] = ()
        entries = None
        try:
            entries = sum(shard.count() for shard in self._shards)
        except StoreError as exc:
            reasons = (exc.reason,)
        return Capabilities(can_scan=True, can_read=True, entries=entries, reasons=reasons)

    def scan(self, cursor: str | None, pace: Pace) -> Page:
        """List a page of keys of one folder, in the order in which they were first stored."""
        del pace  # a page takes some milliseconds
        number, inner = self._position(cursor)
        rows, is_last = self._shards[number].rows(inner)
        keys = {key: row for row, key in rows if key is not None and self.route(key) == number}
        self._cursors = {key: parts.cursor(number, str(row)) for key, row in keys.items()}
        return Page(
            keys=tuple(keys),
            foreign=len(rows) - len(keys),
            cursor=self._following(number, None if is_last else rows[-1][0]),
        )

    def read(self, keys: Sequence[str], pace: Pace) -> Iterator[RawReading]:
        """Look each key up by itself."""
        del pace  # the caller is asked after every key
        return (self._reading(key) for key in keys)

    def walk(self, cursor: str | None, choose: Choose, pace: Pace) -> Iterator[Batch]:
        """Read page by page, in the order of rows, after each of which a cursor fits."""
        return walking.walk(self, cursor, choose, pace, after=lambda last, _: self._cursors[last])

    def route(self, key: str) -> int:
        """Give the number of the folder that a key is kept in, as ``Disk.hash`` has it."""
        return adler32(key.encode("utf-8", "surrogatepass")) % len(self._shards)

    def close(self) -> None:
        """Close our connections."""
        for shard in self._shards:
            shard.close()

    def _reading(self, key: str) -> RawReading:
        try:
            key.encode()
        except UnicodeEncodeError:
            return _BAD_KEY
        try:
            return self._shards[self.route(key)].read(key)
        except StoreError as exc:
            return as_reading(exc)

    def _position(self, cursor: str | None) -> tuple[int, int]:
        if cursor is None:
            return 0, 0
        number, inner = parts.position(cursor, len(self._shards))
        if inner is not None and not _ROW.fullmatch(inner):
            raise StoreError("not a cursor of this store")
        return number, int(inner or 0)

    def _following(self, number: int, last_row: int | None) -> str | None:
        if last_row is not None:
            return parts.cursor(number, str(last_row))
        return parts.cursor(number + 1, None) if number + 1 < len(self._shards) else None


class DiskCacheBackend(Backend):
    """Folders on this host, shared by the processes that see them."""

    kind = "diskcache"
    scope = "host"
    is_asked_for_identity = False

    def store(self) -> Store:
        """Look at the folders that the backend writes to."""
        if self._disk() != _DISK:
            reason = f"{self._disk()} keeps entries in a form that is not known"
            return UnsupportedStore(reason, address=self._directory())
        return DiskCacheStore(self._folders())

    def settings(self) -> Pairs:
        """Give the directory, how many folders there are, and the options."""
        cache: Any = self.cache
        names = ("eviction_policy", "size_limit", "cull_limit", "disk_min_file_size")
        return (
            ("location", self._directory()),
            ("shards", str(len(self._folders()))),
            *((name, str(getattr(cache._cache, name, None))) for name in names),  # noqa: SLF001
            *shown_options(self._options(), "OPTIONS."),
        )

    def codec(self) -> Pairs:
        """Values are stored as SQLite has them, or pickled."""
        protocol = self._shard_objects()[0].disk_pickle_protocol
        return (("serializer", self._disk()), ("pickle_protocol", str(protocol)))

    def routing(self, probe_keys: Sequence[str]) -> Pairs:
        """Give the folder of each probe key, where there is more than one."""
        folders = self._folders()
        if len(folders) < _SEVERAL or self._disk() != _DISK:
            return ()
        store = DiskCacheStore(folders)
        return tuple((key, folders[store.route(self.stored_key(key))]) for key in probe_keys)

    def payload(self, stored: Stored) -> bytes:
        """Give the pickle; numbers, text and bytes, which are stored plainly, are made one."""
        if stored.flags == PICKLE:
            return stored.value
        make = _MAKES.get(stored.flags)
        if make is None:
            raise InertUnreadable("an unknown kind of value")
        try:
            return pickle.dumps(make(stored.value), protocol=4)
        except ValueError as exc:
            raise InertUnreadable("the value does not fit its kind") from exc

    def encoded(self, value: object) -> Stored:
        """Pickle a value; what diskcache stores plainly reads as its pickle does."""
        return msgspec.structs.replace(super().encoded(value), flags=PICKLE)

    def stored_key(self, logical: str) -> str:
        """Turn a logical key into the stored one, which diskcache does not validate."""
        return str(self.cache.make_key(logical))

    def _shard_objects(self) -> Sequence[Any]:
        cache: Any = self.cache
        shards: Sequence[Any] = cache._cache._shards  # noqa: SLF001  kept to this file
        return shards

    def _folders(self) -> tuple[str, ...]:
        return tuple(str(shard.directory) for shard in self._shard_objects())

    def _directory(self) -> str:
        cache: Any = self.cache
        return str(cache.directory)

    def _disk(self) -> str:
        return dotted(type(self._shard_objects()[0].disk))

    def _options(self) -> dict[str, Any]:
        cache: Any = self.cache
        return {"timeout": cache._cache.timeout}  # noqa: SLF001


def _told(folder: str) -> str:
    try:
        status = os.stat(folder)  # noqa: PTH116  of a text
    except FileNotFoundError:
        return ""
    return f"{status.st_dev}:{status.st_ino}"
