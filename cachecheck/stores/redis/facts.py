"""What ``INFO`` says of a server: identity, eviction and counters. Pure functions."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from cachecheck.model import Member, ServerCounters, StoreIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping

Info: TypeAlias = "Mapping[str, Any]"

_LIMITS = ("maxmemory", "maxmemory_policy")
_REPLICATION_ID = re.compile("[0-9a-f]{40}")


def identity(
    info: Info, *, db: int, address: str, clock_offset_seconds: float | None
) -> StoreIdentity:
    """Identify a database by its server's replication id, which its replicas share.

    ``master_replid2`` proves nothing: a replica that was detached keeps the id of its former
    primary there. A replica whose link is down may have been left behind: its id only suggests.
    """
    replication_id = str(info.get("master_replid", ""))
    if not _REPLICATION_ID.fullmatch(replication_id) or not replication_id.strip("0"):
        return StoreIdentity(
            grade="unobserved",
            address=address,
            reason="INFO does not show the replication id",
            clock_offset_seconds=clock_offset_seconds,
        )
    is_cut_off = info.get("role") == "slave" and info.get("master_link_status") != "up"
    return StoreIdentity(
        grade="suggested" if is_cut_off else "observed",
        token=f"redis:{replication_id}/{db}",
        member=member(info),
        address=address,
        reason="a replica without a link to its primary" if is_cut_off else None,
        clock_offset_seconds=clock_offset_seconds,
    )


def cluster_identity(
    nodes: Mapping[str, Any], info: Info, *, address: str, clock_offset_seconds: float | None
) -> StoreIdentity:
    """Identify a cluster by the ids of its primaries; ``nodes`` is what CLUSTER NODES answered."""
    ids = sorted(node["node_id"] for node in nodes.values() if "master" in node["flags"].split(","))
    return StoreIdentity(
        grade="observed",
        token=f"redis-cluster:{hashlib.sha256(','.join(ids).encode()).hexdigest()[:40]}",
        member=member(info),
        address=address,
        clock_offset_seconds=clock_offset_seconds,
    )


def member(info: Info) -> str | None:
    """Name the very server, which its replicas do not share."""
    run_id = info.get("run_id")
    return None if run_id is None else str(run_id)


def standing(info: Info, *, address: str, takes_writes: bool) -> Member:
    """Say what a server is in its replication: whom it follows, and how far it has come."""
    is_replica = info.get("role") == "slave"
    offset = info.get("slave_repl_offset" if is_replica else "master_repl_offset")
    replication_id = info.get("master_replid")
    host, port = info.get("master_host"), info.get("master_port")
    return Member(
        address=address,
        takes_writes=takes_writes,
        role="replica" if is_replica else "primary" if info.get("role") == "master" else None,
        run_id=member(info),
        replication_id=None if replication_id is None else str(replication_id),
        offset_bytes=offset if isinstance(offset, int) and offset >= 0 else None,
        follows=f"{host}:{port}" if is_replica and host else None,
        is_linked=info.get("master_link_status") == "up" if is_replica else None,
        is_read_only=is_replica and bool(info.get("slave_read_only", 1)),
    )


def is_cluster(info: Info) -> bool:
    """Say whether the server is part of a Redis Cluster."""
    return bool(info.get("cluster_enabled", 0))


def evicts_by_recency(info: Info) -> bool:
    """Say whether a read may change what is evicted next; where it cannot be known, it may."""
    policy = info.get("maxmemory_policy")
    return policy is None or str(policy).endswith(("lru", "lfu"))


def version(info: Info) -> tuple[int, ...] | None:
    """Give the server's version; None where it does not say."""
    parts = re.findall(r"\d+", str(info.get("redis_version", "")))
    return tuple(map(int, parts[:3])) or None


def entries(info: Info, db: int) -> int | None:
    """Give how many keys a database holds, of which an empty one is not named; None: not said."""
    told = info.get(f"db{db}")
    try:
        return int(told["keys"]) if told is not None else 0
    except (KeyError, TypeError, ValueError):
        return None


def counters(info: Info, now: float) -> ServerCounters | None:
    """Give what the server counted, of all clients and databases, since it started."""
    server = member(info)
    hits, misses, uptime = (
        _number(info, name) for name in ("keyspace_hits", "keyspace_misses", "uptime_in_seconds")
    )
    if server is None or hits is None or misses is None or uptime is None:
        return None
    return ServerCounters(
        server=server,
        hits=hits,
        misses=misses,
        since=now - uptime,
        evictions=_number(info, "evicted_keys"),
        expirations=_number(info, "expired_keys"),
        limits=tuple((name, str(info[name])) for name in _LIMITS if name in info),
    )


def _number(info: Info, name: str) -> int | None:
    try:
        return max(0, int(info[name]))
    except (KeyError, TypeError, ValueError):
        return None
