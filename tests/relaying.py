"""A relay to a server that changes one of its answers."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def relay(port: int, replaced: tuple[bytes, bytes]) -> Iterator[tuple[int, bytearray]]:
    """Relay to a server, changing one answer of it; gives the port and what clients sent."""
    sent = bytearray()
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket, *, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if is_answer:
                    data = _changed(data, replaced)
                else:
                    sent.extend(data)
                sink.sendall(data)

    def serve() -> None:
        inner, _ = listener.accept()
        with inner, socket.create_connection(("127.0.0.1", port)) as outer:
            asking = threading.Thread(target=pump, args=(inner, outer), kwargs={"is_answer": False})
            answering = threading.Thread(
                target=pump, args=(outer, inner), kwargs={"is_answer": True}
            )
            asking.start()
            answering.start()
            asking.join()
            outer.shutdown(socket.SHUT_RDWR)
            answering.join()

    thread = threading.Thread(target=serve)
    thread.start()
    with listener:
        yield listener.getsockname()[1], sent
        thread.join()


def _changed(data: bytes, replaced: tuple[bytes, bytes]) -> bytes:
    old, new = replaced
    start = data.find(old)
    if start < 0:
        return data
    end = data.index(b"\r\n", start)
    return data[:start] + new + data[end:]
