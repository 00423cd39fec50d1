"""Signing an answer, and verifying that it answers this very request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cachecheck.errors import SignatureError
from cachecheck.signing.fields import demand_digest, demand_sendable, digest_in, pick
from cachecheck.signing.profile import RESPONSE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cachecheck.signing.keys import Keyring
    from cachecheck.signing.request import VerifiedRequest

_SENT_FIELDS = ("signature-input", "signature")
_FIELDS = ("content-type", "content-digest", *_SENT_FIELDS)

# Read from what sign_request wrote, where neither keyid nor nonce can hold a quote.
_SENT_KEYID = re.compile(r';keyid="([^"]*)"')


def sign_response(  # noqa: PLR0913 - all by keyword: one argument per thing that is signed
    *,
    keyring: Keyring,
    request: VerifiedRequest,
    status: int,
    body: bytes,
    now: float,
    content_type: str = "application/json",
) -> dict[str, str]:
    """All headers that the answer to ``request`` needs, signed with the secret that signed it.

    Only a request whose signature holds can be answered. ``now`` is in seconds since the epoch.
    Raises ``UsageError`` if the keyring no longer has the request's secret, or if ``content_type``
    does not fit into a header.
    """
    from cachecheck.signing import library  # noqa: PLC0415 - on first need, see library.py

    headers = {"content-type": demand_sendable("the content type", content_type)}
    answered = library.Request("POST", {"signature": request.signature})
    return library.sign(
        library.Response(status, headers, answered),
        profile=RESPONSE,
        secret=keyring.signing(request.keyid),
        body=body,
        now=now,
    )


def verify_response(
    *,
    keyring: Keyring,
    request_headers: Mapping[str, str],
    status: int,
    headers: Mapping[str, str],
    body: bytes,
) -> None:
    """Raise ``SignatureError`` with a short reason unless this answers the request, untouched.

    ``request_headers`` are those of ``sign_request``. The answer must be signed with the same
    secret: where each node has its own, no node can speak for another. Its age is not judged:
    being bound to a fresh request, it cannot be old.
    """
    from cachecheck.signing import library  # noqa: PLC0415 - on first need, see library.py

    sent = pick(request_headers, _SENT_FIELDS)
    found = pick(headers, _FIELDS)
    response = library.Response(status, found, library.Request("POST", sent))
    said = library.verify(response, profile=RESPONSE, keyring=keyring).parameters
    if said["keyid"] not in _SENT_KEYID.findall(sent["signature-input"]):
        raise SignatureError("the answer is signed with another secret than the request")
    demand_digest(digest_in(found["content-digest"]), body)
