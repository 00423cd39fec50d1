"""Walk a store that lists and reads: what is scanned page by page is read in small batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias, assert_never

from cachecheck.model import Expired, Failed, Missing
from cachecheck.stores.base import Batch, Stored
from cachecheck.sums import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.stores.base import Choose, Pace, Page, RawReading

BATCH_KEYS = 200
BATCH_BYTES = 4 << 20

_KEYS_BETWEEN_PACES = 10  # a file takes some 30 µs

After: TypeAlias = Callable[[str, str], str | None]


class Listing(Protocol):
    """What is walked: the two methods of a store that are needed for it."""

    def scan(self, cursor: str | None, pace: Pace) -> Page:
        """List one page of stored keys."""
        ...

    def read(self, keys: Sequence[str], pace: Pace) -> Iterator[RawReading]:
        """Read stored keys in order."""
        ...


def walk(
    store: Listing, cursor: str | None, choose: Choose, pace: Pace, *, after: After | None = None
) -> Iterator[Batch]:
    """Walk ``store`` from ``cursor`` on, over its ``scan`` and its ``read``.

    ``after`` gives a cursor that lies between two keys of one page, the last of a batch and the
    next one, or None where there is none between these. Keys of a page come in the order of such
    cursors. Without it, a page is a batch. Keys that are no text are foreign.
    """
    while True:
        page = store.scan(cursor, pace)
        cursor = page.cursor
        for batch in _batches(store, page, choose, pace, after):
            yield batch
            pace()
        if cursor is None:
            return


class Columns:
    """The entries of a batch while it is being read."""

    def __init__(self) -> None:
        self.names: list[bytes] = []
        self.values: list[bytes] = []
        self.expiries_ms: list[int] = []
        self.flags: list[int] = []
        self.foreign = self.unread = self.value_bytes = 0

    def add(self, name: bytes, reading: RawReading) -> None:
        """Take one reading in; what is gone is in none of the columns."""
        match reading:
            case Stored(value=value, flags=flags, expires_at=expires_at):
                self.names.append(name)
                self.values.append(value)
                self.expiries_ms.append(NEVER if expires_at is None else round(expires_at * 1000))
                self.flags.append(flags)
                self.value_bytes += len(value)
            case Failed(reason="foreign"):
                self.foreign += 1
            case Failed():
                self.unread += 1
            case Missing() | Expired():
                pass
            case _:
                assert_never(reading)

    def extend(
        self,
        names: Sequence[bytes],
        values: Sequence[bytes],
        expiries_ms: Sequence[int],
        flags: Sequence[int] | None = None,
    ) -> None:
        """Take whole columns in; flags None: all are 0."""
        self.names += names
        self.values += values
        self.expiries_ms += expiries_ms
        self.flags += [0] * len(names) if flags is None else flags
        self.value_bytes += sum(map(len, values))

    def batch(self, scanned: int, cursor: str | None) -> Batch:
        """Give what was read."""
        return Batch(
            self.names,
            self.values,
            self.expiries_ms,
            self.flags if any(self.flags) else None,
            scanned,
            self.foreign,
            self.unread,
            cursor,
        )


def texts(keys: Sequence[bytes]) -> Sequence[bytes]:
    """Leave out what is no text: no keys of a cache."""
    if b"".join(keys).isascii():
        return keys
    return [key for key in keys if _is_text(key)]


def _is_text(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True


def _batches(
    store: Listing, page: Page, choose: Choose, pace: Pace, after: After | None
) -> Iterator[Batch]:
    keys = _encoded(page.keys)
    columns = Columns()
    columns.foreign = scanned = page.foreign + len(set(page.keys)) - len(keys)
    for piece, following in _pieces(list(keys)):
        chosen = choose([keys[key] for key in piece])
        readings = iter(store.read([key for key in piece if keys[key] in chosen], pace))
        for number, key in enumerate(piece, 1):
            scanned += 1
            name = chosen.get(keys[key])
            if name is not None:
                columns.add(name, next(readings))
            if number % _KEYS_BETWEEN_PACES == 0:
                pace()
            if scanned < BATCH_KEYS and columns.value_bytes < BATCH_BYTES:
                continue
            cursor = _between(after, key, piece[number] if number < len(piece) else following)
            if cursor is not None:
                yield columns.batch(scanned, cursor)
                columns, scanned = Columns(), 0
    yield columns.batch(scanned, page.cursor)


def _encoded(keys: Sequence[str]) -> dict[str, bytes]:
    """Give each key once, in order, but for those that are no text."""
    encoded = {}
    for key in keys:
        try:
            encoded[key] = key.encode()
        except UnicodeEncodeError:  # a lone surrogate
            continue
    return encoded


def _pieces(keys: Sequence[str]) -> Iterator[tuple[Sequence[str], str | None]]:
    """Split into pieces, each with the key that follows it."""
    for start in range(0, len(keys), BATCH_KEYS):
        end = start + BATCH_KEYS
        yield keys[start:end], keys[end] if end < len(keys) else None


def _between(after: After | None, last: str, following: str | None) -> str | None:
    return None if after is None or following is None else after(last, following)
