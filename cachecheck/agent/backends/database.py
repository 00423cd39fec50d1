"""Django's ``DatabaseCache``: a table of base64 pickles (django/core/cache/backends/db.py).

Read with SELECT on the router's read database; the backend's own ``get()`` deletes expired rows.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DjangoDatabaseError
from django.db import connections, models, router, transaction
from django.utils.encoding import force_bytes

from cachecheck.agent.backends.base import Backend
from cachecheck.agent.worker import this_worker
from cachecheck.errors import InertUnreadable, StoreError, StoreUnreachable
from cachecheck.model import Capabilities, Expired, Failed, Missing, StoreIdentity
from cachecheck.stores import walking
from cachecheck.stores.base import Page, Stored, Weight
from cachecheck.stores.runs import by_weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from cryptography.fernet import Fernet
    from django.db.backends.utils import CursorWrapper

    from cachecheck.agent.backends.base import Pairs
    from cachecheck.stores.base import Batch, Choose, Pace, RawReading

PAGE_ROWS = 1_000
BATCH_KEYS = 20
MAX_VALUE_CHARS = 16 << 20

_LAST_YEAR = 9999  # "never" is stored as 9999-12-31
_LOCAL_HOSTS = frozenset({"", "localhost", "127.0.0.1", "::1"})


class DatabaseStore:
    """A cache table, read through Django's connection of this thread.

    A connection that had to be opened for it is closed with it; one that the application was using
    is left open, and a transaction on it is left as it was.
    """

    def __init__(self, database: str, table: str, max_value_chars: int = MAX_VALUE_CHARS) -> None:
        self._connection: Any = connections[database]
        self._table = table
        self._max_value_chars = max_value_chars
        self._has_opened = False

    def identity(self) -> StoreIdentity:
        """Observed for SQLite, by file or process; suggested by the address for all others."""
        if self._connection.vendor == "sqlite":
            return self._sqlite_identity()
        at = self._connection.settings_dict
        host, port, name = (str(at.get(part) or "") for part in ("HOST", "PORT", "NAME"))
        is_local = host.lower() in _LOCAL_HOSTS or host.startswith("/")
        where = f"{this_worker().host_id}/{host}" if is_local else host.lower()
        parts = ("database", self._connection.vendor, where, port, name, self._table)
        return StoreIdentity(
            grade="suggested",
            token=":".join(parts),
            address=f"{self._connection.vendor}://{host}{port and ':'}{port}/{name}/{self._table}",
        )

    def capabilities(self) -> Capabilities:
        """List and read; expiries are written as whole seconds."""
        return Capabilities(can_scan=True, can_read=True, expiry_resolution_seconds=1.0)

    def scan(self, cursor: str | None, pace: Pace) -> Page:
        """List the keys after the cursor in the order of the table's primary key.

        The cursor is the last key of the page before, encrypted: it may be one that is withheld.
        """
        last = None if cursor is None else _open_cursor(cursor)
        keys = tuple(str(row[0]) for row in self._select_keys(last))
        pace()
        is_last = len(keys) < PAGE_ROWS
        return Page(keys=keys, cursor=None if is_last else _seal_cursor(keys[-1]))

    def read(self, keys: Sequence[str], pace: Pace) -> Iterator[RawReading]:
        """Read the lengths of a few values, then the values; expired rows stay where they are."""
        for start in range(0, len(keys), BATCH_KEYS):
            batch = keys[start : start + BATCH_KEYS]
            lengths = self._lengths(batch)
            for run in by_weight((key, lengths.get(key, 0)) for key in batch):
                readings = self._read_run(run, lengths)
                pace()
                while readings:  # so that none is kept here once it was given
                    yield readings.pop()

    def weigh(self, keys: Sequence[str], pace: Pace) -> list[Weight | None]:
        """Select lengths and expiries; what has expired weighs nothing."""
        rows = {row[0]: row for row in self._select_rows(keys, 0)} if keys else {}
        pace()
        return [self._weight(rows[key]) if key in rows else None for key in keys]

    def walk(self, cursor: str | None, choose: Choose, pace: Pace) -> Iterator[Batch]:
        """Read page by page, in the order of keys, each of which is a cursor."""
        return walking.walk(
            self, cursor, choose, pace, after=lambda last, _following: _seal_cursor(last)
        )

    def close(self) -> None:
        """Close the connection if it was opened for this store."""
        if self._has_opened and not self._connection.in_atomic_block:
            self._connection.close()

    def _sqlite_identity(self) -> StoreIdentity:
        worker, name = this_worker(), str(self._connection.settings_dict["NAME"])
        if self._connection.is_in_memory_db():
            token = f"database:sqlite:{worker.id}:{name}:{self._table}"
            return StoreIdentity(grade="observed", token=token, address=f"{name} {self._table}")
        path = Path(name).resolve()
        address = f"{path} {self._table}"
        try:
            status = path.stat()
        except OSError:
            reason = "the database file cannot be looked at"
            return StoreIdentity(grade="unobserved", address=address, reason=reason)
        token = f"database:sqlite:{worker.host_id}:{path}:{status.st_dev}:{status.st_ino}"
        return StoreIdentity(grade="observed", token=f"{token}:{self._table}", address=address)

    def _select_keys(self, last: str | None) -> list[tuple[Any, ...]]:
        key, _, _, table = self._names()
        where = "" if last is None else f" WHERE {key} > %s"
        limit = self._connection.ops.limit_offset_sql(0, PAGE_ROWS)
        with self._cursor() as cursor:
            cursor.execute(
                f"SELECT {key} FROM {table}{where} ORDER BY {key} {limit}",  # noqa: S608  quoted
                [] if last is None else [last],
            )
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

    def _lengths(self, keys: Sequence[str]) -> dict[str, int]:
        """Weigh the values that are to be fetched; one that is too large weighs nothing."""
        key, value, _, table = self._names()
        with self._cursor() as cursor:
            cursor.execute(
                f"SELECT {key}, LENGTH({value}) FROM {table}"  # noqa: S608  all names are quoted
                f" WHERE {key} IN ({_marks(keys)})",
                list(keys),
            )
            told = dict(cursor.fetchall())
        return {key: length for key, length in told.items() if length <= self._max_value_chars}

    def _read_run(self, keys: Sequence[str], lengths: Mapping[str, int]) -> list[RawReading]:
        """Read rows at once; gives the readings in reverse."""
        longest = max(lengths.get(key, 0) for key in keys)
        rows = {row[0]: row[1:] for row in self._select_rows(keys, longest)}
        for key in [key for key, (length, value, _) in rows.items() if self._grew(length, value)]:
            rows |= {row[0]: row[1:] for row in self._select_rows([key], self._max_value_chars)}
        return [self._reading(*rows[key]) if key in rows else Missing() for key in reversed(keys)]

    def _grew(self, length: int, value: object) -> bool:
        """Say whether a value was replaced by a longer one since it was weighed."""
        return value is None and length <= self._max_value_chars

    def _select_rows(self, keys: Sequence[str], most_chars: int) -> list[tuple[Any, ...]]:
        """Fetch rows; a value that is longer than expected stays behind."""
        key, value, expires, table = self._names()
        length = f"LENGTH({value})"
        bounded = f"CASE WHEN {length} <= %s THEN {value} END"
        with self._cursor() as cursor:
            cursor.execute(
                f"SELECT {key}, {length}, {bounded}, {expires}"  # noqa: S608  all names are quoted
                f" FROM {table} WHERE {key} IN ({_marks(keys)})",
                [most_chars, *keys],
            )
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

    def _reading(self, length: int, value: Any, expires: Any) -> RawReading:
        expires_at = self._expiry(expires)
        if expires_at is not None and expires_at < time.time():
            return Expired(expires_at=expires_at)
        if value is None:
            return Failed(reason="too-large", detail=f"{length} characters")
        text: str = self._connection.ops.process_clob(value)
        return Stored(value=text.encode(), expires_at=expires_at)

    def _weight(self, row: tuple[Any, ...]) -> Weight | None:
        _, length, _, expires = row
        expires_at = self._expiry(expires)
        is_over = expires_at is not None and expires_at < time.time()
        return None if is_over else Weight(length, expires_at)

    def _expiry(self, expires: Any) -> float | None:
        """Convert the column as ``DatabaseCache.get_many`` does; a naive time is a local one."""
        expression = models.Expression(output_field=models.DateTimeField())
        converters: list[Callable[..., Any]] = [
            *self._connection.ops.get_db_converters(expression),
            *expression.get_db_converters(self._connection),
        ]
        for converter in converters:
            expires = converter(expires, expression, self._connection)
        converted: datetime = expires
        return None if converted.year >= _LAST_YEAR else converted.timestamp()

    def _names(self) -> tuple[str, str, str, str]:
        quote = self._connection.ops.quote_name
        return quote("cache_key"), quote("value"), quote("expires"), quote(self._table)

    @contextmanager
    def _cursor(self) -> Iterator[CursorWrapper]:
        self._connect()
        try:
            with self._shield(), self._connection.cursor() as cursor:
                yield cursor
        except (DjangoDatabaseError, ValueError) as exc:  # drivers refuse a NUL in a key so
            kind = type(exc).__name__
            raise StoreError(f"table {self._table} cannot be read: {kind}") from exc

    def _connect(self) -> None:
        if self._connection.connection is not None:
            return
        try:
            self._connection.ensure_connection()
        except (DjangoDatabaseError, ImproperlyConfigured) as exc:
            reason = f"no connection to the database: {type(exc).__name__}"
            raise StoreUnreachable(reason) from exc
        self._has_opened = True

    def _shield(self) -> AbstractContextManager[None]:
        """Set a savepoint where there is a transaction, which an error would break."""
        if self._connection.in_atomic_block or not self._connection.get_autocommit():
            shield: AbstractContextManager[None] = transaction.atomic(self._connection.alias)
            return shield
        return nullcontext()


class DatabaseBackend(Backend):
    """A table that every process with this database shares."""

    kind = "database"
    scope = "network"
    is_asked_for_identity = False

    def store(self) -> DatabaseStore:
        """Read where the site's router sends reads of the cache table."""
        cache: Any = self.cache
        table: str = cache._table  # noqa: SLF001  kept to this file
        return DatabaseStore(router.db_for_read(cache.cache_model_class), table)

    def settings(self) -> Pairs:
        """Give what decides which entries are kept, and the table."""
        cache: Any = self.cache
        return (
            ("max_entries", str(cache._max_entries)),  # noqa: SLF001  kept to this file
            ("cull_frequency", str(cache._cull_frequency)),  # noqa: SLF001
            ("location", str(cache._table)),  # noqa: SLF001
        )

    def codec(self) -> Pairs:
        """Values are pickled, and written as base64."""
        cache: Any = self.cache
        return (
            ("serializer", "pickle"),
            ("pickle_protocol", str(cache.pickle_protocol)),
            ("encoding", "base64"),
        )

    def payload(self, stored: Stored) -> bytes:
        """Decode the base64 text."""
        try:
            return base64.b64decode(stored.value, validate=True)
        except binascii.Error as exc:
            raise InertUnreadable("the value is not base64") from exc

    def encoded(self, value: object) -> Stored:
        """Pickle a value and write it as base64."""
        pickled = super().encoded(value)
        return msgspec.structs.replace(pickled, value=base64.b64encode(pickled.value))


def _marks(keys: Sequence[str]) -> str:
    return ", ".join(["%s"] * len(keys))


def _seal_cursor(key: str) -> str:
    return _cipher().encrypt(key.encode()).decode()


def _open_cursor(cursor: str) -> str:
    from cryptography.fernet import InvalidToken  # noqa: PLC0415  only where tables are listed

    try:
        return _cipher().decrypt(cursor.encode()).decode()
    except InvalidToken as exc:
        raise StoreError("the cursor is not one of this store") from exc


def _cipher() -> Fernet:
    """Encrypt under the site's own ``SECRET_KEY``, which its workers share and we do not hold."""
    from cryptography.fernet import Fernet  # noqa: PLC0415  only where tables are listed

    try:
        secret = force_bytes(settings.SECRET_KEY)
    except ImproperlyConfigured as exc:
        raise StoreError("a table is listed only where SECRET_KEY is set") from exc
    key = hashlib.blake2b(secret, person=b"cachecheck curs", digest_size=32).digest()
    return Fernet(base64.urlsafe_b64encode(key))
