"""The probe endpoint: a plain synchronous view that fails closed.

Whoever cannot sign gets the site's own 404, as if nothing were here, and one line in the log. What
holds is answered signed. Nothing touches a cache before signature, age, body and message hold.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_not_required
from django.db.transaction import non_atomic_requests
from django.http import Http404, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from cachecheck import wire
from cachecheck.agent import conf as settings
from cachecheck.agent.answers import answer, refusal
from cachecheck.agent.nonces import Nonces
from cachecheck.agent.worker import this_worker
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
    from django.http import HttpRequest

    from cachecheck.agent.conf import Conf
    from cachecheck.signing import Keyring
    from cachecheck.wire import AnyAnswer, AnyRequest

log = logging.getLogger("cachecheck.agent")

REQUEST_ID_HEADER = "cachecheck-request"
OK = 200
TOO_LARGE = 413

_REQUEST_ID = re.compile(r"[0-9a-f]{8,32}")
_nonces = Nonces()


@csrf_exempt
@login_not_required
@never_cache
@non_atomic_requests
def probe(request: HttpRequest) -> HttpResponse:
    """Answer a signed probe; anything else is not found here."""
    received_at = time.time()
    conf = settings.load()
    if conf.keyring is None or not conf.is_open:
        raise _nothing_here(request)
    try:
        verified = authenticate_request(
            keyring=conf.keyring, method=request.method or "", headers=request.headers
        )
        status, message = _judge(request, verified, conf, received_at)
    except SignatureError as exc:
        log.warning("probe %s refused: %s", _request_id(request), exc)
        raise _nothing_here(request) from exc
    return _signed(conf.keyring, verified, status, message, conf)


def _nothing_here(request: HttpRequest) -> Http404:
    """Make the error of a path that leads nowhere, where no middleware has looked for a user.

    LoginRequiredMiddleware (django/contrib/auth/middleware.py, 5.2) reads the session before it
    asks whether a view wants a login; ``Vary: Cookie`` would then tell that there is one.
    """
    session = getattr(request, "session", None)
    if session is not None:
        session.accessed = False
    return Http404()


def _judge(
    request: HttpRequest, verified: VerifiedRequest, conf: Conf, received_at: float
) -> tuple[int, AnyAnswer]:
    """Go from the cheapest check to the dearest; raises ``SignatureError`` for what is forged."""
    try:
        verify_age(verified, now=received_at, max_age_seconds=conf.max_age_seconds)
        body = _body(request, conf.max_body_bytes)
        verify_body(verified, body)
        _demand_new(verified, conf, received_at)
        return _answered(wire.decode_request(body), verified, conf, received_at, request)
    except StaleSignature as exc:
        return OK, refusal("stale", f"signed {exc.skew_seconds:+.0f} s from here", conf=conf)
    except MessageTooLarge as exc:
        return TOO_LARGE, refusal("too-large", str(exc), conf=conf)
    except (MalformedMessage, ProtocolMismatch) as exc:
        return OK, refusal("bad-request", str(exc)[:300], conf=conf)


def _answered(
    asked: AnyRequest,
    verified: VerifiedRequest,
    conf: Conf,
    received_at: float,
    request: HttpRequest,
) -> tuple[int, AnyAnswer]:
    worker = this_worker("web", _listener(request))
    if conf.node is not None and conf.node != verified.node:
        detail = f"this is node {conf.node!r}, asked for was {verified.node!r}"
        return OK, refusal("wrong-node", detail, conf=conf, worker=worker)
    log.info(
        "probe %s by key %s: run %s, %s of %s, %d keys",
        _request_id(request),
        verified.keyid,
        _plain(asked.run),
        type(asked).__name__.lower(),
        _plain(getattr(asked, "cache", "all caches")),
        len(getattr(asked, "keys", getattr(asked, "steps", ()))),
    )
    return OK, answer(asked, conf, worker, received_at)


def _demand_new(verified: VerifiedRequest, conf: Conf, now: float) -> None:
    keep_seconds = 2.0 * conf.max_age_seconds
    if not _nonces.is_new(verified.nonce, now=now, keep_seconds=keep_seconds):
        raise SignatureError("the same signed request was answered before")


def _body(request: HttpRequest, limit_bytes: int) -> bytes:
    """Read the body, at most one byte more than allowed of it."""
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if declared.isdecimal() and int(declared[:12]) > limit_bytes:
        raise MessageTooLarge(limit_bytes)
    body = bytes(request.read(limit_bytes + 1))
    if len(body) > limit_bytes:
        raise MessageTooLarge(limit_bytes)
    return body


def _signed(
    keyring: Keyring, verified: VerifiedRequest, status: int, message: AnyAnswer, conf: Conf
) -> HttpResponse:
    body = wire.encode(message)
    if len(body) > conf.max_answer_bytes:
        detail = f"the answer has {len(body)} bytes, {conf.max_answer_bytes} are allowed"
        body = wire.encode(refusal("too-large", detail, conf=conf))
    headers = sign_response(
        keyring=keyring, request=verified, status=status, body=body, now=time.time()
    )
    return HttpResponse(body, status=status, headers=headers)


def _listener(request: HttpRequest) -> str | None:
    name, port = request.META.get("SERVER_NAME"), request.META.get("SERVER_PORT")
    return f"{name}:{port}"[:200] if name and port else None


def _request_id(request: HttpRequest) -> str:
    given = request.headers.get(REQUEST_ID_HEADER, "")
    return given if _REQUEST_ID.fullmatch(given) else "without id"


def _plain(text: str) -> str:
    return text if text.isprintable() else ascii(text)
