"""The nodes as text: who answered, how many workers were heard, how far clocks are off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.reporting.layout import Page, table
from cachecheck.reporting.words import count, duration, offset, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.model import NodeRow, WorkerRow

_MOST_NODES = 12
_FAR_OFF_SECONDS = 1.0
_NOTHING = "-"


def heard(nodes: Sequence[NodeRow]) -> str:
    """Say in full who answered: nodes of nodes, workers of workers."""
    answered = sum(node.state == "answered" for node in nodes)
    workers, others = _web(nodes), _others(nodes)
    expected = _expected(nodes)
    said = f"{count(answered)} of {plural(len(nodes), 'node')} answered"
    if not workers and not expected:
        return said
    beside = f" and {plural(others, 'other process', 'other processes')}" if others else ""
    if expected is None:
        return f"{said}, {plural(workers, 'worker')} of an unknown number{beside}"
    return f"{said}, {count(workers)} of {plural(expected, 'worker')} heard{beside}"


def heard_briefly(nodes: Sequence[NodeRow]) -> str:
    """Say the same in numbers: ``3/4 nodes, 9/9 workers``."""
    answered = sum(node.state == "answered" for node in nodes)
    return f"{count(answered)}/{count(len(nodes))} nodes, {_workers(nodes)} workers"


def _expected(nodes: Sequence[NodeRow]) -> int | None:
    asked = [node for node in nodes if _has_workers(node) and _counts(node)]
    known = [node.workers_expected for node in asked if node.workers_expected is not None]
    return sum(known) if len(known) == len(asked) else None


def _has_workers(node: NodeRow) -> bool:
    """Tell a Django node from a store that is read directly."""
    return bool(node.workers) or node.url.startswith(("http://", "https://"))


def _counts(node: NodeRow) -> bool:
    """Leave out of the sum who did not answer and of whom nothing was expected by number."""
    return node.state == "answered" or node.workers_expected is not None


def _workers(nodes: Sequence[NodeRow]) -> str:
    if not any(map(_has_workers, nodes)) or not any(map(_counts, nodes)):
        return _NOTHING
    expected = _expected([node for node in nodes if _has_workers(node)])
    of = "?" if expected is None else count(expected)
    others = _others(nodes)
    return f"{count(_web(nodes))}/{of}{f' + {count(others)}' if others else ''}"


def _web(nodes: Sequence[NodeRow]) -> int:
    """Count the workers that serve requests, of which a number is expected."""
    return sum(worker.role == "web" for worker in _there(nodes))


def _others(nodes: Sequence[NodeRow]) -> int:
    """Count those that serve none: Celery workers, commands."""
    return sum(worker.role != "web" for worker in _there(nodes))


def _there(nodes: Sequence[NodeRow]) -> list[WorkerRow]:
    """Give the workers that were there until the end of the run."""
    return [worker for node in nodes for worker in node.workers if not worker.has_ended]


def table_of_nodes(rows: tuple[NodeRow, ...], page: Page) -> list[str]:
    """Lay the nodes out; of many, those with something amiss first and the others summed up."""
    if not rows:
        return []
    shown = rows if len(rows) <= page.most(_MOST_NODES) else tuple(filter(_is_amiss, rows))
    shown = shown[: page.most(_MOST_NODES)]
    headers = ["node", "state", "workers", "clock", "round trip"]
    body = [[node.name, *_node_cells([node])] for node in shown]
    body += _summed(rows, shown, is_rest=bool(shown))
    if any(node.detail for node in shown):
        headers.append("detail")
        details = [node.detail or "" for node in shown]
        details += [""] * (len(body) - len(shown))
        body = [[*row, detail] for row, detail in zip(body, details, strict=True)]
    return table(headers, body, page, yielding=[0, *range(5, len(headers))])


def _is_amiss(node: NodeRow) -> bool:
    expected = node.workers_expected
    is_short = expected is not None and _web([node]) < expected
    return (
        node.state != "answered"
        or is_short
        or abs(node.clock_offset_seconds or 0) >= _FAR_OFF_SECONDS
    )


def _summed(rows: Sequence[NodeRow], shown: Sequence[NodeRow], *, is_rest: bool) -> list[list[str]]:
    names = {id(node) for node in shown}
    by_state: dict[str, list[NodeRow]] = {}
    for node in rows:
        if id(node) not in names:
            by_state.setdefault(node.state, []).append(node)
    noun = "more" if is_rest else "nodes"
    return [[f"{count(len(rest))} {noun}", *_node_cells(rest)] for rest in by_state.values()]


def _node_cells(group: Sequence[NodeRow]) -> list[str]:
    """Give state, workers, clock and round trip of one node, or the largest ones of several."""
    offsets = [node.clock_offset_seconds for node in group if node.clock_offset_seconds is not None]
    trips = [node.rtt_seconds for node in group if node.rtt_seconds is not None]
    clock, trip = _NOTHING, _NOTHING
    if offsets:
        is_one = len(group) == 1
        clock = offset(offsets[0]) if is_one else f"≤ {duration(max(map(abs, offsets)))}"
    if trips:
        trip = ("" if len(group) == 1 else "≤ ") + duration(max(trips))
    return [group[0].state, _workers(group), clock, trip]
