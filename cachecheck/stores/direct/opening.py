"""Open a store that is read directly, on connections of our own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cachecheck.stores.direct.bound import BoundStore
from cachecheck.stores.direct.cluster import ClusterStore
from cachecheck.stores.direct.spec import address
from cachecheck.stores.redis import RedisStore, our_client

if TYPE_CHECKING:
    import redis

    from cachecheck.stores.base import Store
    from cachecheck.stores.direct.spec import Host, StoreSpec


def open_store(spec: StoreSpec) -> Store:
    """Open a store; nothing is connected before it is asked something.

    Where Sentinels are asked, they name the primary whenever a store was opened anew.
    """
    match spec.kind:
        case "redis" | "sentinel":
            connect = partial(client_of, spec)
            return BoundStore(RedisStore(connect, address=address(spec)))
        case "cluster":
            return ClusterStore(spec, partial(client_at, spec))
        case "memcached":
            from cachecheck.stores.direct.union import open_servers  # noqa: PLC0415  on first need

            return open_servers(spec)


def client_of(spec: StoreSpec) -> redis.Redis:
    """Make a client of one Redis: at its address, its socket, or where the Sentinels say."""
    if spec.kind == "sentinel":
        return _sentinel_client(spec)
    if spec.path is not None:
        return _socket_client(spec)
    return client_at(spec, spec.hosts[0])


def client_at(spec: StoreSpec, host: Host, *, is_replica: bool = False) -> redis.Redis:
    """Make a client of the server at this address, with the store's credentials and TLS.

    A replica of a cluster answers for its slots only where the connection said READONLY.
    """
    from redis import ConnectionPool  # noqa: PLC0415  on first need
    from redis.connection import Connection, SSLConnection  # noqa: PLC0415

    options: dict[str, Any] = {**_login(spec), **_tls(spec), "host": host[0], "port": host[1]}
    if is_replica:
        options["redis_connect_func"] = _connect_to_replica
    kind = SSLConnection if spec.is_tls else Connection
    return _ours(spec, ConnectionPool(connection_class=kind, **options))


def _socket_client(spec: StoreSpec) -> redis.Redis:
    from redis import ConnectionPool  # noqa: PLC0415  on first need
    from redis.connection import UnixDomainSocketConnection  # noqa: PLC0415

    options: dict[str, Any] = {**_login(spec), "path": spec.path}
    return _ours(spec, ConnectionPool(connection_class=UnixDomainSocketConnection, **options))


def _sentinel_client(spec: StoreSpec) -> redis.Redis:
    """Make a client that asks the Sentinels, each without credentials, then with the store's."""
    from redis.sentinel import Sentinel, SentinelConnectionPool  # noqa: PLC0415  on first need

    plain: dict[str, Any] = {**_tls(spec), "ssl": spec.is_tls}
    manager = Sentinel(spec.hosts, sentinel_kwargs=plain)  # type: ignore[no-untyped-call]  # redis-py
    if spec.password is not None:
        known = {**plain, **_login(spec), "db": 0}
        manager.sentinels += Sentinel(spec.hosts, sentinel_kwargs=known).sentinels  # type: ignore[no-untyped-call]  # redis-py
    options = {**_login(spec), **_tls(spec), "ssl": spec.is_tls}
    return _ours(spec, SentinelConnectionPool(spec.service, manager, **options))  # type: ignore[no-untyped-call]  # redis-py


def _ours(spec: StoreSpec, pool: redis.ConnectionPool) -> redis.Redis:
    client = our_client(pool)
    waiting = {"socket_timeout": spec.timeout_seconds}
    if spec.path is None:
        waiting["socket_connect_timeout"] = spec.timeout_seconds
    pool.connection_kwargs.update(waiting)
    return client


def _login(spec: StoreSpec) -> dict[str, Any]:
    return {"db": spec.db, "username": spec.username, "password": spec.password}


def _tls(spec: StoreSpec) -> dict[str, Any]:
    if not spec.is_tls:
        return {}
    return {
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": True,
        "ssl_ca_certs": spec.ca_file,
        "ssl_certfile": spec.client_cert,
        "ssl_password": "",  # of a key that has one: nobody is asked for it
    }


def _connect_to_replica(connection: Any) -> None:
    connection.on_connect()
    connection.send_command("READONLY")
    connection.read_response()
