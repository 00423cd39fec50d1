"""Who is meant: the views of a group, by the names of whole nodes where that says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.reporting.words import count, plural

if TYPE_CHECKING:
    from cachecheck.model import NodeRow

_FEWEST_FOR_ALL = 3
_MOST_EXCEPTIONS = 2


def who(views: tuple[str, ...], nodes: tuple[NodeRow, ...], *, most: int) -> str:
    """Name views, which are labels as in ``WorkerRow.id``; past ``most`` names the rest is counted.

    A node all of whose workers are meant is named once; where all nodes are, or all but one or
    two, that is said instead.
    """
    meant = set(views)
    whole = [node for node in nodes if node.workers and meant.issuperset(_labels(node))]
    in_whole = {label for node in whole for label in _labels(node)}
    single = [view for view in views if view not in in_whole]
    named = _every(whole, nodes) or [_named(node) for node in whole]
    return _bounded([*named, *single], most)


def _labels(node: NodeRow) -> tuple[str, ...]:
    return tuple(worker.id for worker in node.workers if not worker.has_ended)


def _named(node: NodeRow) -> str:
    workers = len(node.workers)
    return f"{node.name} ({plural(workers, 'worker')})" if workers > 1 else node.name


def _every(whole: list[NodeRow], nodes: tuple[NodeRow, ...]) -> list[str]:
    there = [node for node in nodes if node.workers]
    others = [node.name for node in there if node not in whole]
    if len(whole) < _FEWEST_FOR_ALL or len(others) > _MOST_EXCEPTIONS:
        return []
    workers = plural(sum(len(node.workers) for node in whole), "worker")
    heard = "nodes" if len(there) == len(nodes) else "nodes heard"
    if others:
        return [f"all {heard} but {' and '.join(others)} ({workers})"]
    return [f"all {count(len(whole))} {heard} ({workers})"]


def _bounded(names: list[str], most: int) -> str:
    if len(names) <= most + 1:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {count(len(names) - most)} more"
