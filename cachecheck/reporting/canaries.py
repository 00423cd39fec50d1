"""Canaries as text: what was tried of each cache, and how long it took from node to node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.reporting.layout import Page, paragraph, table
from cachecheck.reporting.words import count, duration, plural

if TYPE_CHECKING:
    from cachecheck.model import CacheRow, CanaryRow, CanaryStepRow, PropagationRow

_MOST_NODES = 6
_MOST_PAIRS = 10
_NOTHING = "-"
_NAMES = {
    "set": "set",
    "set-anew": "set anew",
    "delete": "delete",
    "none": "set None",
    "unicode": "Unicode",
    "large": "1.5 MB",
    "add": "add (lock)",
    "incr": "incr",
    "expiry": "expiry",
    "touch": "touch",
}


def tables_of_canaries(rows: tuple[CacheRow, ...], page: Page) -> list[list[str]]:
    """Lay out each canary: what it tried, then how long it took until writes were seen."""
    return [
        section
        for cache in rows
        for canary in cache.canaries
        for section in (_steps(cache, canary, page), _propagation(cache, canary, page))
        if section
    ]


def is_only_canaries(cache: CacheRow) -> bool:
    """Whether a canary was let out on a cache, and none of its keys was to be compared."""
    return bool(cache.canaries) and cache.coverage.mode == "none"


def _steps(cache: CacheRow, canary: CanaryRow, page: Page) -> list[str]:
    title = f"{cache.alias}: a canary through {plural(canary.views, 'view')}"
    if canary.pairs:
        title += f", {count(canary.pairs_tried)} of {plural(canary.pairs, 'pair')} of them"
    lines = paragraph(title, page)
    if canary.steps:
        headers = ["tried", "how many", "as it should", "median lag", "longest"]
        lines += table(headers, [_step_cells(step) for step in canary.steps], page, yielding=[2])
    if canary.first_look_seconds is not None:
        soon = duration(canary.first_look_seconds)
        lines += paragraph(f"(at once: at the first look, {soon} after the write)", page)
    notes = cache.coverage.notes if is_only_canaries(cache) else ()
    return lines + [line for note in notes for line in paragraph(note, page)]


def _step_cells(step: CanaryStepRow) -> list[str]:
    well = step.tried - step.failed
    of = step.of if step.tried != 1 else step.of.removesuffix("s")
    return [
        _NAMES[step.step],
        f"{count(step.tried)} {of}",
        "all" if not step.failed else f"{count(well)} of {count(step.tried)}",
        _time(step.median_seconds),
        _time(step.max_seconds),
    ]


def _time(seconds: float | None) -> str:
    if seconds is None:
        return _NOTHING
    return duration(seconds) if seconds else "at once"


def _propagation(cache: CacheRow, canary: CanaryRow, page: Page) -> list[str]:
    """Draw a matrix of few nodes; of many, name the worst pairs."""
    rows = canary.propagation
    names = list(dict.fromkeys(row.writer for row in rows))
    names += [row.reader for row in rows if row.reader not in names]
    names = list(dict.fromkeys(names))
    if not names:
        return []
    if len(names) <= page.most(_MOST_NODES):
        return _matrix(cache, names, rows, page)
    worst = sorted(rows, key=lambda row: (row.seen == row.tried, -(row.max_seconds or 0.0)))
    shown = worst[:_MOST_PAIRS]
    drawn = [[row.writer, row.reader, _cell(row), _time(row.median_seconds)] for row in shown]
    headers = [f"{cache.alias}: written on", "seen on", "after at most", "median"]
    lines = table(headers, drawn, page, yielding=[0, 1])
    more = len(rows) - len(shown)
    return [*lines, f"and {plural(more, 'pair')} of nodes more"] if more > 0 else lines


def _matrix(
    cache: CacheRow, names: list[str], rows: tuple[PropagationRow, ...], page: Page
) -> list[str]:
    cells = {(row.writer, row.reader): _cell(row) for row in rows}
    drawn = [
        [writer, *(cells.get((writer, reader), _NOTHING) for reader in names)] for writer in names
    ]
    headers = [f"{cache.alias}: written on", *(f"on {name}" for name in names)]
    return table(headers, drawn, page, yielding=list(range(len(names) + 1)))


def _cell(row: PropagationRow) -> str:
    if not row.seen:
        return "never"
    part = "" if row.seen == row.tried else f", {count(row.tried - row.seen)} never"
    return _time(row.max_seconds) + part
