"""Walking servers: a part of a slab class is listed, then read some hundred entries at once.

A dump cannot be resumed, so batches end where parts do; parts are small, in keys and in bytes. As
long as the caller goes on, one dump serves many parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cachecheck.errors import StoreError
from cachecheck.stores.memcached import dump, meta
from cachecheck.stores.memcached.connection import MAX_LINE_BYTES
from cachecheck.stores.walking import Columns, texts
from cachecheck.sums import NEVER

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cachecheck.stores.base import Batch, Choose, Pace
    from cachecheck.stores.memcached.connection import Connection, Patience

PART_KEYS = 8_000
PART_BYTES = 64 << 20

_HELD_KEYS = 100_000
_FEWEST_KEYS, _MOST_KEYS = 20, 400
_MOST_BYTES = 4 << 20
_ASKED_BYTES = 16 << 10  # what both sides' sockets hold while neither reads
_COMMAND_BYTES = 24
_ATTEMPTS = 3
_MOST_FLAGS = (1 << 32) - 1
_WANTED = b"v f t u"


class _Held(NamedTuple):
    """Parts of a class that were listed and not read yet."""

    position: dump.Position
    dumps: Sequence[dump.Packed]
    parts: list[set[bytes]]


class Walk:
    """One walk over servers; ``moved`` is told a server, and the hits and misses we caused it."""

    def __init__(  # noqa: PLR0913  what the store is made of
        self,
        servers: Sequence[Connection],
        router: Callable[[str], str],
        choose: Choose,
        pace: Pace,
        *,
        patience: Patience,
        max_value_bytes: int,
        moved: Callable[[str, int, int], None],
    ) -> None:
        self._servers = servers
        self._router = router
        self._choose = choose
        self._pace = pace
        self._patience = patience
        self._max_value_bytes = max_value_bytes
        self._moved = moved
        self._held: _Held | None = None
        self._clock: int | None = None

    def batches(self, position: dump.Position) -> Iterator[Batch]:
        """Give part after part; what is not where clients look for it is foreign."""
        while position.server < len(self._servers):
            self._patience.refill()
            server = self._servers[position.server]
            found = dump.locate(server, position, PART_KEYS, PART_BYTES)
            if found is None:
                self._held = self._clock = None
                position = dump.Position(server=position.server + 1)
                continue
            keys = list(self._listed(server, found))
            position = dump.following(found)
            yield self._batch(server, keys).batch(len(keys), str(position))
            self._pace()
        yield Columns().batch(0, None)

    def _listed(self, server: Connection, found: dump.Position) -> set[bytes]:
        """Give the keys of a part: from the dump that is at hand, or from a new one."""
        held = self._held
        if held is not None and held.parts and held.position == found:
            dumps, parts = held.dumps, held.parts
        else:
            is_same = held is not None and held.position == found
            dumps = held.dumps if held and is_same else dump.taken(server, found.slab)
            count = min(found.parts - found.part, max(1, _HELD_KEYS // PART_KEYS))
            parts = dump.parts(server, dumps, found, count, self._pace)
        self._held = _Held(dump.following(found), dumps, parts[1:])
        return parts[0]

    def _batch(self, server: Connection, keys: Sequence[bytes]) -> Columns:
        columns = Columns()
        ours = self._routed(server, texts(keys))
        columns.foreign = len(keys) - len(ours)
        names = self._choose(ours)
        chosen = list(names)
        longest = max(map(len, chosen), default=0) * 4 // 3  # base64
        most = max(1, min(_MOST_KEYS, _ASKED_BYTES // (_COMMAND_BYTES + longest)))
        start, size = 0, min(most, _FEWEST_KEYS)
        while start < len(chosen):
            before = columns.value_bytes
            self._read(server, chosen[start : start + size], names, columns)
            start += size
            is_much = columns.value_bytes - before > _MOST_BYTES
            size = max(1, size // 4) if is_much else min(most, size * 2)
            self._pace()
        return columns

    def _routed(self, server: Connection, keys: Sequence[bytes]) -> Sequence[bytes]:
        if len(self._servers) == 1:
            return keys
        return [key for key in keys if self._router(key.decode()) == server.label]

    def _read(
        self,
        server: Connection,
        keys: Sequence[bytes],
        names: Mapping[bytes, bytes],
        columns: Columns,
    ) -> None:
        """Read keys, again where the server's clock ticked meanwhile, as ``meta.read`` does."""
        self._patience.refill()
        try:
            if self._clock is None:
                self._clock = meta.clock(meta.stats(server))
            for _ in range(_ATTEMPTS):
                now = self._clock
                found = self._read_once(server, keys, names, now)
                if self._clock == now:
                    break
        except StoreError:
            if not server.is_lost:
                server.close()  # answers to the rest may still be on their way
            raise
        columns.unread += found.unread
        columns.extend(found.names, found.values, found.expiries_ms, found.flags)

    def _read_once(
        self, server: Connection, keys: Sequence[bytes], names: Mapping[bytes, bytes], now: int
    ) -> Columns:
        """Give the entries that are there, and count those that cannot be read."""
        server.send(meta.get_commands(keys, _WANTED) + b"stats\r\n")
        found = Columns()
        with server.reading() as received:
            self._take(received, server.label, [names[key] for key in keys], now, found)
        self._clock = meta.clock_answer(server)
        gone = len(keys) - len(found.names) - found.unread
        self._moved(server.label, len(keys) - gone, gone)
        return found

    def _take(
        self,
        received: io.BufferedReader,
        label: str,
        names: Sequence[bytes],
        now: int,
        found: Columns,
    ) -> None:
        """Take answers in: entries, or that there is none, or that one cannot be read.

        Raises ``ValueError`` for what is no answer, ``ConnectionError`` for one that is cut off.
        """
        readline, read = received.readline, received.read
        for name in names:
            line = readline(MAX_LINE_BYTES)
            if not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES:
                raise ConnectionError
            kind, *told = line.split()
            if kind == b"VA":
                size, flags, remaining = told[:3]
                if flags[:1] != b"f" or remaining[:1] != b"t":
                    raise ValueError
                size_bytes, own_flags, seconds = int(size), int(flags[1:]), int(remaining[1:])
                if size_bytes < 0 or not 0 <= own_flags <= _MOST_FLAGS:
                    raise ValueError
                if size_bytes > self._max_value_bytes:
                    _skip(received, size_bytes + 2)
                    found.unread += 1
                    continue
                value = read(size_bytes + 2)
                if len(value) != size_bytes + 2:
                    raise ConnectionError
                found.names.append(name)
                found.values.append(value[:-2])
                found.expiries_ms.append(NEVER if seconds < 0 else (now + seconds) * 1000)
                found.flags.append(own_flags)
            elif meta.as_error(line.rstrip(), label) is not None:
                found.unread += 1
            elif kind != b"EN":
                raise ValueError


def _skip(received: io.BufferedReader, left: int) -> None:
    while left:
        block = received.read(min(left, 1 << 16))
        if not block:
            raise ConnectionError
        left -= len(block)
