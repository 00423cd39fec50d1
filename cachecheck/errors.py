"""Every exception that cachecheck raises on purpose.

::

    CachecheckError
    ├── UsageError               the caller asked for something that cannot be done: exit 2
    │   └── ConfigError          … in a configuration file (path, line)
    ├── WireError                a message that cannot be accepted
    │   ├── MalformedMessage     not JSON, unknown or wrongly typed fields, over a limit
    │   ├── ProtocolMismatch     another protocol version (theirs)
    │   └── MessageTooLarge      more bytes than allowed (limit_bytes)
    ├── SignatureError           missing, malformed, or made with another key
    │   └── StaleSignature       well signed, outside the accepted time window (skew_seconds)
    ├── StoreError               a store did not do what was asked (reason)
    │   ├── StoreUnreachable     no connection, or it broke
    │   ├── StoreDenied          the server's access rules forbid the command
    │   └── StoreUnsupported     this backend cannot do this without disturbing the cache
    └── InertError               a payload whose structure cannot be told
        ├── InertUnreadable      malformed, or not a codec that is known
        │   └── InertUndecodable nothing that reads its codec can read it
        └── InertTooLarge        past a bound on depth, operations, bytes or time
"""

from __future__ import annotations


class CachecheckError(Exception):
    """Root of all exceptions that cachecheck raises on purpose."""


class UsageError(CachecheckError):
    """What was asked cannot be done as asked; the text says what to do instead."""


class ConfigError(UsageError):
    """A configuration file that cannot be used; carries where in it."""

    def __init__(self, message: str, *, path: str, line: int | None = None) -> None:
        self.path = path
        self.line = line
        where = path if line is None else f"{path}, line {line}"
        super().__init__(f"{where}: {message}")


class WireError(CachecheckError):
    """A message from the other side that cannot be accepted."""


class MalformedMessage(WireError):
    """Not JSON, an unknown field or type, a wrong type, or a value over its limit."""


class ProtocolMismatch(WireError):
    """The other side speaks another version of the protocol."""

    def __init__(self, theirs: object, ours: int) -> None:
        self.theirs = theirs
        self.ours = ours
        super().__init__(
            f"the message has protocol version {repr(theirs)[:40]}, this side speaks {ours}"
        )


class MessageTooLarge(WireError):
    """More bytes than this side accepts."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(f"the message has more than {limit_bytes} bytes")


class SignatureError(CachecheckError):
    """A signature that is missing, malformed, incomplete or made with another key."""


class StaleSignature(SignatureError):
    """Well signed, but created outside the accepted window around this clock."""

    def __init__(self, skew_seconds: float) -> None:
        self.skew_seconds = skew_seconds
        super().__init__(f"the signature was made {skew_seconds:+.0f} s from this clock")


class StoreError(CachecheckError):
    """A store did not do what was asked; ``reason`` is a short phrase without secrets."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class StoreUnreachable(StoreError):
    """No connection to the store, or it broke while in use."""


class StoreDenied(StoreError):
    """The server's access rules forbid the command."""


class StoreUnsupported(StoreError):
    """This store cannot do this without disturbing the cache."""


class InertError(CachecheckError):
    """A payload whose structure cannot be told; ``reason`` is a short phrase."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class InertUnreadable(InertError):
    """Malformed, or in a codec that is not known."""


class InertUndecodable(InertUnreadable):
    """Nothing that reads this codec can read it, the application included."""


class InertTooLarge(InertError):
    """Past a bound on depth, operations, bytes or time: too large to say."""
