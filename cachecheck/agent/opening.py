"""Open the store that a request is about: that of the alias, or one of its servers by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cachecheck.agent.backends.base import Backend
    from cachecheck.stores.base import Store
    from cachecheck.wire import Read, Survey


def open_for(backend: Backend, request: Read | Survey) -> Store:
    """Open it; raises ``StoreError`` where the alias has no such server."""
    return backend.store() if request.server is None else backend.open_member(request.server)
