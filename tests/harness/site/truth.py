"""What the site's caches should hold: rows of its database, and functions that are of no use."""

from typing import Any

from django.core.cache import BaseCache
from django.db import connection

from cachecheck.agent.truth import UNKNOWN

TABLE = "CREATE TABLE IF NOT EXISTS article (id INTEGER PRIMARY KEY, title TEXT)"
VALUES = {"number": 42, "text": "Füße", "flag": True, "nothing": None, "bytes": b"\x00\xff"}


def article(key: str) -> dict[str, Any]:
    """Give an article as the site caches it; `KeyError` where it was deleted."""
    return {"key": key, "title": _titles(key)[0], "tags": {"a", "b", "c"}}


def value(key: str) -> Any:
    """Give a value of a kind that some caches store in a way of its own."""
    return VALUES[key.partition(":")[2]]


def unknown(_key: str) -> Any:
    """Say that nobody knows."""
    return UNKNOWN


def broken(_key: str) -> Any:
    """Fail, as functions do."""
    return 1 // 0


def fill(cache: BaseCache, key: str) -> None:
    """Put what is true into a cache, as a page of the site would."""
    cache.set(key, (value if key.startswith("value:") else article)(key))


def write(key: str, title: str | None) -> None:
    """Write an article into the database, or delete it, and tell no cache."""
    number = int(key.partition(":")[2])
    with connection.cursor() as cursor:
        cursor.execute(TABLE)
        cursor.execute("DELETE FROM article WHERE id = %s", [number])
        if title is not None:
            cursor.execute("INSERT INTO article VALUES (%s, %s)", [number, title])


def _titles(key: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT title FROM article WHERE id = %s", [int(key.partition(":")[2])])
        titles = [row[0] for row in cursor.fetchall()]
    if not titles:
        raise KeyError(key)
    return titles
