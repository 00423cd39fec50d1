"""The header fields of a message: taken out within bounds, checked before they are sent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import TYPE_CHECKING

from cachecheck.errors import SignatureError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MAX_FIELD_CHARS = 1024
"""Per header; ours have up to 343. What a stranger can make parsing cost grows with it."""

# RFC 9530 as both sides write it: one member, no parameters.
_CONTENT_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")

# Printable ASCII; HTTP strips spaces at the ends, and the signature would no longer hold.
_SENDABLE = re.compile(r"[!-~](?:[ -~]{0,198}[!-~])?")


def pick(headers: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Take the fields called ``names`` (lower case) out, whatever the case they arrived in.

    Raises ``SignatureError`` where one is missing, given twice, over ``MAX_FIELD_CHARS`` or not
    printable ASCII. What a framework joined by commas is caught later, by its content.
    """
    found: dict[str, str] = {}
    for name, value in headers.items():
        lowered = name.lower()
        if lowered not in names:
            continue
        if lowered in found:
            raise SignatureError(f"the header {lowered} is given twice")
        found[lowered] = _bounded(lowered, value)
    if len(found) < len(names):
        raise SignatureError(f"no header {', '.join(sorted(set(names) - found.keys()))}")
    return found


def _bounded(name: str, value: str) -> str:
    if len(value) > MAX_FIELD_CHARS:
        raise SignatureError(f"the header {name} has more than {MAX_FIELD_CHARS} characters")
    if not (value.isascii() and value.isprintable()):
        raise SignatureError(f"the header {name} is not printable ASCII")
    return value


def demand_sendable(name: str, value: str) -> str:
    """Return ``value``, or raise ``UsageError`` if a header cannot carry it as it is."""
    if not _SENDABLE.fullmatch(value):
        raise UsageError(
            f"{name} needs 1 to 200 characters of printable ASCII without spaces at its ends"
        )
    return value


def digest_in(content_digest: str) -> bytes:
    """Read the SHA-256 from a Content-Digest; ``SignatureError`` if it is not exactly one."""
    matched = _CONTENT_DIGEST.fullmatch(content_digest)
    if matched is None:
        raise SignatureError("the content-digest is not exactly one sha-256")
    return base64.b64decode(matched[1])


def demand_digest(expected: bytes, body: bytes) -> None:
    """Raise ``SignatureError`` unless ``body`` has this SHA-256; compared in constant time."""
    if not hmac.compare_digest(expected, hashlib.sha256(body).digest()):
        raise SignatureError("the body is not the one that was signed: changed on the way")
