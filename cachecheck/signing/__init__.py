"""The signatures of probes and their answers: RFC 9421 with HMAC-SHA256, RFC 9530 digests.

Both sides use it, neither framework shows in it: values in, values out. The node::

    request = authenticate_request(keyring=keyring, method=method, headers=headers)
    verify_age(request, now=now)       # StaleSignature: well signed, so answer with the clock
    verify_body(request, body)         # only now is it worth reading
    headers = sign_response(keyring=keyring, request=request, status=200, body=answer, now=now)

``verify_request`` is the first two steps in one. The coordinator::

    headers = sign_request(keyring=keyring, node="web-1", body=body, now=now, nonce=nonce)
    verify_response(keyring=keyring, request_headers=headers, status=…, headers=…, body=…)

What is covered, and by which parameters, stands in ``profile.py``. Everything a stranger can send
raises ``SignatureError`` and nothing else. Importing this package is cheap: the library that does
the cryptography is loaded when the first message is signed or verified.
"""

from __future__ import annotations

from cachecheck.signing.keys import MIN_SECRET_BYTES, Keyring, Secret, secret_from_text
from cachecheck.signing.profile import MAX_AGE_SECONDS, NODE_HEADER, TAG
from cachecheck.signing.request import (
    VerifiedRequest,
    authenticate_request,
    sign_request,
    verify_age,
    verify_body,
    verify_request,
)
from cachecheck.signing.response import sign_response, verify_response

__all__ = [
    "MAX_AGE_SECONDS",
    "MIN_SECRET_BYTES",
    "NODE_HEADER",
    "TAG",
    "Keyring",
    "Secret",
    "VerifiedRequest",
    "authenticate_request",
    "secret_from_text",
    "sign_request",
    "sign_response",
    "verify_age",
    "verify_body",
    "verify_request",
    "verify_response",
]
