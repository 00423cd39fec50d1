"""A TCP load balancer that hides several nodes behind one address."""

import itertools
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Self

from harness.process import LOOPBACK


class Balancer:
    """Hands each new connection to the next of some loopback ports, in turn.

    `passed_bytes` counts what it has passed on, both ways; between `hold` and `release` it passes
    nothing on, and keeps what it was sent. To be used in `with`; at its end every
    connection is closed and every thread has ended.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self._next = itertools.cycle(ports)
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        self.address = f"{LOOPBACK}:{self.port}"
        self.url = f"http://{self.address}/cachecheck/"
        self.passed_bytes = 0
        self._counting = threading.Lock()
        self._is_flowing = threading.Event()
        self._is_flowing.set()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()
        # To close a listener does not wake the thread that waits in it; to shut it down does.
        for held in (self._listener, *tuple(self._open)):
            with suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for held in (self._listener, *self._open):
            held.close()

    def hold(self) -> None:
        self._is_flowing.clear()

    def release(self) -> None:
        self._is_flowing.set()

    def _start(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(client)
            self._join(client)

    def _join(self, client: socket.socket) -> None:
        """Tie a client to the next port; a port where nobody listens closes the connection."""
        try:
            server = socket.create_connection((LOOPBACK, next(self._next)), 5)
        except OSError:
            client.shutdown(socket.SHUT_RDWR)
            return
        server.settimeout(None)
        self._open.add(server)
        self._start(self._pass_on, client, server)
        self._start(self._pass_on, server, client)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        """Copy bytes until the source ends, then let the target know."""
        with suppress(OSError):
            while data := source.recv(65_536):
                self._is_flowing.wait()
                target.sendall(data)
                with self._counting:
                    self.passed_bytes += len(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
