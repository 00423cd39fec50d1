"""The store behind a view that cannot be read: it says why, and refuses everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from cachecheck.errors import StoreUnsupported
from cachecheck.model import Capabilities, StoreIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.stores.base import Batch, Choose, Pace, RawReading


class UnsupportedStore:
    """A store that is there, and that this version cannot look into, for ``reason``."""

    def __init__(self, reason: str, *, address: str = "") -> None:
        self._reason = reason
        self._address = address

    def identity(self) -> StoreIdentity:
        """Say that nothing was found out."""
        return StoreIdentity(grade="unobserved", address=self._address, reason=self._reason)

    def capabilities(self) -> Capabilities:
        """Say that nothing can be done, and why."""
        return Capabilities(can_scan=False, can_read=False, reasons=(self._reason,))

    def scan(self, cursor: str | None, pace: Pace) -> NoReturn:
        """Refuse."""
        del cursor, pace
        raise StoreUnsupported(self._reason)

    def read(self, keys: Sequence[str], pace: Pace) -> Iterator[RawReading]:
        """Refuse."""
        del keys, pace
        raise StoreUnsupported(self._reason)

    def walk(self, cursor: str | None, choose: Choose, pace: Pace) -> Iterator[Batch]:
        """Refuse."""
        del cursor, choose, pace
        raise StoreUnsupported(self._reason)

    def close(self) -> None:
        """Close nothing: there is no connection."""
