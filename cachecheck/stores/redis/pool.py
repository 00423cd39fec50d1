"""Connections of our own: the application's parameters, our timeouts, no retries, few of them."""

from __future__ import annotations

from copy import copy
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from cachecheck.stores.redis.library import library_of, of_library

if TYPE_CHECKING:
    import redis

TIMEOUT_SECONDS = 2.0
_CONNECTIONS = 2
_OF_THEIR_POOL = ("maint_notifications", "orig_")  # which redis-py put there for itself

OPTIONS_NOT_OURS = frozenset({"cache", "cache_config", "event_dispatcher"})
"""Options of a pool that must not be taken over: a client-side cache would answer from memory."""


def our_client(pool: redis.ConnectionPool) -> redis.Redis:
    """Make a client of a pool that was made for us and has not been used yet.

    Parameters in a URL outrank those beside it, so ours are set on the pool that came of them.
    """
    _take_over(pool, TIMEOUT_SECONDS)
    pool.connection_kwargs["decode_responses"] = False
    pool.max_connections = _CONNECTIONS
    _take_over_sentinels(pool)
    pool.reset()
    library = library_of(pool)
    client: redis.Redis = of_library(library, "", library.capitalize())(connection_pool=pool)
    return client


def close_client(client: redis.Redis) -> None:
    """Close every connection of the client, and those to the sentinels that it asked."""
    pool: Any = client.connection_pool
    pool.disconnect()
    for sentinel in getattr(getattr(pool, "sentinel_manager", None), "sentinels", ()):
        sentinel.connection_pool.disconnect()


def _take_over(pool: Any, timeout_seconds: float) -> None:
    library = library_of(pool)
    no_backoff = of_library(library, "backoff", "NoBackoff")
    pool.connection_kwargs.update(
        socket_timeout=timeout_seconds,
        retry=of_library(library, "retry", "Retry")(no_backoff(), 0),
        retry_on_timeout=False,
        retry_on_error=[],
        protocol=2,  # all that we ask for; where it is 3, messages may come between the answers
    )
    _connect_plainly(pool.connection_kwargs, library)
    if "path" not in pool.connection_kwargs:  # redis-py 5 refuses it for Unix sockets
        pool.connection_kwargs["socket_connect_timeout"] = timeout_seconds


def _connect_plainly(options: dict[str, Any], library: str) -> None:
    """Neither name the library on connecting nor ask for notices of maintenance.

    To know its version, redis-py reads a file for each connection, which takes longer than all else
    about it. Servers that do not know such a command count an error each time.
    """
    for name in [name for name in options if name.startswith("maint_notifications")]:
        del options[name]
    if find_spec(f"{library}.driver_info") is None:  # redis-py before 7.2, and valkey-py
        options.update(lib_name=None, lib_version=None)
    else:
        driver = of_library(library, "driver_info", "DriverInfo")
        options.update(driver_info=driver(name="", lib_version=""))  # of None 7.2 makes a default


def _take_over_sentinels(pool: Any) -> None:
    """Ask sentinels through clients of our own: those of the pool may be the application's.

    They are asked one after another until one knows the primary, so they share one timeout.
    """
    manager = getattr(pool, "sentinel_manager", None)
    if manager is None:
        return
    ours = copy(manager)
    ours.sentinels = [
        _our_sentinel(sentinel, TIMEOUT_SECONDS / len(manager.sentinels))
        for sentinel in manager.sentinels
    ]
    pool.sentinel_manager = pool.proxy.sentinel_manager = ours


def _our_sentinel(sentinel: redis.Redis, timeout_seconds: float) -> redis.Redis:
    theirs: Any = sentinel.connection_pool
    options = {
        name: value
        for name, value in theirs.connection_kwargs.items()
        if name not in OPTIONS_NOT_OURS and not name.startswith(_OF_THEIR_POOL)
    }
    pool = type(theirs)(connection_class=theirs.connection_class, **options)
    _take_over(pool, timeout_seconds)
    return type(sentinel)(connection_pool=pool)


def database(client: redis.Redis) -> int:
    """Give the number of the database that the client's connections select."""
    return int(client.connection_pool.connection_kwargs.get("db") or 0)
