"""What Django's own backends throw out to make room, past ``MAX_ENTRIES``: each by itself.

Redis and memcached evict and count by themselves, so there is nothing of this for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cachecheck.agent.backends.shown import dotted
from cachecheck.agent.counting.ways import share

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.agent.counting.tally import Tally

    Method = Callable[..., Any]


def culling_methods(cls: Any, tally: Tally) -> dict[str, Any]:
    """Make the methods of a class that count what it culls; none where its store does that."""
    for base in cls.__mro__:
        make = _COUNTING.get(dotted(base))
        if make is not None:
            tally.is_culling = True
            return {"_cull": make(cls, tally)}
    return {}


def _locmem(cls: Any, tally: Tally) -> Method:
    """Count by what is gone; the backend holds its lock meanwhile."""
    inner = cls._cull

    def _cull(self: Any) -> Any:
        before = len(self._cache)
        try:
            return inner(self)
        finally:
            tally.evictions.add_many(max(0, before - len(self._cache)))

    return _cull


def _filebased(cls: Any, tally: Tally) -> Method:
    """Count the files that culling deletes, on a twin that counts what it deletes.

    The folder is not listed once more for it: it is listed at each write as it is.
    """

    def _delete(self: Any, name: str) -> Any:
        was_deleted = cls._delete(self, name)
        tally.evictions.add_many(int(bool(was_deleted)))
        return was_deleted

    culler = type(cls.__name__, (cls,), {"_delete": _delete})

    def _cull(self: Any) -> Any:
        return cls._cull(share(culler, self))

    return _cull


def _database(cls: Any, tally: Tally) -> Method:
    """Count the rows that culling deletes; the first deletion is of those that have expired."""
    inner = cls._cull

    def _cull(self: Any, db: Any, cursor: Any, now: Any, num: Any) -> Any:
        seen = _Deletions(cursor)
        result = inner(self, db, seen, now, num)
        culled = num if self._cull_frequency == 0 else sum(seen.deleted[1:])
        tally.evictions.add_many(max(0, culled))
        return result

    return _cull


class _Deletions:
    """A cursor that remembers how many rows each deletion took."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.deleted: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, sql: str, *params: Any) -> Any:
        """Execute as the cursor does."""
        result = self._cursor.execute(sql, *params)
        if sql.startswith("DELETE"):
            self.deleted.append(self._cursor.rowcount)
        return result


_COUNTING: dict[str, Callable[[Any, Tally], Method]] = {
    "django.core.cache.backends.locmem.LocMemCache": _locmem,
    "django.core.cache.backends.filebased.FileBasedCache": _filebased,
    "django.core.cache.backends.db.DatabaseCache": _database,
}
