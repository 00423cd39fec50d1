"""The shared secrets that probes are signed with, several at once while they are rotated."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cachecheck.errors import UsageError

MIN_SECRET_BYTES = 32
"""As long as the output of SHA-256: shorter keys weaken the HMAC (RFC 2104, section 3)."""

# Narrow, because a keyid is written into headers, logs and configuration files.
_KEYID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A key and the name that messages call it by; ``repr`` leaves the key out.

    Raises ``UsageError`` for a key under ``MIN_SECRET_BYTES`` and for a keyid that is not 1 to 64
    of ``A-Z a-z 0-9 . _ -``.
    """

    keyid: str
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not _KEYID.fullmatch(self.keyid):
            raise UsageError("a keyid has 1 to 64 letters, digits, dots, underscores or hyphens")
        if len(self.key) < MIN_SECRET_BYTES:
            raise UsageError(
                f"the secret {self.keyid!r} has {len(self.key)} bytes,"
                f" it needs at least {MIN_SECRET_BYTES}"
            )


@dataclass(frozen=True)
class Keyring:
    """One or several secrets: the first signs, the keyid in a message chooses on verifying.

    Raises ``UsageError`` where there is none, or where two have the same keyid.
    """

    secrets: tuple[Secret, ...]

    def __post_init__(self) -> None:
        if not self.secrets:
            raise UsageError("signing needs at least one secret")
        if len({secret.keyid for secret in self.secrets}) < len(self.secrets):
            raise UsageError("two secrets have the same keyid")

    def find(self, keyid: str) -> Secret | None:
        """Return the secret of that name, if it is here."""
        return next((secret for secret in self.secrets if secret.keyid == keyid), None)

    def signing(self, keyid: str | None = None) -> Secret:
        """Choose the secret to sign with: the first, or that name's; ``UsageError`` if unknown."""
        secret = self.secrets[0] if keyid is None else self.find(keyid)
        if secret is None:
            raise UsageError(f"no secret has the keyid {keyid!r}")
        return secret


def secret_from_text(text: str, keyid: str = "default") -> Secret:
    """Make a secret of a setting, an environment variable or a file's content, as UTF-8.

    One newline at the end, which editors add, is not part of it. Raises ``UsageError`` as
    ``Secret`` does; no message contains the secret.
    """
    # surrogatepass cannot fail, so there is no UnicodeEncodeError to carry the text into a log.
    line = text.removesuffix("\n").removesuffix("\r")
    return Secret(keyid=keyid, key=line.encode("utf-8", "surrogatepass"))
