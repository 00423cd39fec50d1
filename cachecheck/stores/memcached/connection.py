"""One socket to one memcached: bounded in line length, value size and waiting time."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from cachecheck.errors import StoreError, StoreUnreachable
from cachecheck.model import Value
from cachecheck.stores.failures import network_reason

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from io import BufferedReader

TIMEOUT_SECONDS = 2.0
_MAX_LINE_BYTES = 4096
_AT_ONCE = 1 << 16


class Endpoint(Value, frozen=True, kw_only=True):
    """Where a server listens, and the ``label`` that the router calls it by.

    ``path`` is a Unix socket; then host and port mean nothing.
    """

    label: str
    host: str = ""
    port: int = 11211
    path: str | None = None


class Connection:
    """Opened on first need; once lost, it stays lost and says so without waiting again."""

    def __init__(
        self,
        endpoint: Endpoint,
        tls: ssl.SSLContext | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self.label = endpoint.label
        self._endpoint = endpoint
        self._tls = tls
        self._timeout_seconds = timeout_seconds
        self._socket: socket.socket | None = None
        self._input: BufferedReader | None = None
        self._lost: StoreError | None = None

    def send(self, data: bytes) -> None:
        """Send commands, opening the connection where there is none."""
        with self._guarded():
            self._opened().sendall(data)

    def line(self) -> bytes:
        """Read one line of an answer, without its end."""
        with self._guarded():
            line = self._reader().readline(_MAX_LINE_BYTES)
            if not line:
                raise ConnectionError
            if not line.endswith(b"\n"):
                raise ValueError
            return line.rstrip(b"\r\n")

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
    def patience(self, timeout_seconds: float) -> Iterator[None]:
        """Wait longer than usual for what is read meanwhile."""
        self._wait(timeout_seconds)
        try:
            yield
        finally:
            self._wait(self._timeout_seconds)

    def close(self) -> None:
        """Close the socket; the next command opens it again."""
        self._lost = None
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

    def _opened(self) -> socket.socket:
        if self._socket is None:
            self._socket = self._connected()
            self._input = self._socket.makefile("rb")
        return self._socket

    def _reader(self) -> BufferedReader:
        if self._input is None:
            raise ConnectionError
        return self._input

    def _connected(self) -> socket.socket:
        with ExitStack() as on_failure:
            opened = on_failure.enter_context(self._plain())
            if self._tls is not None:
                opened = self._tls.wrap_socket(opened, server_hostname=self._endpoint.host)
            on_failure.pop_all()
            return opened

    def _plain(self) -> socket.socket:
        if self._endpoint.path is None:
            address = (self._endpoint.host, self._endpoint.port)
            return socket.create_connection(address, self._timeout_seconds)
        with ExitStack() as on_failure:
            opened = on_failure.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            opened.settimeout(self._timeout_seconds)
            opened.connect(self._endpoint.path)
            on_failure.pop_all()
            return opened

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        if self._lost is not None:
            raise type(self._lost)(self._lost.reason)
        try:
            yield
        except OSError as exc:
            reason = f"{self.label}: {network_reason(exc)}"
            raise self._lose(StoreUnreachable(reason)) from exc
        except ValueError as exc:
            raise self.garbled() from exc

    def _wait(self, timeout_seconds: float) -> None:
        if self._socket is not None:
            self._socket.settimeout(timeout_seconds)

    def _lose(self, error: StoreError) -> StoreError:
        self._lost = error
        self._drop()
        return error

    def _drop(self) -> None:
        for opened in (self._input, self._socket):
            if opened is not None:
                opened.close()
        self._input = self._socket = None
