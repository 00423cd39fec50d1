"""One connection of redis-py's, over which commands are packed and answers parsed by ourselves.

redis-py connects: TLS, AUTH, Unix sockets, Sentinels. Its pipelines then take 25 µs a command, of
which the server takes one. What is private of it is kept to this file; where it is not there, or
hiredis is not installed, redis-py parses the answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cachecheck.errors import StoreError
from cachecheck.stores.redis.library import exceptions, library_of, of_library

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import redis

_RECEIVED_BYTES = 1 << 18
_FED_BYTES = 1 << 14  # hiredis moves all that it holds, again after each KiB that it parsed
_TOO_MUCH = "the server answers more than it was asked for"
_OVERHEAD_BYTES = 512  # of an answer beside what was asked for: its length, or an error's text


class Wire:
    """A connection taken from a client's pool until ``close``."""

    def __init__(self, client: redis.Redis) -> None:
        self._single: Any = client.client()  # type: ignore[no-untyped-call]  # redis-py
        self._connection: Any = self._single.connection
        self._receive = _receiver(self._connection) or self._receive_slowly
        self._is_settled = True

    def exchange(self, packed: bytes, answers: int, most_bytes: int) -> list[Any]:
        """Send packed commands, and give their answers; errors among them are exceptions.

        Raises what redis-py raises, and ``StoreError`` where more answers come than were asked for,
        or, with hiredis, more than ``most_bytes`` of values and keys.
        """
        self._is_settled = False
        self._connection.send_packed_command([packed], check_health=False)
        received = self._receive(answers, most_bytes + answers * _OVERHEAD_BYTES)
        if len(received) != answers:
            raise StoreError(_TOO_MUCH)
        self._is_settled = True
        return received

    def close(self) -> None:
        """Give the connection back; one with answers under way is closed."""
        if not self._is_settled:
            self._connection.disconnect()
        self._single.close()

    def _receive_slowly(self, answers: int, most_bytes: int) -> list[Any]:
        del most_bytes  # the parser of redis-py cannot be told
        return [self._receive_one() for _ in range(answers)]

    def _receive_one(self) -> Any:
        try:
            return self._connection.read_response(disable_decoding=True)
        except exceptions("ResponseError") as exc:
            return exc


def pack(*parts: bytes) -> bytes:
    """Pack one command."""
    return b"*%d\r\n%b" % (len(parts), b"".join(map(_bulk, parts)))


def pack_pairs(keys: Sequence[bytes], first: bytes, second: bytes, *arguments: bytes) -> bytes:
    """Pack two commands for each key, one after the other; the second one has arguments."""
    head = b"*2\r\n%b" % _bulk(first)
    middle = b"\r\n*%d\r\n%b" % (2 + len(arguments), _bulk(second))
    tail = b"\r\n%b" % b"".join(map(_bulk, arguments))
    lengths = {length: b"$%d\r\n" % length for length in set(map(len, keys))}
    if len(lengths) == 1:  # often enough, and quicker by a third
        (length,) = lengths.values()
        head, middle = head + length, middle + length
    else:
        keys = [lengths[len(key)] + key for key in keys]
    return head + (tail + head).join([key + middle + key for key in keys]) + tail


def _bulk(part: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(part), part)


def _receiver(connection: Any) -> Callable[[int, int], list[Any]] | None:
    """Make what receives answers from the connection's socket; None where that cannot be done."""
    try:
        import hiredis  # noqa: PLC0415  a Django node may not have it

        taken, parse_error = connection._sock, connection._parser.parse_error  # noqa: SLF001
    except (ImportError, AttributeError):
        return None
    if not hasattr(taken, "recv_into"):
        return None
    invalid = of_library(library_of(connection), "exceptions", "InvalidResponse")
    nothing = object()
    reader = hiredis.Reader(protocolError=invalid, replyError=parse_error, notEnoughData=nothing)
    gets, feed, buffer = reader.gets, reader.feed, bytearray(_RECEIVED_BYTES)

    def receive(answers: int, most_bytes: int) -> list[Any]:
        found: list[Any] = []
        while len(found) < answers:
            received = taken.recv_into(buffer)
            if not received:
                raise ConnectionError
            most_bytes -= received
            if most_bytes < 0:
                raise StoreError(_TOO_MUCH)
            for start in range(0, received, _FED_BYTES):
                fed = min(_FED_BYTES, received - start)
                feed(buffer, start, fed)  # type: ignore[arg-type]  # it takes any buffer
                found += iter(gets, nothing)
        if reader.has_data():
            raise StoreError(_TOO_MUCH)
        return found

    return receive
