"""A connection that delivers late: what makes a replica lag."""

import queue
import socket
import threading
import time
from contextlib import suppress
from typing import Self

from harness.process import LOOPBACK


class LaggingLink:
    """Listens on `port`, and hands on to `behind`; what comes back is `seconds` late.

    To be used in `with`. A replica of this port follows the primary behind it, late. `seconds` can
    be changed at any time.
    """

    def __init__(self, behind: int, seconds: float) -> None:
        self.seconds = seconds
        self._behind = behind
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = [self._listener]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection((LOOPBACK, self._behind))
            except OSError:
                return
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # late by so much alone
            self._open += [near, far]
            late: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
            for work, arguments in (
                (_copy, (near, far)),
                (self._read, (far, late)),
                (self._deliver, (late, near)),
            ):
                threading.Thread(target=work, args=arguments, daemon=True).start()

    def _read(self, far: socket.socket, late: "queue.SimpleQueue[tuple[float, bytes]]") -> None:
        with suppress(OSError):
            while data := far.recv(65_536):
                late.put((time.monotonic() + self.seconds, data))
        late.put((0.0, b""))

    def _deliver(self, late: "queue.SimpleQueue[tuple[float, bytes]]", near: socket.socket) -> None:
        with suppress(OSError):
            while True:
                due, data = late.get()
                if not data:
                    near.shutdown(socket.SHUT_WR)
                    return
                time.sleep(max(0.0, due - time.monotonic()))
                near.sendall(data)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
