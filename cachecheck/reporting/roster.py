"""Who is there, as text: nodes, workers with their versions, caches with their stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.reporting.layout import NARROWEST, Page, paragraph, table
from cachecheck.reporting.nodes import heard, table_of_nodes
from cachecheck.reporting.words import count, plural

if TYPE_CHECKING:
    from cachecheck.model import CacheRow, Finding, NodeRow, Report

_MOST_WORKERS = 40
_MOST_NODES = 12
_MOST_NAMES = 3
_NOT_SEEN = frozenset({"F001", "F002", "F004", "F008"})
_KNOWN_BY = {
    "configured": "expected as EXPECTED_WORKERS says",
    "siblings": "expected by counting siblings",
    "unknown": "how many there should be is unknown",
    "": "how many there should be was not said",
}


def render(report: Report, *, width: int = 80, is_verbose: bool = False) -> str:
    """Render the roster of a fleet; no line is wider than ``width`` terminal cells."""
    page = Page(width=max(width, NARROWEST), is_verbose=is_verbose)
    blocks = [
        paragraph(heard(report.nodes), page),
        table_of_nodes(report.nodes, page),
        _reasons(report.nodes, page),
        _hearing(report.nodes, page),
        _workers(report.nodes, page),
        _read_stores(report.nodes, page),
        _stores(report.caches, page),
        [line for one in _judged(report.findings) for line in _told(one, page)],
        [line for text in report.undecided for line in _not_seen(text, page)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _reasons(nodes: tuple[NodeRow, ...], page: Page) -> list[str]:
    """Say in full why a node gave no answer; the table has room for the start of it only."""
    silent = [node for node in nodes if node.detail][: page.most(_MOST_NODES)]
    return [line for node in silent for line in paragraph(f"{node.name}: {node.detail}", page)]


def _hearing(nodes: tuple[NodeRow, ...], page: Page) -> list[str]:
    """Say how workers were heard, and how it is known how many there are."""
    ways: dict[tuple[str, str, str], list[str]] = {}
    for node in nodes:
        if node.workers_heard_by is not None:
            way = (node.workers_heard_by, node.workers_expected_by or "", node.relay_off or "")
            ways.setdefault(way, []).append(node.name)
    lines = []
    for (heard_by, expected_by, off), names in ways.items():
        which = "" if len(ways) == 1 else f"{_some(names)}: "
        because = f" (no relay: {off})" if off else ""
        told = f"{which}workers heard by {heard_by}{because}, {_KNOWN_BY[expected_by]}"
        lines += paragraph(told[0].upper() + told[1:] if not which else told, page)
    return lines


def _some(names: list[str]) -> str:
    shown = names[:_MOST_NAMES]
    more = len(names) - len(shown)
    return f"{', '.join(shown)}{f' and {more} more' if more else ''}"


def _workers(nodes: tuple[NodeRow, ...], page: Page) -> list[str]:
    rows = [
        [
            worker.id,
            worker.role,
            worker.python,
            worker.django,
            worker.application,
            worker.release or "-",
        ]
        for node in nodes
        for worker in node.workers
    ]
    if not rows:
        return []
    shown = rows[: page.most(_MOST_WORKERS)]
    headers = ["worker", "role", "python", "django", "application", "release"]
    lines = table(headers, shown, page, yielding=[0, 4, 5])
    more = len(rows) - len(shown)
    return [*lines, f"and {plural(more, 'worker')} more (--verbose)"] if more else lines


def _read_stores(nodes: tuple[NodeRow, ...], page: Page) -> list[str]:
    """Say what is known of the stores that are read directly."""
    rows = [
        [
            node.name,
            node.store.cache,
            node.store.kind,
            "primary" if node.store.member is None else "replica",
            "?" if node.store.entries is None else count(node.store.entries),
            "as stored" if node.store.form is None else node.store.form,
            node.url,
        ]
        for node in nodes
        if node.store is not None
    ]
    if not rows:
        return []
    shown = rows[: page.most(_MOST_WORKERS)]
    headers = ["read directly", "cache", "kind", "role", "entries", "keys", "address"]
    lines = table(headers, shown, page, yielding=[6, 0, 5])
    more = len(rows) - len(shown)
    return [*lines, f"and {plural(more, 'store')} more (--verbose)"] if more else lines


def _stores(caches: tuple[CacheRow, ...], page: Page) -> list[str]:
    rows = [
        [
            cache.alias,
            store.id,
            store.scope,
            store.identity,
            str(len(store.views)),
            ", ".join(dict.fromkeys(view.node for view in store.views)),
        ]
        for cache in caches
        for store in cache.stores
    ]
    if not rows:
        return []
    shown = rows[: page.most(_MOST_WORKERS)]
    lines = table(
        ["cache", "store", "scope", "identity", "views", "nodes"], shown, page, yielding=[5, 1]
    )
    more = len(rows) - len(shown)
    return [*lines, f"and {plural(more, 'store')} more (--verbose)"] if more else lines


def _judged(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Give the findings that decide the exit code; what was not seen is told elsewhere here."""
    return tuple(one for one in findings if one.severity != "info" and one.code not in _NOT_SEEN)


def _told(one: Finding, page: Page) -> list[str]:
    return paragraph(f"{one.severity.upper()} {one.code} {one.name}: {one.message}", page)


def _not_seen(text: str, page: Page) -> list[str]:
    return paragraph(f"Not seen: {text}", page)
