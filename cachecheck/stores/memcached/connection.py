"""One socket to one memcached: bounded in line length, value size and waiting time.

A timeout of the socket bounds each wait, and a server that says a byte now and then would pass it
for ever. So waits are added up as well, over all servers of a store: ``Patience``.
"""

from __future__ import annotations

import io
import socket
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from cachecheck.errors import StoreError, StoreUnreachable
from cachecheck.model import Value
from cachecheck.stores.failures import network_reason

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

TIMEOUT_SECONDS = 2.0
PATIENCE_SECONDS = 4.0
MOST_MUTE = 2
MAX_LINE_BYTES = 4096
_AT_ONCE = 1 << 16


class Endpoint(Value, frozen=True, kw_only=True):
    """Where a server listens, and the ``label`` that the router calls it by.

    ``path`` is a Unix socket; then host and port mean nothing.
    """

    label: str
    host: str = ""
    port: int = 11211
    path: str | None = None


class Patience:
    """How long the servers of one store, together, may keep us waiting.

    ``mute`` counts those that were waited for in vain: after two of them no other is dialled.
    """

    def __init__(self, seconds: float = PATIENCE_SECONDS) -> None:
        self._seconds = self._left_seconds = seconds
        self.mute = 0

    @property
    def is_at_end(self) -> bool:
        """Say whether no further server should be dialled."""
        return self._left_seconds <= 0 or self.mute >= MOST_MUTE

    def refill(self) -> None:
        """Start over with the time, not with the count."""
        self._left_seconds = self._seconds

    def renew(self) -> None:
        """Start over."""
        self.refill()
        self.mute = 0

    @contextmanager
    def waiting(self, most_seconds: float) -> Iterator[float]:
        """Give the timeout for one wait, and take what it took; raises ``TimeoutError`` at 0."""
        if self._left_seconds <= 0:
            raise TimeoutError
        started_at = time.monotonic()
        try:
            yield min(most_seconds, self._left_seconds)
        finally:
            self._left_seconds -= time.monotonic() - started_at


class Connection:
    """Opened on first need; once lost, it stays lost and says so without waiting again."""

    def __init__(
        self,
        endpoint: Endpoint,
        tls: ssl.SSLContext | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.label = endpoint.label
        self.was_asked = True
        self._endpoint = endpoint
        self._tls = tls
        self._timeout_seconds = TIMEOUT_SECONDS
        self._shared = self._patience = patience or Patience()
        self._socket: socket.socket | None = None
        self._input: io.BufferedReader | None = None
        self._lost: StoreError | None = None

    def send(self, data: bytes) -> None:
        """Send commands, opening the connection where there is none."""
        with self._guarded():
            self._open()
            with self._waiting() as opened:
                opened.sendall(data)

    def line(self) -> bytes:
        """Read one line of an answer, without its end."""
        with self._guarded():
            line = self._reader().readline(MAX_LINE_BYTES)
            if not line:
                raise ConnectionError
            if not line.endswith(b"\n"):
                raise ValueError
            return line.rstrip(b"\r\n")

    @contextmanager
    def reading(self) -> Iterator[io.BufferedReader]:
        """Give what arrives, for many answers at once.

        What fails within, and a ``ValueError`` for what cannot be understood, loses the connection.
        """
        with self._guarded():
            yield self._reader()

    def value(self, size_bytes: int) -> bytes:
        """Read a value and the line end that follows it."""
        with self._guarded():
            return self._exactly(size_bytes + 2)[:-2]

    def skip(self, size_bytes: int) -> None:
        """Read over a value that is too large to be kept."""
        with self._guarded():
            left = size_bytes + 2
            while left:
                left -= len(self._exactly(min(left, _AT_ONCE)))

    def block(self) -> bytes:
        """Read what has arrived of an answer, at least one byte."""
        with self._guarded():
            data = self._reader().read1(_AT_ONCE)
            if not data:
                raise ConnectionError
            return data

    @contextmanager
    def patience(self, timeout_seconds: float, all_seconds: float) -> Iterator[None]:
        """Wait longer than usual for what is read meanwhile: at once, and all in all."""
        self._patience, self._timeout_seconds = Patience(all_seconds), timeout_seconds
        try:
            yield
        finally:
            self._patience, self._timeout_seconds = self._shared, TIMEOUT_SECONDS

    def close(self) -> None:
        """Close the socket; the next command opens it again."""
        self._lost, self.was_asked = None, True
        self._drop()

    def garbled(self) -> StoreError:
        """Give up a connection whose answers cannot be understood, and the error to raise."""
        return self._lose(StoreError(f"{self.label} does not answer as memcached does"))

    @property
    def is_lost(self) -> bool:
        """Say whether the connection broke since it was last closed."""
        return self._lost is not None

    def _exactly(self, count: int) -> bytes:
        data = self._reader().read(count)
        if len(data) != count:
            raise ConnectionError
        return data

    def _open(self) -> None:
        if self._socket is not None:
            return
        if self._patience.is_at_end:
            raise _NotAskedError
        with self._patience.waiting(self._timeout_seconds) as timeout_seconds:
            self._socket = self._connected(timeout_seconds)
        self._input = io.BufferedReader(_Source(self), _AT_ONCE)

    @contextmanager
    def _waiting(self) -> Iterator[socket.socket]:
        """Give the socket for one wait."""
        if self._socket is None:
            raise ConnectionError
        with self._patience.waiting(self._timeout_seconds) as timeout_seconds:
            self._socket.settimeout(timeout_seconds)
            yield self._socket

    def receive(self, into: memoryview) -> int:
        """Take in what arrives first; raises ``OSError``. For the buffered reader only."""
        with self._waiting() as opened:
            return opened.recv_into(into)

    def _reader(self) -> io.BufferedReader:
        if self._input is None:
            raise ConnectionError
        return self._input

    def _connected(self, timeout_seconds: float) -> socket.socket:
        with ExitStack() as on_failure:
            opened = on_failure.enter_context(self._plain(timeout_seconds))
            if self._tls is not None:
                opened = self._tls.wrap_socket(opened, server_hostname=self._endpoint.host)
            on_failure.pop_all()
            return opened

    def _plain(self, timeout_seconds: float) -> socket.socket:
        if self._endpoint.path is None:
            address = (self._endpoint.host, self._endpoint.port)
            return socket.create_connection(address, timeout_seconds)
        with ExitStack() as on_failure:
            opened = on_failure.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            opened.settimeout(timeout_seconds)
            opened.connect(self._endpoint.path)
            on_failure.pop_all()
            return opened

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        if self._lost is not None:
            raise type(self._lost)(self._lost.reason)
        try:
            yield
        except _NotAskedError:
            self.was_asked = False
            reason = f"{self.label}: not asked, as others had not answered in time"
            raise self._lose(StoreUnreachable(reason)) from None
        except OSError as exc:
            self._shared.mute += isinstance(exc, TimeoutError)
            reason = f"{self.label}: {network_reason(exc)}"
            raise self._lose(StoreUnreachable(reason)) from exc
        except ValueError as exc:
            raise self.garbled() from exc

    def _lose(self, error: StoreError) -> StoreError:
        self._lost = error
        self._drop()
        return error

    def _drop(self) -> None:
        for opened in (self._input, self._socket):
            if opened is not None:
                opened.close()
        self._input = self._socket = None


class _NotAskedError(Exception):
    """The patience had ended before this server was dialled."""


class _Source(io.RawIOBase):
    """What a connection receives, for a buffered reader."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, into: memoryview, /) -> int:  # type: ignore[override]
        return self._connection.receive(into)
