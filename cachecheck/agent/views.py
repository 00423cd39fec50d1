"""The probe endpoint: a plain synchronous view that fails closed.

Whoever cannot sign gets the site's own 404, as if nothing were here, and one line in the log. What
holds is answered signed.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_not_required
from django.db.transaction import non_atomic_requests
from django.http import Http404, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from cachecheck.agent import conf as settings
from cachecheck.agent.answers import answer
from cachecheck.agent.judging import Probe, request_id, respond
from cachecheck.agent.worker import this_worker
from cachecheck.errors import MessageTooLarge, SignatureError

if TYPE_CHECKING:
    from django.http import HttpRequest

    from cachecheck.agent.conf import Conf
    from cachecheck.agent.judging import Held
    from cachecheck.wire import AnyAnswer

log = logging.getLogger("cachecheck.agent")


@csrf_exempt
@login_not_required
@never_cache
@non_atomic_requests
def probe(request: HttpRequest) -> HttpResponse:
    """Answer a signed probe; anything else is not found here."""
    conf = settings.load()
    if conf.keyring is None or not conf.is_open:
        raise _nothing_here(request)
    asked = Probe(request.method or "", request.headers, partial(_body, request))
    identify = partial(this_worker, "web", _listener(request))
    try:
        given = respond(asked, conf, conf.keyring, identify, partial(_do, conf))
    except SignatureError as exc:
        log.warning("probe %s refused: %s", request_id(request.headers), exc)
        raise _nothing_here(request) from exc
    return HttpResponse(given.body, status=given.status, headers=given.headers)


def _do(conf: Conf, held: Held) -> AnyAnswer:
    if held.asked.relay_seconds is None:
        return answer(held.asked, conf, held.worker, held.received_at)
    from cachecheck.agent.relay.relaying import relayed  # noqa: PLC0415  on first need

    return relayed(held, held.asked.relay_seconds, conf)


def _nothing_here(request: HttpRequest) -> Http404:
    """Make the error of a path that leads nowhere, where no middleware has looked for a user.

    LoginRequiredMiddleware (django/contrib/auth/middleware.py, 5.2) reads the session before it
    asks whether a view wants a login; ``Vary: Cookie`` would then tell that there is one.
    """
    session = getattr(request, "session", None)
    if session is not None:
        session.accessed = False
    return Http404()


def _body(request: HttpRequest, limit_bytes: int) -> bytes:
    """Read the body, at most one byte more than allowed of it."""
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if declared.isdecimal() and int(declared[:12]) > limit_bytes:
        raise MessageTooLarge(limit_bytes)
    body = bytes(request.read(limit_bytes + 1))
    if len(body) > limit_bytes:
        raise MessageTooLarge(limit_bytes)
    return body


def _listener(request: HttpRequest) -> str | None:
    name, port = request.META.get("SERVER_NAME"), request.META.get("SERVER_PORT")
    return f"{name}:{port}"[:200] if name and port else None
