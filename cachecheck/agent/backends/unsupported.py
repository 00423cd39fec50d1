"""Any backend that is not recognised: its settings and namespace are compared, its entries not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from cachecheck.agent.backends.base import Backend
from cachecheck.errors import InertUnreadable, StoreUnsupported
from cachecheck.model import Capabilities, StoreIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.agent.backends.base import Pairs
    from cachecheck.stores.base import Batch, Choose, Pace, Page, RawReading, Stored

UNKNOWN = "this backend is not known to cachecheck"


class UnsupportedStore:
    """A store that nothing can be said of, and why."""

    def __init__(self, reason: str = UNKNOWN) -> None:
        self._reason = reason

    def identity(self) -> StoreIdentity:
        """Unobserved: not the same store as any other, and not a different one."""
        return StoreIdentity(grade="unobserved", reason=self._reason)

    def capabilities(self) -> Capabilities:
        """Neither list nor read."""
        return Capabilities(can_scan=False, can_read=False, reasons=(self._reason,))

    def scan(self, cursor: str | None, pace: Pace) -> Page:
        """Refuse: raises ``StoreUnsupported``."""
        del cursor, pace
        self._refuse()

    def read(self, keys: Sequence[str], pace: Pace) -> Iterator[RawReading]:
        """Refuse at the first key: raises ``StoreUnsupported``."""
        del pace
        return (self._refuse() for _ in keys)

    def walk(self, cursor: str | None, choose: Choose, pace: Pace) -> Iterator[Batch]:
        """Refuse: raises ``StoreUnsupported``."""
        del cursor, choose, pace
        self._refuse()

    def close(self) -> None:
        """There is nothing to close."""

    def _refuse(self) -> NoReturn:
        raise StoreUnsupported(self._reason)


class UnsupportedBackend(Backend):
    """A backend of which only what ``BaseCache`` has is known."""

    kind = "unsupported"
    scope = "network"

    def store(self) -> UnsupportedStore:
        """Give a store that refuses."""
        return UnsupportedStore()

    def settings(self) -> Pairs:
        """Give the class, and what every ``BaseCache`` was given."""
        cls = type(self.cache)
        names = ("default_timeout", "key_prefix", "version", "_max_entries", "_cull_frequency")
        return (
            ("backend", f"{cls.__module__}.{cls.__qualname__}"),
            *((name.lstrip("_"), str(getattr(self.cache, name, None))) for name in names),
        )

    def payload(self, stored: Stored) -> bytes:
        """Refuse: raises ``InertUnreadable``."""
        del stored
        raise InertUnreadable(UNKNOWN)
