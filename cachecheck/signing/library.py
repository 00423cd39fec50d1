"""All that cachecheck uses of http-message-signatures, and the only module that imports it.

Import this module on first need, not with the package: it loads ``cryptography``, some 50 ms.

Signers and verifiers are made for each message: that takes 0.5 µs, and leaves nothing for threads
to share. HMACs are compared in constant time (``cryptography``, ``src/rust/src/backend/hmac.rs``).
"""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
    VerifyResult,
)
from http_message_signatures.algorithms import HMAC_SHA256

from cachecheck.errors import SignatureError
from cachecheck.signing.profile import TAG, Profile

if TYPE_CHECKING:
    from cachecheck.signing.keys import Keyring, Secret

_LABEL = "cachecheck"
_MAX_REASON_CHARS = 120

# An unknown keyid is tried against a key that nobody has: it takes as long as a wrong key, and
# reads like one.
_NOBODYS_KEY = secrets.token_bytes(32)


class Request(NamedTuple):
    """A request as the library reads it; it needs some address, which no signature covers.

    The real one is not used: Django's ``build_absolute_uri()`` raises on foreign hosts.
    """

    method: str
    headers: dict[str, str]
    url: str = "http://cachecheck.invalid/"


class Response(NamedTuple):
    """A response as the library reads it, with the request it answers."""

    status_code: int
    headers: dict[str, str]
    request: Request


class _KeyringResolver(HTTPSignatureKeyResolver):
    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def resolve_public_key(self, key_id: str) -> bytes:
        secret = self._keyring.find(key_id)
        return _NOBODYS_KEY if secret is None else secret.key


class _Verifier(HTTPMessageVerifier):
    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        """Nothing: the library would read its own clock and judge age before the signature."""


def sign(  # noqa: PLR0913 - all by keyword: one argument per thing that is signed
    message: Request | Response,
    *,
    profile: Profile,
    secret: Secret,
    body: bytes,
    now: float,
    lifetime_seconds: int | None = None,
    nonce: str | None = None,
) -> dict[str, str]:
    """Return the headers of ``message`` with digest and signature, by lower-case name.

    ``now`` is in seconds since the epoch; it becomes ``created`` in whole seconds.
    """
    created = datetime.fromtimestamp(now, tz=UTC)
    prepared = HTTPMessageSigner(signature_algorithm=HMAC_SHA256).prepare(
        message,
        key_id=secret.keyid,
        created=created,
        expires=None if lifetime_seconds is None else created + timedelta(seconds=lifetime_seconds),
        nonce=nonce,
        tag=TAG,
        include_alg=False,
        label=_LABEL,
        covered_component_ids=profile.covered,
        body=body,
    )
    # The library's apply() would parse and resolve all of it again, against changes since
    # prepare(): 240 µs instead of 120 µs, for a message that nobody else holds.
    signature = hmac.digest(secret.key, prepared.signature_base, "sha256")
    return {name.lower(): value for name, value in message.headers.items()} | {
        "signature-input": f"{_LABEL}={prepared.signature_params}",
        "signature": f"{_LABEL}=:{base64.b64encode(signature).decode()}:",
    }


def verify(message: Request | Response, *, profile: Profile, keyring: Keyring) -> VerifyResult:
    """Read the one signature of ``message``; neither its age nor the body is judged.

    Raises ``SignatureError`` unless it holds and is exactly what ``profile`` demands.
    """
    verifier = _Verifier(signature_algorithm=HMAC_SHA256, key_resolver=_KeyringResolver(keyring))
    try:
        # Without a tag to select by, the library refuses messages with two signatures.
        (result,) = verifier.verify(message, max_age=None)
    except InvalidSignature as exc:
        reason = str(exc)[:_MAX_REASON_CHARS]
        raise SignatureError(f"the signature does not hold: {reason}") from exc
    profile.demand(result.covered_components, result.parameters)
    return result
