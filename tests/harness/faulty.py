"""An HTTP server that misbehaves in ways a real one does not let itself be told to."""

import gzip
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Self

from harness.process import LOOPBACK

Behaviour = Callable[[socket.socket, threading.Event], None]
"""What to do on a connection whose request has been read; the event says that the test ended."""

_LONGEST_SECONDS = 60.0


class FaultyServer:
    """Serves one behaviour on every connection, or several in turn, the last one for ever.

    To be used in `with`. `requests` holds what was received, head and body as bytes.
    """

    def __init__(self, *behaviours: Behaviour) -> None:
        self._behaviours = behaviours
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        self.address = f"{LOOPBACK}:{self.port}"
        self.url = f"http://{self.address}/cachecheck/"
        self.requests: list[bytes] = []
        self._has_ended = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._has_ended.set()
        # To close a listener does not wake the thread that waits in it; to shut it down does.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _accept(self) -> None:
        for served in range(1_000_000):
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            behaviour = self._behaviours[min(served, len(self._behaviours) - 1)]
            thread = threading.Thread(target=self._serve, args=(connection, behaviour), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, behaviour: Behaviour) -> None:
        connection.settimeout(5)
        with connection, suppress(OSError):
            self.requests.append(_read_request(connection))
            behaviour(connection, self._has_ended)


def hang_before_headers(_connection: socket.socket, has_ended: threading.Event) -> None:
    """Take the request and say nothing."""
    has_ended.wait(_LONGEST_SECONDS)


def hang_in_body(connection: socket.socket, has_ended: threading.Event) -> None:
    """Announce a body and send only its beginning."""
    connection.sendall(_head(200, {"Content-Length": "1000"}) + b'{"type"')
    has_ended.wait(_LONGEST_SECONDS)


def drip(connection: socket.socket, has_ended: threading.Event) -> None:
    """Send a byte of the body now and then, so that no single read takes long."""
    connection.sendall(_head(200, {"Content-Length": "1000000"}))
    while not has_ended.wait(0.05):
        connection.sendall(b" ")


def close_at_once(_connection: socket.socket, _has_ended: threading.Event) -> None:
    """Close without a word."""


def truncate(connection: socket.socket, _has_ended: threading.Event) -> None:
    """Close in the middle of the body."""
    connection.sendall(_head(200, {"Content-Length": "1000"}) + b'{"type"')


def garbage(connection: socket.socket, _has_ended: threading.Event) -> None:
    """Say what is not HTTP."""
    connection.sendall(b"\x00\xff\x16\x03 this is no HTTP\r\n\r\n")


def endless_body(connection: socket.socket, has_ended: threading.Event) -> None:
    """Send chunks of JSON for as long as anybody takes them, 1 GiB at most."""
    connection.sendall(_head(200, {"Transfer-Encoding": "chunked"}))
    for _ in range(16_384):
        if has_ended.is_set():
            return
        connection.sendall(b"10000\r\n" + b" " * 65_536 + b"\r\n")


def respond(
    status: int,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    compressed: bool = False,
) -> Behaviour:
    """Return the behaviour that answers so, JSON unless the headers say otherwise.

    `respond(301, headers={"Location": "https://…"})` redirects; `compressed` sends gzip whether
    asked for or not, as a proxy might.
    """
    sent = gzip.compress(body) if compressed else body
    encoding = {"Content-Encoding": "gzip"} if compressed else {}
    length = {"Content-Length": str(len(sent)), "Connection": "close"}
    head = _head(status, {**length, **encoding, **(headers or {})})

    def answer(connection: socket.socket, _has_ended: threading.Event) -> None:
        connection.sendall(head + sent)

    return answer


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in _with_type(headers).items()]
    return "\r\n".join([*lines, "", ""]).encode()


def _with_type(headers: Mapping[str, str]) -> dict[str, str]:
    has_type = any(name.lower() == "content-type" for name in headers)
    return {**({} if has_type else {"Content-Type": "application/json"}), **headers}


def _read_request(connection: socket.socket) -> bytes:
    """Return one request, head and the body that its Content-Length announces."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    while len(body) < _content_length(head):
        body += _some(connection)
    return head + b"\r\n\r\n" + body


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise ConnectionError("the client closed")
    return data


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
