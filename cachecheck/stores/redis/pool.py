"""Connections of our own: the application's parameters, our timeouts, no retries, few of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import redis

TIMEOUT_SECONDS = 2.0
_CONNECTIONS = 2

OPTIONS_NOT_OURS = frozenset({"cache", "cache_config", "event_dispatcher"})
"""Options of a pool that must not be taken over: a client-side cache would answer from memory."""


def our_client(pool: redis.ConnectionPool) -> redis.Redis:
    """Make a client of a pool that was made for us and has not been used yet.

    Parameters in a URL outrank those beside it, so ours are set on the pool that came of them.
    """
    from redis import Redis  # noqa: PLC0415  on first need
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    pool.connection_kwargs.update(
        socket_timeout=TIMEOUT_SECONDS,
        decode_responses=False,
        retry=Retry(NoBackoff(), 0),
        retry_on_timeout=False,
        retry_on_error=[],
    )
    if "path" not in pool.connection_kwargs:  # redis-py 5 refuses it for Unix sockets
        pool.connection_kwargs["socket_connect_timeout"] = TIMEOUT_SECONDS
    pool.max_connections = _CONNECTIONS
    pool.reset()
    return Redis(connection_pool=pool)


def close_client(client: redis.Redis) -> None:
    """Close every connection of the client, and those to the sentinels that it asked."""
    pool: Any = client.connection_pool
    pool.disconnect()
    for sentinel in getattr(getattr(pool, "sentinel_manager", None), "sentinels", ()):
        sentinel.connection_pool.disconnect()


def database(client: redis.Redis) -> int:
    """Give the number of the database that the client's connections select."""
    return int(client.connection_pool.connection_kwargs.get("db") or 0)
