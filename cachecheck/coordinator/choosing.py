"""Which caches a run is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cachecheck.errors import UsageError
from cachecheck.rules.observations import Fleet

if TYPE_CHECKING:
    from cachecheck.rules.observations import ObservedWorker


def chosen_aliases(fleet: Fleet, asked: tuple[str, ...]) -> tuple[str, ...]:
    """Give the aliases that are asked for, or all; raises ``UsageError`` for one that none has."""
    known = fleet.aliases
    unknown = sorted(set(asked) - set(known)) if known else []
    if unknown:
        raise UsageError(
            f"no node has a cache {', '.join(map(repr, unknown))}: there are {', '.join(known)}"
        )
    return tuple(sorted(set(asked))) or known


def restricted(fleet: Fleet, aliases: tuple[str, ...]) -> Fleet:
    """Leave out what was not asked for, so that nothing is said of it."""
    return Fleet(
        nodes=tuple(
            msgspec.structs.replace(
                node,
                workers=tuple(_only(worker, aliases) for worker in node.workers),
                store=None if node.store is None else _only(node.store, aliases),
            )
            for node in fleet.nodes
        ),
        now=fleet.now,
    )


def _only(worker: ObservedWorker, aliases: tuple[str, ...]) -> ObservedWorker:
    caches = tuple(cache for cache in worker.caches if cache.alias in aliases)
    return msgspec.structs.replace(worker, caches=caches)
