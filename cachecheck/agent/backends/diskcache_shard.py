"""One folder of diskcache: its database, opened to be read only, and the files beside it.

A statement reads a page at most, so that no writer waits for us where the journal is not a log.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cachecheck.agent.backends.files import read_whole
from cachecheck.errors import StoreDenied, StoreError
from cachecheck.model import Expired, Failed, Missing
from cachecheck.stores.base import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.stores.base import RawReading

PICKLE, INTEGER, FLOAT, TEXT, BYTES = range(5)
"""Flags of what is stored, which is bytes in every case: which kind of value they stand for."""

PAGE_ROWS = 200  # as many as one batch of a walk
WAIT_SECONDS = 1.0

_DATABASE = "cache.db"
_RAW, _BINARY_FILE, _TEXT_FILE, _PICKLED = range(1, 5)  # core.MODE_…
_KINDS = {"integer": INTEGER, "real": FLOAT, "text": TEXT, "blob": BYTES}
_OF_FILES = {_BINARY_FILE: BYTES, _TEXT_FILE: TEXT, _PICKLED: PICKLE}
_FILE = re.compile(r"(?:[^/\\\0]+/)*[^/\\\0]+")
_UNKNOWN = Failed(reason="unsupported", detail="this subclass stores values in another form")

_ENTRY = """
SELECT expire_time, mode, filename, typeof(value), length(CAST(value AS BLOB)),
       CASE WHEN length(CAST(value AS BLOB)) <= ? THEN value END
FROM Cache WHERE key = ? AND raw = 1
"""
_ROWS = """
SELECT rowid, CASE WHEN typeof(key) = 'text' AND raw = 1 THEN key END
FROM Cache WHERE rowid > ? ORDER BY rowid LIMIT ?
"""
_COUNT = "SELECT value FROM Settings WHERE key = 'count'"


class Shard:
    """One folder; its connection is opened on first need and closed by ``close``."""

    def __init__(self, folder: str, max_value_bytes: int) -> None:
        self._folder = folder
        self._max_value_bytes = max_value_bytes
        self._connection: sqlite3.Connection | None = None

    def count(self) -> int:
        """Say how many entries there are, as diskcache counts them; raises ``StoreError``."""
        with self._database() as database:
            told = database.execute(_COUNT).fetchone()
            return int(told[0]) if told else 0

    def rows(self, after: int) -> tuple[list[tuple[int, str | None]], bool]:
        """List a page of rows with their keys, and say whether it is the last one.

        The key is None where it is none of Django's. Raises ``StoreError``.
        """
        with self._database() as database:
            found = database.execute(_ROWS, (after, PAGE_ROWS)).fetchall()
        return [(row, _text(key)) for row, key in found], len(found) < PAGE_ROWS

    def read(self, key: str) -> RawReading:
        """Look a key up; raises ``StoreError``."""
        with self._database() as database:
            found = database.execute(_ENTRY, (self._max_value_bytes, key)).fetchone()
        if found is None:
            return Missing()
        expires_at, mode, filename, kind, size_bytes, value = found
        if expires_at is not None and expires_at <= time.time():
            return Expired(expires_at=max(0.0, expires_at))
        if value is None and size_bytes is not None:
            return Failed(reason="too-large", detail=f"more than {self._max_value_bytes} bytes")
        told = (
            self._in_row(mode, kind, value) if filename is None else self._in_file(mode, filename)
        )
        if not isinstance(told, tuple):
            return told
        return Stored(value=told[1], flags=told[0], expires_at=expires_at)

    def close(self) -> None:
        """Close our connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _in_row(self, mode: int, kind: bytes, value: Any) -> tuple[int, bytes] | RawReading:
        flag = _KINDS.get(kind.decode())
        if mode == _PICKLED and flag == BYTES:
            return PICKLE, value
        if mode != _RAW or flag is None:
            return _UNKNOWN
        return flag, value if isinstance(value, bytes) else repr(value).encode()

    def _in_file(self, mode: int, filename: bytes) -> tuple[int, bytes] | RawReading:
        flag = _OF_FILES.get(mode)
        name = filename.decode("utf-8", "surrogateescape")
        if flag is None:
            return _UNKNOWN
        if not _FILE.fullmatch(name) or ".." in name.split("/"):
            return Failed(reason="error", detail="a name of a file that leads out of its folder")
        try:
            found = read_whole(os.path.join(self._folder, name), self._max_value_bytes)  # noqa: PTH118
        except FileNotFoundError:
            return Missing()  # deleted since, as ``get()`` has it
        return (flag, found) if isinstance(found, bytes) else found

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                self._connection = self._opened()
            yield self._connection
        except sqlite3.Error as exc:
            self.close()
            name = str(getattr(exc, "sqlite_errorname", type(exc).__name__))
            kind = StoreDenied if name in {"SQLITE_PERM", "SQLITE_AUTH"} else StoreError
            raise kind(f"a database of the cache cannot be read: {name}") from exc

    def _opened(self) -> sqlite3.Connection:
        path = quote(os.path.join(self._folder, _DATABASE))  # noqa: PTH118
        connection = sqlite3.connect(
            f"file:{path}?mode=ro", uri=True, timeout=WAIT_SECONDS, isolation_level=None
        )
        connection.text_factory = bytes
        return connection


def _text(key: bytes | None) -> str | None:
    try:
        return None if key is None else key.decode()
    except UnicodeDecodeError:
        return None
