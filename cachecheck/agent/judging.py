"""From a request to a signed answer, however it came: by HTTP, or from a sibling.

From the cheapest check to the dearest; nothing touches a cache before signature, age, body, nonce,
message and node name hold.
"""

from __future__ import annotations

import logging
import os
import re
import time
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from cachecheck import wire
from cachecheck.agent.answers import refusal
from cachecheck.agent.nonces import Nonces
from cachecheck.errors import (
    MalformedMessage,
    MessageTooLarge,
    ProtocolMismatch,
    SignatureError,
    StaleSignature,
)
from cachecheck.signing import (
    VerifiedRequest,
    authenticate_request,
    sign_response,
    verify_age,
    verify_body,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cachecheck.agent.conf import Conf
    from cachecheck.model import Worker
    from cachecheck.signing import Keyring
    from cachecheck.wire import AnyAnswer, AnyRequest

log = logging.getLogger("cachecheck.agent")

REQUEST_ID_HEADER = "cachecheck-request"
OK = 200
TOO_LARGE = 413

_REQUEST_ID = re.compile(r"[0-9a-f]{8,32}")
_UNSENDABLE = "the answer holds text that is no Unicode"
_nonces = Nonces()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_nonces.reset)


class Probe(NamedTuple):
    """A request, not judged yet.

    ``read_body`` gives the body, at most so many bytes; it raises ``MessageTooLarge`` for more.
    """

    method: str
    headers: Mapping[str, str]
    read_body: Callable[[int], bytes]


class Held(NamedTuple):
    """A request that holds: what it asks, as what it came, and who received it when."""

    asked: AnyRequest
    headers: Mapping[str, str]
    body: bytes
    worker: Worker
    received_at: float


Do: TypeAlias = "Callable[[Held], AnyAnswer]"
"""Answers a request that holds."""


class Response(NamedTuple):
    """A signed answer: ``headers`` are all that it needs."""

    status: int
    headers: dict[str, str]
    body: bytes


def respond(
    probe: Probe, conf: Conf, keyring: Keyring, identify: Callable[[], Worker], do: Do
) -> Response:
    """Judge a request and answer it, signed; raises ``SignatureError`` for whoever cannot sign."""
    received_at = time.time()
    verified = authenticate_request(keyring=keyring, method=probe.method, headers=probe.headers)
    worker = identify()
    status = OK
    try:
        verify_age(verified, now=received_at, max_age_seconds=conf.max_age_seconds)
        body = probe.read_body(conf.max_body_bytes)
        verify_body(verified, body)
        _demand_new(verified, conf, received_at)
        asked = wire.decode_request(body)
        held = Held(asked, probe.headers, body, worker, received_at)
        answer = _answered(held, verified, conf, do)
    except StaleSignature as exc:
        answer = refusal("stale", f"signed {exc.skew_seconds:+.0f} s from here", conf=conf)
    except MessageTooLarge as exc:
        status, answer = TOO_LARGE, refusal("too-large", str(exc), conf=conf)
    except (MalformedMessage, ProtocolMismatch) as exc:
        answer = refusal("bad-request", str(exc)[:300], conf=conf)
    except UnicodeEncodeError:  # of an answer that was put together already, from siblings
        answer = refusal("not-allowed", _UNSENDABLE, conf=conf, worker=worker)
    body = _encoded(answer, conf, worker)
    headers = sign_response(
        keyring=keyring, request=verified, status=status, body=body, now=time.time()
    )
    return Response(status, headers, body)


def _answered(held: Held, verified: VerifiedRequest, conf: Conf, do: Do) -> AnyAnswer:
    if conf.node is not None and conf.node != verified.node:
        detail = f"this is node {conf.node!r}, asked for was {verified.node!r}"
        return refusal("wrong-node", detail, conf=conf, worker=held.worker)
    log.info(
        "probe %s by key %s: run %s, %s of %s, %d keys",
        request_id(held.headers),
        verified.keyid,
        _plain(held.asked.run),
        type(held.asked).__name__.lower(),
        _plain(getattr(held.asked, "cache", "all caches")),
        len(getattr(held.asked, "keys", getattr(held.asked, "steps", ()))),
    )
    return do(held)


def _demand_new(verified: VerifiedRequest, conf: Conf, now: float) -> None:
    keep_seconds = 2.0 * conf.max_age_seconds
    if not _nonces.is_new(verified.nonce, now=now, keep_seconds=keep_seconds):
        raise SignatureError("the same signed request was answered before")


def _encoded(answer: AnyAnswer, conf: Conf, worker: Worker) -> bytes:
    try:
        body = wire.encode(answer)
    except UnicodeEncodeError:
        return wire.encode(refusal("not-allowed", _UNSENDABLE, conf=conf, worker=worker))
    if len(body) <= conf.max_answer_bytes:
        return body
    detail = f"the answer has {len(body)} bytes, {conf.max_answer_bytes} are allowed"
    return wire.encode(refusal("too-large", detail, conf=conf, worker=worker))


def request_id(headers: Mapping[str, str]) -> str:
    """Give the id by which logs on both sides name a request."""
    given = headers.get(REQUEST_ID_HEADER, "")
    return given if _REQUEST_ID.fullmatch(given) else "without id"


def _plain(text: str) -> str:
    return text if text.isprintable() else ascii(text)
