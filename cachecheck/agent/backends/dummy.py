"""Django's ``DummyCache``: it keeps nothing, so there is nothing to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.agent.backends.base import Backend
from cachecheck.agent.backends.unsupported import UnsupportedStore
from cachecheck.errors import InertUnreadable
from cachecheck.model import StoreIdentity

if TYPE_CHECKING:
    from cachecheck.stores.base import Stored

NOTHING = "DummyCache stores nothing"


class NoStore(UnsupportedStore):
    """The absence of a store."""

    def __init__(self) -> None:
        super().__init__(NOTHING)

    def identity(self) -> StoreIdentity:
        """None: there is no store to identify."""
        return StoreIdentity(grade="none", reason=NOTHING)


class DummyBackend(Backend):
    """A cache that is switched off."""

    kind = "dummy"
    scope = "none"

    def store(self) -> NoStore:
        """Give a store that refuses."""
        return NoStore()

    def payload(self, stored: Stored) -> bytes:
        """Refuse: raises ``InertUnreadable``."""
        del stored
        raise InertUnreadable(NOTHING)
