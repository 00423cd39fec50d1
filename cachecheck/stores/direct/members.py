"""The stores behind one address: the one that takes writes, and each of its replicas."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from cachecheck.errors import StoreError, StoreUnreachable, StoreUnsupported
from cachecheck.stores.direct.asking import ask
from cachecheck.stores.direct.cluster import replica_set
from cachecheck.stores.direct.opening import client_at, client_of
from cachecheck.stores.direct.spec import shown_host
from cachecheck.stores.direct.topology import find_shards
from cachecheck.stores.redis.pool import close_client

if TYPE_CHECKING:
    import redis

    from cachecheck.stores.direct.spec import Host, StoreSpec

_MAX_REPLICAS = 100


def members(spec: StoreSpec) -> tuple[StoreSpec, ...]:
    """Give the store itself, and one for each replica where they are to be read.

    Replicas are those that the primary names, at the addresses that they announce; whether these
    can be reached is not found out here. Replicas of replicas are not looked for. In a cluster,
    "replica set 1" has the first replica of every shard, and so on; where a shard has none of that
    number its primary stands in, and one that has failed is unreachable. Raises ``StoreError``
    where replicas cannot be asked for, or are more than are read.
    """
    if not spec.with_replicas or spec.member is not None:
        return (spec,)
    match spec.kind:
        case "redis" | "sentinel":
            return (spec, *(_replica(spec, host) for host in _replicas(spec)))
        case "cluster":
            return (spec, *_replica_sets(spec))
        case "memcached":
            return (spec,)


def _replica(spec: StoreSpec, host: Host) -> StoreSpec:
    member = f"replica {shown_host(host)}"
    return replace(
        spec,
        name=f"{spec.name}/{member}",
        kind="redis",
        hosts=(host,),
        path=None,
        service=None,
        member=member,
    )


def _replica_sets(spec: StoreSpec) -> list[StoreSpec]:
    shards = find_shards(spec, partial(client_at, spec), are_replicas_read=True)
    most = _bounded(max((len(shard.replicas) for shard in shards), default=0))
    names = [replica_set(number) for number in range(1, most + 1)]
    return [replace(spec, name=f"{spec.name}/{name}", member=name) for name in names]


def _replicas(spec: StoreSpec) -> list[Host]:
    client = client_of(spec)
    try:
        found = sorted(_told(client))
    finally:
        close_client(client)
    _bounded(len(found))
    return found


def _bounded(count: int) -> int:
    if count > _MAX_REPLICAS:
        raise StoreUnsupported(
            f"it has {count} replicas, and no more than {_MAX_REPLICAS} are read"
        )
    return count


def _told(client: redis.Redis) -> list[Host]:
    """Ask by ROLE, or by INFO where that is forbidden."""
    try:
        return _by_role(ask(client, "ROLE"))
    except StoreUnreachable:
        raise
    except StoreError:
        return _by_info(ask(client, "INFO", "replication"))


def _by_role(answer: Any) -> list[Host]:
    try:
        role, *_, replicas = answer
        named = replicas if role in {b"master", "master"} else ()
        return [(_text(host), int(port)) for host, port, *_ in named]
    except (TypeError, ValueError):
        raise StoreError("ROLE was answered with what names no replicas") from None


def _by_info(info: dict[str, Any]) -> list[Host]:
    named = (info.get(f"slave{number}") for number in range(int(info.get("connected_slaves", 0))))
    return [
        (str(replica["ip"]), int(replica["port"]))
        for replica in named
        if isinstance(replica, dict) and replica.get("state") == "online"
    ]


def _text(told: bytes | str) -> str:
    return told.decode() if isinstance(told, bytes) else told
