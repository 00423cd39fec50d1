"""What a worker answers for itself and its siblings.

The request is handed on as it was signed, so each sibling judges it by itself, and signs what it
answers; what is not signed so is left out and told. All of it together keeps to ``MAX_ANSWER``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cachecheck import wire
from cachecheck.agent.answers import answer
from cachecheck.agent.relay.asking import Asking, Heard
from cachecheck.agent.relay.folder import mark_of
from cachecheck.agent.relay.frames import Returned, decode, frame, handed
from cachecheck.agent.relay.starting import listener_for, why_off
from cachecheck.errors import CachecheckError, SignatureError
from cachecheck.signing import verify_response
from cachecheck.wire import MAX_SIBLINGS, Elsewhere, Refused, Relayed, Unheard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.agent.conf import Conf
    from cachecheck.agent.judging import Held
    from cachecheck.agent.relay.folder import Name
    from cachecheck.agent.relay.listening import Listener
    from cachecheck.wire import OneAnswer

GRACE_SECONDS = 0.1
"""How long siblings are waited for at least, once this worker's own answer is there."""

_ENVELOPE_BYTES = 4_000
_UNHEARD_BYTES = 400  # of one that is named


def relayed(held: Held, seconds: float, conf: Conf) -> Relayed:
    """Answer for this worker and all siblings that are meant, as far as they are heard in time.

    ``seconds`` is how long that may take.
    """
    until = time.monotonic() + seconds
    listener = listener_for(conf)
    if listener is None:
        return _message(held, _own(held, conf), off=why_off(conf) or "not begun")
    try:
        meant = _siblings(listener, held.asked.audience)
        room_bytes = conf.max_answer_bytes - _ENVELOPE_BYTES - _UNHEARD_BYTES * len(meant)
        request = frame(handed(held.headers, held.body))
        asking = Asking(listener.folder, meant[:MAX_SIBLINGS], request, room_bytes)
    except OSError as exc:  # no descriptor is left, say
        why = f"siblings cannot be asked: {exc.strerror or type(exc).__name__}"
        return _message(held, _own(held, conf), off=why)
    with asking:
        own = _own(held, conf)
        heard = asking.collect(max(until, time.monotonic() + GRACE_SECONDS))
    heard += tuple(Heard(one, None, "too many siblings") for one in meant[MAX_SIBLINGS:])
    told = _Told(held, conf, room_bytes - len(wire.encode(own)))
    for one in heard:
        told.take(one)
    return _message(held, own, *told.answers, unheard=told.unheard)


def _siblings(listener: Listener, audience: Sequence[str]) -> list[Name]:
    """Name the siblings that are meant: workers of this server, and whoever serves no requests."""
    own = listener.name
    marks = {mark_of(worker) for worker in audience}
    return [
        name
        for name in listener.folder.names()
        if name.mark != own.mark
        and (name.role != "web" or name.kin == own.kin)
        and (not marks or name.mark in marks)
    ]


def _own(held: Held, conf: Conf) -> OneAnswer:
    return answer(held.asked, conf, held.worker, held.received_at)


def _message(
    held: Held,
    own: OneAnswer,
    *others: OneAnswer,
    unheard: Sequence[Unheard] = (),
    off: str | None = None,
) -> Relayed:
    mine = () if isinstance(own, Elsewhere) else (own,)
    return Relayed(
        worker=held.worker,
        received_at=held.received_at,
        sent_at=time.time(),
        answers=(*mine, *others),
        unheard=tuple(unheard[:MAX_SIBLINGS]),
        off=off,
    )


class _Told:
    """The answers that hold, as many as fit, and those that are missing."""

    def __init__(self, held: Held, conf: Conf, room_bytes: int) -> None:
        self._conf = conf
        self._headers = held.headers
        self._ids = {mark_of(worker): worker for worker in held.asked.audience}
        self._room_bytes = room_bytes
        self.answers: list[OneAnswer] = []
        self.unheard: list[Unheard] = []

    def take(self, heard: Heard) -> None:
        """Put down what came of one sibling; one that is another node's by name is none."""
        if heard.message is None:
            self._miss(heard.name, heard.reason)
            return
        try:
            returned = decode(Returned, heard.message)
            one = self._verified(returned)
        except SignatureError:
            self._miss(heard.name, "its answer is not signed as it should be")
        except CachecheckError as exc:
            self._miss(heard.name, f"its answer cannot be read: {exc}")
        else:
            self._put(heard.name, one, len(returned.body))

    def _put(self, name: Name, one: OneAnswer, size_bytes: int) -> None:
        if isinstance(one, Refused) and one.reason == "wrong-node":
            return
        if isinstance(one, Refused) and one.worker is None:
            self._miss(name, f"it refused as {one.reason}: {one.detail}")
        elif size_bytes > self._room_bytes:
            self._miss(name, "its answer does not fit into this one")
        else:
            self._room_bytes -= size_bytes
            self.answers.append(one)

    def _verified(self, returned: Returned) -> OneAnswer:
        if self._conf.keyring is None:
            raise SignatureError("there is no secret any more")
        verify_response(
            keyring=self._conf.keyring,
            request_headers=self._headers,
            status=returned.status,
            headers=returned.headers,
            body=returned.body,
        )
        return wire.decode_one_answer(returned.body, limit_bytes=self._conf.max_answer_bytes)

    def _miss(self, name: Name, reason: str) -> None:
        known = self._ids.get(name.mark)
        self.unheard.append(
            Unheard(pid=name.pid, role=name.role, reason=reason[:200], worker=known)
        )
