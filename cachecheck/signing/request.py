"""Signing a probe, and verifying it in three steps: signature, age, body."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachecheck.errors import SignatureError, StaleSignature, UsageError
from cachecheck.signing.fields import demand_digest, demand_sendable, digest_in, pick
from cachecheck.signing.profile import MAX_AGE_SECONDS, NODE_HEADER, REQUEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cachecheck.signing.keys import Keyring

_FIELDS = ("content-type", "content-digest", NODE_HEADER, "signature-input", "signature")

# Any text encoding of random bytes; no quote, so a nonce cannot look like another parameter.
_NONCE = re.compile(r"[A-Za-z0-9._~+/=-]{1,128}")


@dataclass(frozen=True, kw_only=True)
class VerifiedRequest:
    """What a request that was signed with a known key says of itself.

    ``created`` and ``expires`` are in seconds since the epoch, in the signer's clock;
    ``content_digest`` is the SHA-256 its body must have; ``signature`` is the value of the header
    of that name, which the answer is bound to.
    """

    keyid: str
    nonce: str
    node: str
    created: int
    expires: int
    content_digest: bytes
    signature: str


def sign_request(  # noqa: PLR0913 - all by keyword: one argument per thing that is signed
    *,
    keyring: Keyring,
    node: str,
    body: bytes,
    now: float,
    nonce: str,
    content_type: str = "application/json",
    keyid: str | None = None,
) -> dict[str, str]:
    """All headers that a POST of ``body`` to ``node`` needs, by lower-case name.

    ``now`` is in seconds since the epoch; ``nonce`` is to be fresh and random. Signs with the
    keyring's first secret unless ``keyid`` names another. Raises ``UsageError`` for an unknown
    ``keyid``, and for a node, nonce or content type that a header cannot carry.
    """
    from cachecheck.signing import library  # noqa: PLC0415 - on first need, see library.py

    if not _NONCE.fullmatch(nonce):
        raise UsageError("a nonce has 1 to 128 characters of base64, hex or the like")
    headers = {
        "content-type": demand_sendable("the content type", content_type),
        NODE_HEADER: demand_sendable("the name of a node", node),
    }
    return library.sign(
        library.Request("POST", headers),
        profile=REQUEST,
        secret=keyring.signing(keyid),
        body=body,
        now=now,
        lifetime_seconds=MAX_AGE_SECONDS,
        nonce=nonce,
    )


def authenticate_request(
    *, keyring: Keyring, method: str, headers: Mapping[str, str]
) -> VerifiedRequest:
    """Read what a signed request says, once its signature holds; age and body are not judged.

    Raises ``SignatureError`` for everything that is missing, malformed, not in the profile, or
    signed with another key. Needs no body, so that a stranger's is never read.
    """
    from cachecheck.signing import library  # noqa: PLC0415 - on first need, see library.py

    found = pick(headers, _FIELDS)
    content_digest = digest_in(found["content-digest"])
    request = library.Request(method, found)
    said = library.verify(request, profile=REQUEST, keyring=keyring).parameters
    keyid, nonce = str(said["keyid"]), str(said["nonce"])
    created, expires = int(said["created"]), int(said["expires"])
    if not 0 < expires - created <= MAX_AGE_SECONDS:
        raise SignatureError(f"the signature is not for {MAX_AGE_SECONDS} s or less")
    if not _NONCE.fullmatch(nonce):
        raise SignatureError("the nonce is empty, too long or has odd characters")
    return VerifiedRequest(
        keyid=keyid,
        nonce=nonce,
        node=found[NODE_HEADER].strip(" "),
        created=created,
        expires=expires,
        content_digest=content_digest,
        signature=found["signature"],
    )


def verify_age(
    request: VerifiedRequest, *, now: float, max_age_seconds: float = MAX_AGE_SECONDS
) -> None:
    """Raise ``StaleSignature`` unless ``request`` was made within the window around ``now``.

    The window is ``max_age_seconds`` both ways. It also ends with the signature's ``expires``,
    which a window beyond ``MAX_AGE_SECONDS``, set for clocks that differ, moves as far (RFC 9421,
    section 3.2.1 leaves such tolerance to the verifier).
    """
    skew_seconds = request.created - now
    tolerance_seconds = max(0, max_age_seconds - MAX_AGE_SECONDS)
    is_expired = now > request.expires + tolerance_seconds
    if is_expired or abs(skew_seconds) > max_age_seconds:
        raise StaleSignature(skew_seconds)


def verify_request(
    *,
    keyring: Keyring,
    method: str,
    headers: Mapping[str, str],
    now: float,
    max_age_seconds: float = MAX_AGE_SECONDS,
) -> VerifiedRequest:
    """Do ``authenticate_request``, then ``verify_age``; to answer stale ones, call each."""
    request = authenticate_request(keyring=keyring, method=method, headers=headers)
    verify_age(request, now=now, max_age_seconds=max_age_seconds)
    return request


def verify_body(request: VerifiedRequest, body: bytes) -> None:
    """Raise ``SignatureError`` unless ``body`` is the one that was signed."""
    demand_digest(request.content_digest, body)
