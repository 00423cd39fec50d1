"""One process that listens: a thread with a Unix socket, on which siblings hand requests on.

It takes one request after another and answers each as the endpoint would: what is not signed gets
nothing. A request that came here is never handed on again.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from django.core.cache import caches
from django.db import connections

from cachecheck.agent import conf as settings
from cachecheck.agent.answers import answer
from cachecheck.agent.judging import Probe, respond
from cachecheck.agent.relay.folder import Folder, Name, Unfit, open_folder
from cachecheck.agent.relay.frames import (
    BESIDE_BODY_BYTES,
    LENGTH_BYTES,
    Handed,
    Returned,
    decode,
    frame,
    length_of,
)
from cachecheck.agent.relay.roles import kin_of
from cachecheck.agent.worker import this_worker
from cachecheck.errors import MalformedMessage, MessageTooLarge, SignatureError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.agent.conf import Conf
    from cachecheck.agent.judging import Held
    from cachecheck.model import Role, Worker
    from cachecheck.wire import AnyAnswer

log = logging.getLogger("cachecheck.agent")

BACKLOG = 64
RECEIVE_SECONDS = 1.0
SEND_SECONDS = 5.0
LOOK_SECONDS = 60.0
PAUSE_SECONDS = 1.0
_MODE = 0o600
_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What accepting may meet for a while in a process that listens on."""

_PASSING_SECONDS = 0.1
_NEXT_TO_NOTHING = 0.001  # 0 would mean: without waiting


class Listener:
    """Listens in the folder of the site, under a name of its own, until ``close``.

    Raises ``Unfit`` where that cannot be.
    """

    def __init__(self, conf: Conf, role: Role) -> None:
        worker = this_worker(role)
        self.name = Name.of(worker, role, kin_of(worker))
        self.folder, self._socket = _listening(conf, self.name)
        self._thread = self._started()

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._serve, name="cachecheck-relay", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system gives no more threads
            self.close()
            raise
        return thread

    def pause(self) -> None:
        """End the thread, so that a fork copies none of its locks; not for longer than it must."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not threading.current_thread():
            self._thread.join(PAUSE_SECONDS)

    def resume(self) -> None:
        """Go on after ``pause``; raises ``Unfit`` where that cannot be."""
        self.let_go()
        self.folder, self._socket = _listening(settings.load(), self.name)
        self._thread = self._started()

    def be(self, role: Role) -> None:
        """Go by another role from now on."""
        old, self.name = self.name, self.name._replace(role=role)
        with suppress(OSError):
            self.folder.rename(str(old), str(self.name))

    def close(self) -> None:
        """Listen no more and leave nothing behind."""
        self.folder.remove(str(self.name))
        self.folder.remove_if_empty()
        self.let_go()

    def let_go(self) -> None:
        """Close what a fork inherited; its parent goes on listening."""
        self._socket.close()
        self.folder.close()

    def _serve(self) -> None:
        """Take requests from the socket that there is now, until it is closed or paused."""
        listening = self._socket
        while True:
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                self._return_if_removed()
                listening = self._socket
                continue
            except OSError as exc:
                if exc.errno not in _PASSING:
                    return
                time.sleep(_PASSING_SECONDS)
                continue
            with connection:
                self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        """Answer one sibling; whatever goes wrong, the next one is taken."""
        try:
            returned = self._answered(connection)
            if returned is not None:
                connection.settimeout(SEND_SECONDS)
                connection.sendall(frame(returned))
        except (OSError, MalformedMessage, MessageTooLarge):
            return
        except SignatureError as exc:
            log.warning("a probe through the relay refused: %s", exc)
        except (Exception, SystemExit) as exc:  # noqa: BLE001  the boundary of a thread that must go on
            log.warning("a probe through the relay met %s", type(exc).__name__)

    def _answered(self, connection: socket.socket) -> Returned | None:
        conf = settings.load()
        if conf.keyring is None or not (conf.is_open and conf.relays):
            return None
        handed = decode(Handed, _received(connection, conf.max_body_bytes))
        probe = Probe("POST", handed.headers, partial(_bounded, handed.body))
        identify: Callable[[], Worker] = partial(this_worker, self.name.role)
        try:
            given = respond(probe, conf, conf.keyring, identify, partial(_do, conf))
        finally:
            _close_connections()
        return Returned(status=given.status, headers=given.headers, body=given.body)

    def _return_if_removed(self) -> None:
        """Listen anew where somebody has tidied the socket away."""
        if self.folder.is_current(str(self.name)):
            return
        try:
            folder, listening = _listening(settings.load(), self.name)
        except (Unfit, OSError) as exc:
            log.warning("the relay cannot listen again: %s", exc)
            return
        self.let_go()
        self.folder, self._socket = folder, listening


def _listening(conf: Conf, name: Name) -> tuple[Folder, socket.socket]:
    """Listen in the folder of the site; once more where it was just removed by the last to go."""
    try:
        return _bound(open_folder(conf), name)
    except Unfit:
        return _bound(open_folder(conf), name)


def _bound(folder: Folder, name: Name) -> tuple[Folder, socket.socket]:
    """Make a socket that listens before anybody can see its name: a name alone means a dead one."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        folder.sweep()
        unseen = f"{name.mark}-{name.pid}"
        folder.remove(unseen)
        address = folder.address(unseen)
        made.bind(address)
        os.chmod(unseen, _MODE, dir_fd=folder.descriptor)
        made.listen(BACKLOG)
        made.settimeout(LOOK_SECONDS)
        folder.rename(unseen, str(name))
    except OSError as exc:
        made.close()
        folder.close()
        raise Unfit(f"no socket can be made: {exc.strerror or type(exc).__name__}") from exc
    except Unfit:
        made.close()
        folder.close()
        raise
    return folder, made


def _received(connection: socket.socket, max_body_bytes: int) -> bytes:
    """Receive a frame's message, within its bounds; raises ``OSError`` where it does not come."""
    until = time.monotonic() + RECEIVE_SECONDS
    length = length_of(_exactly(connection, LENGTH_BYTES, until))
    if length > max_body_bytes + BESIDE_BODY_BYTES:
        raise MessageTooLarge(max_body_bytes)
    return _exactly(connection, length, until)


def _exactly(connection: socket.socket, count: int, until: float) -> bytes:
    received = bytearray()
    while len(received) < count:
        connection.settimeout(max(_NEXT_TO_NOTHING, until - time.monotonic()))
        chunk = connection.recv(min(count - len(received), 1 << 16))
        if not chunk:
            raise ConnectionResetError
        received += chunk
    return bytes(received)


def _bounded(body: bytes, limit_bytes: int) -> bytes:
    if len(body) > limit_bytes:
        raise MessageTooLarge(limit_bytes)
    return body


def _do(conf: Conf, held: Held) -> AnyAnswer:
    return answer(held.asked, conf, held.worker, held.received_at)


def _close_connections() -> None:
    """Close what this thread opened to read, as Django does at the end of a request."""
    caches.close_all()
    connections.close_all()
