"""Cursors of a store that is made of several: the number of the part, and the cursor within it."""

from __future__ import annotations

import re

from cachecheck.errors import StoreError

_CURSOR = re.compile("([0-9]{1,4}):(.*)", re.DOTALL)


def position(cursor: str, parts: int) -> tuple[int, str | None]:
    """Give the part that a cursor lies in, and the cursor there; None is its start.

    Raises ``StoreError`` for what is no cursor of this store.
    """
    found = _CURSOR.fullmatch(cursor)
    if found is None or int(found[1]) >= parts:
        raise StoreError("not a cursor of this store")
    return int(found[1]), found[2] or None


def cursor(number: int, inner: str | None) -> str:
    """Give the cursor of a place in a part; None is its start."""
    return f"{number}:{inner or ''}"
