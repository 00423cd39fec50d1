"""Ask siblings, all at once and without threads: sent first, collected later.

Sockets that refuse are of processes that ended: they are no siblings any more.
"""

from __future__ import annotations

import selectors
import socket
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from cachecheck.agent.relay.frames import BESIDE_BODY_BYTES, LENGTH_BYTES, length_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cachecheck.agent.relay.folder import Folder, Name

SEND_SECONDS = 0.25
_CHUNK_BYTES = 1 << 16
_CONNECT_SECONDS = 0.1


class Heard(NamedTuple):
    """What came of one sibling: the message of its frame, or why there is none."""

    name: Name
    message: bytes | None
    reason: str = ""


class Asking:
    """One request on its way to siblings; use it as a context manager.

    ``room_bytes`` is what all their answers together may have, whole ones and those that are still
    coming. Raises ``OSError`` where nobody can be asked.
    """

    def __init__(
        self,
        folder: Folder,
        names: Sequence[Name],
        request: bytes,
        room_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._most_bytes = room_bytes + BESIDE_BODY_BYTES
        self._room_bytes = room_bytes + BESIDE_BODY_BYTES * len(names)
        self._selector = selectors.DefaultSelector()
        self._done: list[Heard] = []
        for name in names:
            self._connect(folder, name, request)

    def __enter__(self) -> Self:
        self._pump(self._clock() + SEND_SECONDS, is_enough=self._is_sent)
        return self

    def __exit__(self, *_exc: object) -> None:
        for exchange in self._pending():
            exchange.connection.close()
        self._selector.close()

    def collect(self, until: float) -> tuple[Heard, ...]:
        """Wait for answers, until that moment of the clock at most."""
        self._pump(until, is_enough=lambda: not self._selector.get_map())
        late = [Heard(one.name, None, "no answer in time") for one in self._pending()]
        return (*self._done, *late)

    def _pending(self) -> Iterator[_Exchange]:
        yield from [key.data for key in self._selector.get_map().values()]

    def _is_sent(self) -> bool:
        return not any(exchange.unsent for exchange in self._pending())

    def _connect(self, folder: Folder, name: Name, request: bytes) -> None:
        try:
            connection = _connected(folder.address(str(name)))
        except (ConnectionRefusedError, FileNotFoundError):
            folder.forget(name)
        except OSError as exc:
            self._done.append(Heard(name, None, f"no connection: {type(exc).__name__}"))
        else:
            exchange = _Exchange(name, connection, request)
            self._selector.register(
                connection, selectors.EVENT_READ | selectors.EVENT_WRITE, data=exchange
            )

    def _pump(self, until: float, is_enough: Callable[[], bool]) -> None:
        while not is_enough():
            seconds = until - self._clock()
            if seconds <= 0:
                return
            for key, events in self._selector.select(seconds):
                self._move(key.data, events)

    def _move(self, exchange: _Exchange, events: int) -> None:
        """Send or receive what can be, and put down what came of a sibling that is done."""
        try:
            if events & selectors.EVENT_WRITE and exchange.send():
                self._selector.modify(exchange.connection, selectors.EVENT_READ, data=exchange)
            is_whole = bool(events & selectors.EVENT_READ) and self._receive(exchange)
        except BlockingIOError:
            return
        except _NoRoomError:
            self._finish(exchange, None, "its answer does not fit into this one")
        except OSError:
            self._finish(exchange, None, "it closed the connection without an answer")
        else:
            if is_whole:
                self._finish(exchange, bytes(exchange.received[LENGTH_BYTES:]), "")

    def _receive(self, exchange: _Exchange) -> bool:
        """Receive what is there; whether that was the last of it. Raises where it is too much."""
        self._room_bytes -= exchange.receive()
        if self._room_bytes < 0 or exchange.announced_bytes > self._most_bytes:
            raise _NoRoomError
        return exchange.is_whole

    def _finish(self, exchange: _Exchange, message: bytes | None, reason: str) -> None:
        if message is None:
            self._room_bytes += len(exchange.received)
        self._selector.unregister(exchange.connection)
        exchange.connection.close()
        self._done.append(Heard(exchange.name, message, reason))


class _NoRoomError(Exception):
    """An answer that is longer than what is left for all of them."""


class _Exchange:
    """One connection, what is still to be sent, and what has been received."""

    def __init__(self, name: Name, connection: socket.socket, request: bytes) -> None:
        self.name = name
        self.connection = connection
        self.unsent = memoryview(request)
        self.received = bytearray()

    def send(self) -> bool:
        """Send what can be sent now; whether that was the last of it."""
        self.unsent = self.unsent[self.connection.send(self.unsent[:_CHUNK_BYTES]) :]
        return not self.unsent

    def receive(self) -> int:
        """Receive what is there, and say how many bytes that were."""
        chunk = self.connection.recv(_CHUNK_BYTES)
        if not chunk:
            raise ConnectionResetError
        self.received += chunk
        return len(chunk)

    @property
    def announced_bytes(self) -> int:
        """How long the message is to be; 0 while that is not known."""
        known = len(self.received) >= LENGTH_BYTES
        return length_of(bytes(self.received[:LENGTH_BYTES])) if known else 0

    @property
    def is_whole(self) -> bool:
        """Whether all of it has been received."""
        return len(self.received) >= LENGTH_BYTES + self.announced_bytes


def _connected(address: str) -> socket.socket:
    """Connect; raises ``OSError`` where that cannot be."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(_CONNECT_SECONDS)
        connection.connect(address)
        connection.settimeout(0)
    except OSError:
        connection.close()
        raise
    return connection
