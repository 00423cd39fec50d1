"""Ask a Redis Cluster for its map: who serves which slots, and which replicas it has lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.errors import StoreDenied, StoreError, StoreUnreachable
from cachecheck.stores.direct.asking import ask
from cachecheck.stores.direct.slots import shards_of, with_failed
from cachecheck.stores.redis.pool import close_client

if TYPE_CHECKING:
    import redis

    from cachecheck.stores.direct.server import Connect
    from cachecheck.stores.direct.slots import Shard
    from cachecheck.stores.direct.spec import StoreSpec


def find_shards(
    spec: StoreSpec, connect: Connect, *, are_replicas_read: bool = False
) -> tuple[Shard, ...]:
    """Ask the first server that answers for the map of slots; raises ``StoreError``.

    Where replicas are read, those that the cluster takes for failed are in it as well: CLUSTER
    SLOTS leaves them out. Where CLUSTER NODES is forbidden they cannot be known.
    """
    failure = StoreError("the cluster has no address")
    for host in spec.hosts:
        client = connect(host)
        try:
            shards = shards_of(ask(client, "CLUSTER", "SLOTS"), host)
            return with_failed(shards, _nodes(client)) if are_replicas_read else shards
        except (StoreUnreachable, StoreDenied) as exc:
            failure = exc
        except StoreError as exc:
            failure = StoreError(f"not a server of a Redis Cluster: {exc.reason}")
        finally:
            close_client(client)
    raise failure


def _nodes(client: redis.Redis) -> str:
    try:
        told = ask(client, "CLUSTER", "NODES")
    except StoreDenied:
        return ""
    return told.decode() if isinstance(told, bytes) else str(told)
