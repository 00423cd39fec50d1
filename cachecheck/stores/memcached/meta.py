"""The few commands that are sent to a memcached, and what is answered.

``mg`` (1.6.0 and newer; memcached's ``doc/protocol.txt``, "Meta Get") gives value, flags, remaining
time and the unique number of the write, and with ``u`` leaves order of eviction and time of last
access alone.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, NamedTuple

from cachecheck.errors import StoreError, StoreUnsupported
from cachecheck.model import Failed, Missing
from cachecheck.stores.base import Stored, Weight
from cachecheck.stores.memcached.connection import MAX_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.stores.base import RawReading
    from cachecheck.stores.memcached.connection import Connection

MAX_KEY_BYTES = 250
MAX_STATISTICS = 10_000
OLDEST_VERSION = (1, 6, 0)

_TO_ENCODE = re.compile(rb"[\x00-\x20\x7f]")
_TOLD = re.compile(rb"HD((?: [a-zA-Z][!-~]*)*)")
_VALUE = re.compile(rb"VA ([0-9]{1,10})((?: [a-zA-Z][!-~]*)*)")
_STAT_TIME = b"STAT time "
_ERRORS = (b"ERROR", b"CLIENT_ERROR", b"SERVER_ERROR")


class Batch(NamedTuple):
    """The readings of some keys, and what the commands moved in the server's counters."""

    readings: list[RawReading]
    hits: int
    misses: int


def stats(connection: Connection, group: str = "") -> dict[str, str]:
    """Ask for statistics: general ones, or a group such as ``settings`` or ``items``."""
    connection.send(f"stats {group}".strip().encode() + b"\r\n")
    return stats_answer(connection)


def read(
    connection: Connection, keys: Sequence[bytes], max_value_bytes: int, attempts: int = 3
) -> Batch:
    """Read entries, with expiries in the server's own clock.

    The server gives remaining seconds and counts time in whole ones, so its clock is asked before
    and after: where it ticked in between, the keys are read again, at most ``attempts`` times.
    """
    readings: list[RawReading] = []
    attempt, is_exact, hits, misses = 0, False, 0, 0
    while not is_exact and attempt < attempts:
        attempt += 1
        try:
            readings, is_exact = _read_once(connection, keys, max_value_bytes)
        except StoreError:
            if not connection.is_lost:
                connection.close()  # answers to the rest may still be on their way
            raise
        gone = sum(isinstance(reading, Missing) for reading in readings)
        hits, misses = hits + len(keys) - gone, misses + gone
    return Batch(readings, hits, misses)


def weigh(connection: Connection, keys: Sequence[bytes]) -> list[Weight | None]:
    """Ask for sizes and expiries of entries, to the second, and not for their values."""
    try:
        connection.send(b"stats\r\n" + get_commands(keys, b"s t u"))
        now = clock_answer(connection)
        return [_weight_answer(connection, now) for _ in keys]
    except StoreError:
        if not connection.is_lost:
            connection.close()
        raise


def clock(stats: dict[str, str]) -> int:
    """Give the server's clock: whole seconds since the epoch."""
    return number(stats, "time")


def started_at(stats: dict[str, str]) -> int:
    """Give when the server started, by its own clock.

    Both numbers are one counter with and without the start added to it, so that their difference
    never changes (memcached.c, ``server_stats``).
    """
    return number(stats, "time") - number(stats, "uptime")


def hits_and_misses(stats: dict[str, str]) -> tuple[int, int]:
    """Give the hits and misses that the server counted."""
    return number(stats, "get_hits"), number(stats, "get_misses")


def number(stats: dict[str, str], name: str) -> int:
    """Give a number among the statistics; raises ``StoreError`` where it is not there."""
    try:
        return int(stats[name])
    except (KeyError, ValueError):
        raise StoreError(f"the server's statistics do not tell {name}") from None


def version(stats: dict[str, str]) -> tuple[int, ...]:
    """Give the server's version."""
    return tuple(map(int, re.findall(r"\d+", stats.get("version", ""))[:3]))


def as_error(line: bytes, label: str) -> StoreError | None:
    """Give the error that an answer is, or None where it is none; its text stays behind."""
    kind = line.partition(b" ")[0]
    if kind not in _ERRORS:
        return None
    if kind == b"ERROR":
        return StoreUnsupported(f"{label} does not know the command")
    return StoreError(f"{label} answered {kind.decode()}")


def _read_once(
    connection: Connection, keys: Sequence[bytes], max_value_bytes: int
) -> tuple[list[RawReading], bool]:
    connection.send(b"stats\r\n" + get_commands(keys, b"v f t c u") + b"stats\r\n")
    now = clock_answer(connection)
    readings = [_get_answer(connection, now, max_value_bytes) for _ in keys]
    return readings, clock_answer(connection) == now


def stats_answer(connection: Connection) -> dict[str, str]:
    """Take in the answer to a command for statistics that was sent."""
    told: dict[str, str] = {}
    while (line := connection.line()) != b"END":
        error = as_error(line, connection.label)
        if error is not None:
            raise error
        head, _, rest = line.partition(b" ")
        if head != b"STAT":
            raise connection.garbled()
        name, _, value = rest.decode(errors="replace").partition(" ")
        told[name] = value
        if len(told) > MAX_STATISTICS:
            raise connection.garbled()
    return told


def clock_answer(connection: Connection) -> int:
    """Take in the answer to ``stats``, a hundred lines, for the server's clock alone."""
    told: dict[str, str] = {}
    with connection.reading() as received:
        for _ in range(MAX_STATISTICS):
            line = received.readline(MAX_LINE_BYTES)
            if line.startswith(_STAT_TIME):
                told["time"] = line[len(_STAT_TIME) :].decode(errors="replace")
            elif line == b"END\r\n":
                return clock(told)
            elif not line.startswith(b"STAT "):
                raise _failure(line, connection.label)
        raise ValueError


def _failure(line: bytes, label: str) -> Exception:
    if not line:
        return ConnectionError()
    return as_error(line.rstrip(), label) or ValueError()


def get_commands(keys: Sequence[bytes], wanted: bytes) -> bytes:
    """Give the commands that read keys without leaving a trace."""
    if _TO_ENCODE.search(b"".join(keys)):
        return b"".join(_get_command(key, wanted) for key in keys)
    end = b" %s\r\n" % wanted
    return b"".join((b"mg ", (end + b"mg ").join(keys), end)) if keys else b""


def _get_command(key: bytes, wanted: bytes) -> bytes:
    if _TO_ENCODE.search(key):
        return b"mg %s %s b\r\n" % (b64encode(key), wanted)
    return b"mg %s %s\r\n" % (key, wanted)


def _get_answer(connection: Connection, now: int, max_value_bytes: int) -> RawReading:
    line = connection.line()
    if line == b"EN":
        return Missing()
    error = as_error(line, connection.label)
    if error is not None:
        return Failed(reason="error", detail=error.reason)
    header = _VALUE.fullmatch(line)
    if header is None:
        raise connection.garbled()
    size_bytes = int(header[1])
    if size_bytes > max_value_bytes:
        connection.skip(size_bytes)
        detail = f"{size_bytes} bytes, more than {max_value_bytes}"
        return Failed(reason="too-large", detail=detail)
    value = connection.value(size_bytes)
    try:
        return _stored(value, header[2].decode().split(), now)
    except (KeyError, ValueError):
        raise connection.garbled() from None


def _weight_answer(connection: Connection, now: int) -> Weight | None:
    line = connection.line()
    if line == b"EN" or as_error(line, connection.label) is not None:
        return None
    header = _TOLD.fullmatch(line)
    try:
        told = {flag[0]: flag[1:] for flag in header[1].decode().split()} if header else {}
        remaining = int(told["t"])
        return Weight(int(told["s"]), None if remaining < 0 else float(now + remaining))
    except (KeyError, ValueError):
        raise connection.garbled() from None


def _stored(value: bytes, flags: Sequence[str], now: int) -> Stored:
    told = {flag[0]: flag[1:] for flag in flags}
    remaining = int(told["t"])
    return Stored(
        value=value,
        flags=int(told["f"]),
        expires_at=None if remaining < 0 else float(now + remaining),
        cas=int(told["c"]),
    )
