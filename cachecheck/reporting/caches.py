"""The caches as text: what was compared of each, and what that is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.intervals import none_seen
from cachecheck.reporting.layout import Page, paragraph, table
from cachecheck.reporting.words import (
    count,
    listed,
    percent,
    percent_bound,
    percent_range,
    plural,
)

if TYPE_CHECKING:
    from cachecheck.model import CacheRow, HitRatioRow

_NOTHING = "-"
_MOST_NEIGHBOURS = 3


def table_of_caches(rows: tuple[CacheRow, ...], page: Page) -> list[str]:
    """Lay the caches out, then say in sentences what the numbers are worth."""
    if not rows:
        return []
    headers = ["cache", "stores", "scope", "views", "keys compared", "keys that agree"]
    lines = table(headers, [_cache_cells(cache) for cache in rows], page, yielding=[0, 1])
    for cache in rows:
        for sentence in _sentences(cache, page):
            lines += paragraph(sentence, page, lead=f"{cache.alias}: ")
    return lines


def _cache_cells(cache: CacheRow) -> list[str]:
    covered = cache.coverage
    expected = "?" if covered.views_expected is None else count(covered.views_expected)
    return [
        cache.alias,
        _stores(cache),
        "+".join(sorted({store.scope for store in cache.stores})) or _NOTHING,
        f"{count(covered.views_compared)}/{expected}",
        _keys(cache),
        _agreement(cache),
    ]


def _stores(cache: CacheRow) -> str:
    kinds = [store.kind for store in cache.stores]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) or "none"


def _keys(cache: CacheRow) -> str:
    covered = cache.coverage
    if covered.mode == "none" or not covered.keys_compared:
        return "none"
    if covered.mode == "named":
        return f"{count(covered.keys_compared)} named"
    known = "?" if covered.keys_known is None else count(covered.keys_known)
    return f"{count(covered.keys_compared)} of {known}"


def _agreement(cache: CacheRow) -> str:
    agreed = cache.agreement
    compared = agreed.agreeing + agreed.diverging
    if not compared:
        return _NOTHING
    if not agreed.diverging:
        return f"all {count(compared)}"
    if cache.coverage.mode != "sample" or agreed.rate is None or agreed.interval95 is None:
        return f"{count(agreed.agreeing)} of {count(compared)}"
    return f"{percent(agreed.rate)} ({percent_range(*agreed.interval95)})"


def _sentences(cache: CacheRow, page: Page) -> list[str]:
    made = [_worth(cache), _unread(cache), _unscanned(cache), _left_alone(cache)]
    made += [_beside(cache, page)]
    if page.is_verbose:
        made += [_namespaces(cache), *_hit_ratios(cache)]
    return [sentence for sentence in (*made, *cache.coverage.notes) if sentence]


def _worth(cache: CacheRow) -> str:
    """Say what the absence of a difference proves, and what such a sample would have missed."""
    covered, agreed = cache.coverage, cache.agreement
    if covered.mode == "none" or not covered.keys_compared:
        return "no key was compared."
    if agreed.diverging or not agreed.agreeing:
        return ""
    if covered.mode == "named":
        return "named keys only; of other keys this says nothing."
    if covered.keys_known is not None and agreed.agreeing >= covered.keys_known:
        return f"no difference in any of {plural(agreed.agreeing, 'key')}."
    return _bound(agreed.agreeing, covered.keys_known)


def _bound(compared: int, known: int | None) -> str:
    share = none_seen(compared)
    said = f"differing keys are below {percent_bound(share)} with 95 % confidence"
    missed = _missed(share, compared, known)
    return f"{said} ({plural(compared, 'key')}){missed}."


def _missed(share: float, compared: int, known: int | None) -> str:
    if known is None:
        return ""
    unseen = min(int(share * known), known - compared)
    return f"; up to {count(unseen)} of {count(known)} could differ unseen" if unseen else ""


def _unread(cache: CacheRow) -> str:
    agreed = cache.agreement
    parts = []
    if agreed.unread:
        parts.append(f"{plural(agreed.unread, 'key')} could not be read")
    if agreed.flapping:
        parts.append(f"{plural(agreed.flapping, 'key')} changed at every look")
    return f"{listed(parts)}; not counted as agreeing." if parts else ""


def _unscanned(cache: CacheRow) -> str:
    cut_short = [store for store in cache.stores if store.is_scan_complete is False]
    if not cut_short:
        return ""
    looked = sum(store.scanned or 0 for store in cut_short)
    where = "its store" if len(cache.stores) == 1 else f"{len(cut_short)} of its stores"
    return f"sampled from the first {plural(looked, 'key')} of {where}; the rest was not scanned."


def _left_alone(cache: CacheRow) -> str:
    foreign = sum(store.foreign or 0 for store in cache.stores)
    withheld = sum(store.withheld or 0 for store in cache.stores)
    parts = []
    if foreign:
        parts.append(f"{count(foreign)} of other namespaces")
    if withheld:
        parts.append(f"{count(withheld)} withheld by the nodes")
    return f"not compared: {listed(parts)}." if parts else ""


def _beside(cache: CacheRow, page: Page) -> str:
    """Name the other namespaces of Django's form, of several stores those of the fullest one."""
    rows = max((store.neighbours for store in cache.stores), key=len, default=())
    named = [
        f'"{row.head}" {percent(row.share)}'
        + ("" if row.share_of_bytes is None else f" ({percent(row.share_of_bytes)} of the bytes)")
        for row in rows[: page.most(_MOST_NEIGHBOURS)]
    ]
    if not named:
        return ""
    left = len(rows) - len(named)
    more = f", and {plural(left, 'smaller one')}" if left else ""
    return f"other namespaces in its store: {', '.join(named)}{more}."


def _namespaces(cache: CacheRow) -> str:
    spaces = [
        f'prefix "{space.prefix}" version {space.version} ({plural(len(space.views), "view")})'
        for space in cache.namespaces
    ]
    return f"namespaces: {listed(spaces)}." if spaces else ""


def _hit_ratios(cache: CacheRow) -> list[str]:
    said = cache.hit_ratios_said
    is_noted = said is None or any(note.endswith(said) for note in cache.coverage.notes)
    return ([] if is_noted else [f"{said}."]) + [
        f"hit ratio of {_counter(row)}: {percent(row.ratio)}"
        + (f" ({percent_range(*row.interval95)})" if row.interval95 else "")
        + f" of {plural(row.hits + row.misses, 'request')}."
        for row in cache.hit_ratios
        if row.ratio is not None
    ]


def _counter(row: HitRatioRow) -> str:
    """Name who counted: a process, or the server for all of its clients."""
    if row.source == "server":
        return f"all clients of the server that {row.view.node} uses"
    return row.view.worker or row.view.node
