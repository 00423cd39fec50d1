"""Listing a memcached, slab class by slab class, with ``lru_crawler metadump``.

What was measured on 1.6.18, and is plain in ``crawler.c``, makes the rules here:

- A dump cannot be resumed, and must be read to its end: closing the connection earlier could crash
  servers before 1.6.26. So a page is one dump of one class; a class with very many entries is
  dumped once for each part of its keys, so that no page has to hold them all.
- While a reader lags, the crawler waits for it and holds its lock. So a dump is taken in as fast as
  it comes, compressed (to a third or less), and looked at only afterwards. What is more than may
  be kept is still read to its end, and dropped.
- Whoever asks for a dump meanwhile is not told BUSY: the server's thread waits for that lock, with
  all its other connections, and where the hash table grows just then the whole server stands still
  for ever. So a dump is asked for only when the statistics say that no crawler is running.
- What another connection has in use just then, because its client is slow to take an answer, is
  passed over. So a class of which a few entries are missing is dumped once more. What is in use
  again is not seen; entries that have expired and lie there still are missing as well.
"""

from __future__ import annotations

import re
import time
import zlib
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes
from zlib import crc32

from cachecheck.errors import StoreError, StoreUnsupported
from cachecheck.model import Value
from cachecheck.stores.memcached.meta import as_error, number, stats

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cachecheck.stores.base import Pace
    from cachecheck.stores.memcached.connection import Connection

PART_KEYS = 100_000
MAX_CLASS_KEYS = 300_000
MAX_PARSING_SECONDS = 1.0

_DUMP_TIMEOUT_SECONDS = 10.0
_WHOLE_DUMP_SECONDS = 20.0
_KEPT_DUMP_BYTES = 256 << 20
_MAX_DUMP_BYTES = 1 << 30
_FED_BYTES = 8192
_BUSY_PAUSES_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.4)
_KEYS_BETWEEN_PACES = 100
_MOST_PARTS = 99_999
_MOST_IN_USE = 1000
_CURSOR = re.compile("([0-9]{1,5}):([0-9]{1,5}):([0-9]{1,5}):([0-9]{1,5})")
_KEY = re.compile(rb"^key=([^ \n]+) ", re.MULTILINE)
_NUMBER = re.compile(r"items:([0-9]+):number")


class _Size(NamedTuple):
    """How many entries a class has, and how many bytes they take in all (0: not said)."""

    entries: int
    value_bytes: int


class Packed(NamedTuple):
    """A dump, compressed, and how many keys it lists."""

    lines: bytes
    keys: int


class Position(Value, frozen=True, kw_only=True):
    """Where a listing goes on: the server by number, its slab class, and which part of how many.

    ``parts`` is 0 where the class has not been looked at yet.
    """

    server: int = 0
    slab: int = 0
    part: int = 0
    parts: int = 0

    def __str__(self) -> str:
        return f"{self.server}:{self.slab}:{self.part}:{self.parts}"


def parse(cursor: str | None) -> Position:
    """Read a cursor; raises ``StoreError`` where it is none."""
    if cursor is None:
        return Position()
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise StoreError("not a cursor of this store")
    server, slab, part, parts = map(int, found.groups())
    return Position(server=server, slab=slab, part=part, parts=parts)


def locate(
    connection: Connection,
    position: Position,
    part_keys: int | None = None,
    part_bytes: int | None = None,
) -> Position | None:
    """Find the first class with entries at or after the position; None: the server is done.

    A class that is new is divided into parts of about so many keys, and bytes of values.
    """
    most_keys = PART_KEYS if part_keys is None else part_keys
    for slab, size in sorted(_classes(connection).items()):
        if slab >= position.slab and size.entries > MAX_CLASS_KEYS:
            raise _too_many(connection)
        if slab == position.slab and position.parts:
            return position
        if slab >= position.slab:
            by_bytes = 1 if part_bytes is None else -(-size.value_bytes // part_bytes)
            parts = max(1, by_bytes, -(-size.entries // most_keys))
            return Position(server=position.server, slab=slab, parts=min(parts, _MOST_PARTS))
    return None


def following(position: Position) -> Position:
    """Give the position after a located one."""
    if position.part + 1 < position.parts:
        return Position(
            server=position.server,
            slab=position.slab,
            part=position.part + 1,
            parts=position.parts,
        )
    return Position(server=position.server, slab=position.slab + 1)


def keys(connection: Connection, position: Position, pace: Pace) -> set[bytes]:
    """List the keys of one class, or of one part of them.

    The budget cannot stop it, and ``MAX_PARSING_SECONDS`` of processor time do: raises
    ``StoreUnsupported`` then, with the dump read to its end.
    """
    return parts(connection, taken(connection, position.slab), position, 1, pace)[0]


def taken(connection: Connection, slab: int) -> tuple[Packed, ...]:
    """Take in the dump of a class, or two where a few of its entries are missing in the first."""
    before = _entries(connection, slab)
    _await_crawler(connection)
    first = _packed_dump(connection, slab)
    if not 0 < before - first.keys <= _MOST_IN_USE or _entries(connection, slab) <= first.keys:
        return (first,)
    _await_crawler(connection)
    return first, _packed_dump(connection, slab)


def parts(
    connection: Connection, dumps: Iterable[Packed], position: Position, count: int, pace: Pace
) -> list[set[bytes]]:
    """List the keys of so many parts of a class, from the position on, as ``keys`` does."""
    found: list[set[bytes]] = [set() for _ in range(count)]
    first, all_parts = position.part, position.parts
    until = time.thread_time() + MAX_PARSING_SECONDS
    for some_keys in (run for packed in dumps for run in _runs_of_keys(packed.lines)):
        for key, name in zip(some_keys, _decoded(some_keys), strict=True):
            part = crc32(key) % all_parts - first
            if 0 <= part < count:
                found[part].add(name)
        pace()
        if time.thread_time() > until:
            raise _too_many(connection)
    return found


def obstacle(connection: Connection) -> str | None:
    """Say why the server cannot be listed; None: it can."""
    settings = stats(connection, "settings")
    if settings.get("dump_enabled", "yes") != "yes":
        return f"{connection.label} was started with dumping forbidden"
    if settings.get("lru_crawler") != "yes":
        return f"{connection.label} has its LRU crawler disabled"
    return None


def _classes(connection: Connection) -> dict[int, _Size]:
    told = stats(connection, "items")
    sizes = {}
    for name in told:
        named = _NUMBER.fullmatch(name)
        if named is not None:
            value_bytes = told.get(f"items:{named[1]}:mem_requested", "0")
            sizes[int(named[1])] = _Size(number(told, name), int(value_bytes))
    return sizes


def _entries(connection: Connection, slab: int) -> int:
    size = _classes(connection).get(slab)
    return 0 if size is None else size.entries


def _await_crawler(connection: Connection) -> None:
    for pause_seconds in _BUSY_PAUSES_SECONDS:
        if stats(connection).get("lru_crawler_running", "0") == "0":
            return
        time.sleep(pause_seconds)
    raise _busy(connection)


def _packed_dump(connection: Connection, slab: int) -> Packed:
    packer = zlib.compressobj(level=1)
    connection.send(b"lru_crawler metadump %d\r\n" % slab)
    with connection.patience(_DUMP_TIMEOUT_SECONDS, _WHOLE_DUMP_SECONDS):
        first = connection.block()
        _refuse_errors(connection, first)
        packed, received_bytes = [packer.compress(first)], len(first)
        lines = first.count(b"\n")
        for block in _rest(connection, first):
            received_bytes += len(block)
            lines += block.count(b"\n")
            if received_bytes <= _KEPT_DUMP_BYTES:
                packed.append(packer.compress(block))
            elif received_bytes > _MAX_DUMP_BYTES:
                raise connection.garbled()
    if received_bytes > _KEPT_DUMP_BYTES:
        raise _too_many(connection)
    return Packed(b"".join([*packed, packer.flush()]), lines - 1)  # the last is END


def _refuse_errors(connection: Connection, first: bytes) -> None:
    if first.startswith((b"key=", b"END")):
        return
    if first.startswith(b"BUSY"):
        raise _busy(connection)
    if as_error(first, connection.label) is not None:
        raise StoreUnsupported(f"{connection.label} does not allow its keys to be listed")
    raise connection.garbled()


def _rest(connection: Connection, first: bytes) -> Iterator[bytes]:
    """Give blocks until END: it alone ends in CR LF, the lines before it in LF."""
    tail = first
    while not tail.endswith(b"\r\n"):
        block = connection.block()
        tail = tail[-1:] + block[-2:]
        yield block


def _runs_of_keys(packed: bytes) -> Iterator[list[bytes]]:
    # Fed by slices: ``unconsumed_tail`` would copy all that is left for each block.
    unpacker, left = zlib.decompressobj(), memoryview(packed)
    begun = b""
    for start in range(0, len(left), _FED_BYTES):
        block = begun + unpacker.decompress(left[start : start + _FED_BYTES])
        end = block.rfind(b"\n") + 1
        begun = block[end:]
        keys_of_block = _KEY.findall(block, 0, end)
        for first in range(0, len(keys_of_block), _KEYS_BETWEEN_PACES):
            yield keys_of_block[first : first + _KEYS_BETWEEN_PACES]


def _decoded(keys: list[bytes]) -> list[bytes]:
    """Decode keys all at once; none has a space, unless it was encoded."""
    joined = b" ".join(keys)
    if b"%" not in joined:
        return keys
    names = unquote_to_bytes(joined).split(b" ")
    return names if len(names) == len(keys) else list(map(unquote_to_bytes, keys))


def _too_many(connection: Connection) -> StoreError:
    return StoreUnsupported(f"{connection.label} has too many keys in one slab class to list them")


def _busy(connection: Connection) -> StoreError:
    return StoreError(f"{connection.label} is busy with another crawl")
