"""What an answer that no agent signed says about who refused the probe, in words for people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cachecheck.model import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOGIN = re.compile(r"[?&]next=|/log-?in\b|/sign-?in\b|/sso\b", re.IGNORECASE)
_CLOCK_TOLERANCE_SECONDS = 60.0


class Unsigned(Value, frozen=True, kw_only=True):
    """An unsigned answer: status, headers by lower-case name, the start of its body, our clock."""

    status: int
    headers: dict[str, str]
    start: str
    now: float
    request_id: str


def explain(answer: Unsigned) -> str:
    """Name the part of the site that most likely refused the probe, and what to change."""
    status = answer.status
    if status in {301, 302, 303, 307, 308}:
        return _redirect(answer)
    if status == 400:  # noqa: PLR2004  HTTP statuses are their own names here
        return _bad_request(answer)
    if status in {401, 403, 407}:
        return _forbidden(answer)
    if status == 404:  # noqa: PLR2004
        return _not_found(answer)
    if status >= 500:  # noqa: PLR2004
        return _server_error(answer)
    return _not_signed(answer)


def _redirect(answer: Unsigned) -> str:
    location = answer.headers.get("location", "")
    if location.startswith("https:"):
        return (
            f"{answer.status} to https: SECURE_SSL_REDIRECT or a proxy wants TLS; use an https:// "
            "node, or --header 'X-Forwarded-Proto: https' where a proxy ends TLS"
        )
    if _LOGIN.search(location):
        return (
            f"{answer.status} to a login page ({_short(location)}): a middleware or a proxy asks "
            "for a user before the agent is reached; exempt the agent's path from it"
        )
    return (
        f"{answer.status} to {_short(location)}: redirects are not followed; "
        "name the node by the address that answers"
    )


def _bad_request(answer: Unsigned) -> str:
    return (
        "400: the site refuses the request before the agent sees it, most often because "
        "ALLOWED_HOSTS does not have the name that was asked for; try --host-header NAME"
        + _quote(answer)
    )


def _forbidden(answer: Unsigned) -> str:
    what = "CSRF protection" if "csrf" in answer.start.lower() else "a middleware or a proxy"
    return f"{answer.status}: {what} refuses the probe before the agent sees it" + _quote(answer)


def _not_found(answer: Unsigned) -> str:
    if "cachecheck.agent.views.probe" in answer.start:
        why = "the agent is there and refuses: another secret, or no secret, or ENABLED is off"
    elif "URLconf" in answer.start and "tried these URL patterns" in answer.start:
        why = "no URL pattern of the site leads to the agent: include cachecheck.agent.urls"
    else:
        why = "the agent is not mounted at this path, is switched off, or holds another secret"
    return (
        f"404: {why}; {_clock(answer)}; the node's log (logger cachecheck.agent) has the reason "
        f"under request {answer.request_id}, if the agent saw it"
    )


def _server_error(answer: Unsigned) -> str:
    if answer.status in {502, 503, 504}:
        return f"{answer.status}: a proxy, or a maintenance page, stands before the node" + _quote(
            answer
        )
    return f"{answer.status}: the site failed while answering; its log has the error" + _quote(
        answer
    )


def _not_signed(answer: Unsigned) -> str:
    if (changed := compression(answer.headers)) is not None:
        return changed
    kind = answer.headers.get("content-type", "no content type")
    return (
        f"{answer.status} with {_short(kind)} and no signature: "
        "something other than the agent answers at this address" + _quote(answer)
    )


def compression(headers: Mapping[str, str]) -> str | None:
    """Say that an answer was compressed on its way, which no signature survives."""
    encoding = headers.get("content-encoding", "identity")
    if encoding == "identity":
        return None
    return (
        f"the answer came {_short(encoding)}-compressed although it was asked for uncompressed: "
        "a middleware or a proxy changes it"
    )


def _clock(answer: Unsigned) -> str:
    offset = date_offset(answer.headers, answer.now)
    if offset is None:
        return "its clock is not known (no Date header)"
    if abs(offset) > _CLOCK_TOLERANCE_SECONDS:
        return f"its clock is off by {offset:+.0f} s by its Date header, which alone is a reason"
    return "its clock agrees with ours by its Date header"


def date_offset(headers: Mapping[str, str], now: float) -> float | None:
    """Give the clock of the ``Date`` header minus ours in seconds, to the second."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  few runs need it

    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp() - now
    except (TypeError, ValueError, OverflowError):
        return None


def _quote(answer: Unsigned) -> str:
    text = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", answer.start, flags=re.DOTALL)
    words = _short(" ".join(text.split()), 120)
    return f' (it says: "{words}")' if words else ""


def _short(text: str, limit: int = 80) -> str:
    plain = "".join(char if char.isprintable() else "�" for char in text)
    return plain if len(plain) <= limit else f"{plain[: limit - 1]}…"
