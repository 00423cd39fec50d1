"""How a failure of a store becomes the reading of a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.errors import StoreDenied, StoreError, StoreUnreachable, StoreUnsupported
from cachecheck.model import Failed

if TYPE_CHECKING:
    from cachecheck.model import FailureReason

CREDENTIALS_REFUSED = "the server refused the credentials"


def as_reading(exc: StoreError) -> Failed:
    """Give the reading of a key that could not be read for this reason; never a miss."""
    return Failed(reason=_reason(exc), detail=exc.reason)


def network_reason(exc: BaseException | None) -> str:
    """Name a network failure in a few words, without what was sent or to whom."""
    if isinstance(exc, TimeoutError):
        return "timed out"
    text = exc.strerror if isinstance(exc, OSError) else None
    return text.lower() if isinstance(text, str) else "the connection broke"


def _reason(exc: StoreError) -> FailureReason:
    match exc:
        case StoreUnreachable():
            return "unreachable"
        case StoreDenied():
            return "denied"
        case StoreUnsupported():
            return "unsupported"
        case _:
            return "error"
