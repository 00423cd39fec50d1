"""The rows of a report: nodes with their workers, caches with their stores and coverage. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from cachecheck.coordinator.canary.rows import canary_row
from cachecheck.coordinator.contents import contents_of
from cachecheck.coordinator.hit_rows import hit_ratio_rows
from cachecheck.coordinator.store_rows import store_rows
from cachecheck.intervals import wilson
from cachecheck.model import (
    AgreementRow,
    CacheRow,
    CoverageRow,
    NamespaceRow,
    NodeRow,
    ReadStoreRow,
    WorkerRow,
)
from cachecheck.moments import iso
from cachecheck.rules.grouping import standing
from cachecheck.rules.ratios import told
from cachecheck.rules.value import CODES
from cachecheck.stores.namespaces import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cachecheck.coordinator.confirm import Judgement
    from cachecheck.coordinator.coverage import Coverage
    from cachecheck.coordinator.entries import Entries
    from cachecheck.coordinator.run import Observed
    from cachecheck.model import Key
    from cachecheck.rules.observations import (
        Fleet,
        ObservedNode,
        ObservedWorker,
    )

_DIVERGING = frozenset({"V001", "V002", "T001", "T002"})


def node_rows(fleet: Fleet) -> tuple[NodeRow, ...]:
    """One row for each node, in the order of the node list."""
    return tuple(_node_row(node) for node in fleet.nodes)


def _node_row(node: ObservedNode) -> NodeRow:
    return NodeRow(
        name=node.name,
        url=node.url,
        state=node.state,
        detail=node.detail,
        workers_expected=node.workers_expected,
        clock_offset_seconds=round(node.clock.offset_seconds, 6) if node.clock else None,
        rtt_seconds=round(node.clock.rtt_seconds, 6) if node.clock else None,
        workers=tuple(
            _worker_row(worker, has_ended=worker.label in node.restarted) for worker in node.workers
        ),
        store=_read_store_row(node),
        workers_expected_by=node.expected_by,
        workers_heard_by=node.heard_by,
        relay_off=node.relay_off,
    )


def _read_store_row(node: ObservedNode) -> ReadStoreRow | None:
    if node.store is None or not node.store.caches:
        return None
    cache = node.store.caches[0]
    return ReadStoreRow(
        kind=cache.kind,
        cache=cache.alias,
        member=node.member,
        form=None if cache.namespace.form == KEY else cache.namespace.form,
        entries=cache.capabilities.entries,
    )


def _worker_row(worker: ObservedWorker, *, has_ended: bool) -> WorkerRow:
    return WorkerRow(
        id=worker.label,
        host=worker.worker.host,
        pid=worker.worker.pid,
        role=worker.worker.role,
        started_at=iso(worker.worker.started_at),
        python=worker.versions.python,
        django=worker.versions.django,
        release=worker.release,
        application=worker.application,
        has_ended=has_ended,
    )


def cache_rows(
    observed: Observed, coverage: Coverage, show_head: Callable[[str], str], counted: Fleet
) -> tuple[CacheRow, ...]:
    """One row for each alias that was looked at.

    ``show_head`` gives the text of a namespace, ``counted`` is the fleet whose hits were compared.
    """
    rows = (_cache_row(alias, observed, coverage, show_head) for alias in observed.aliases)
    return tuple(
        msgspec.structs.replace(row, hit_ratios_said=told(counted, row.alias)) for row in rows
    )


def _cache_row(
    alias: str, observed: Observed, coverage: Coverage, show_head: Callable[[str], str]
) -> CacheRow:
    entries = [one for one in observed.entries if one.cohort.cache == alias]
    maps = [one for one in observed.stores if one.cache == alias]
    surveys = {unit.view: surveyed for one in entries for unit, surveyed in one.surveys}
    contents = {one.view: one for one in contents_of(entries)}
    stores = store_rows(maps, surveys, contents, show_head)
    return CacheRow(
        alias=alias,
        stores=stores,
        namespaces=_namespace_rows(alias, observed.fleet),
        coverage=_coverage_row(alias, observed, entries, coverage.notes[alias]),
        agreement=_agreement_row(entries),
        hit_ratios=hit_ratio_rows(alias, observed.fleet),
        canaries=tuple(canary_row(one) for one in observed.trials if one.cache == alias),
    )


def _namespace_rows(alias: str, fleet: Fleet) -> tuple[NamespaceRow, ...]:
    found: dict[tuple[str, str, str], list[str]] = {}
    for worker in fleet.workers:
        for cache in worker.caches:
            if cache.alias == alias:
                namespace = cache.namespace
                key = (namespace.prefix, namespace.version, namespace.stored_probe)
                found.setdefault(key, []).append(worker.label)
    return tuple(
        NamespaceRow(prefix=prefix, version=version, probe=probe, views=tuple(views))
        for (prefix, version, probe), views in found.items()
    )


def _has(node: ObservedNode, alias: str) -> bool:
    return any(cache.alias == alias for one in node.onlookers for cache in one.caches)


def _coverage_row(
    alias: str,
    observed: Observed,
    entries: Sequence[Entries],
    notes: tuple[str, ...],
) -> CoverageRow:
    nodes = [node for node in observed.fleet.nodes if _has(node, alias)]
    silent = any(node.state != "answered" for node in observed.fleet.nodes)
    has_sample = _has_sample(entries)
    fates = _fates(entries)
    return CoverageRow(
        mode=_mode(entries),
        keys_compared=len(fates) - fates.count("unread") + _quiet(entries),
        keys_known=_keys_known(entries) if has_sample else None,
        views_compared=sum(len(one.cohort.views) - len(one.lost) for one in entries),
        views_expected=None if silent else _sum_known([_views_expected(node) for node in nodes]),
        notes=notes,
    )


def _views_expected(node: ObservedNode) -> int | None:
    """Count the views there should be: of whoever serves no requests, those that were heard."""
    if node.store is not None:
        return 1
    others = sum(one.worker.role != "web" for one in standing(node))
    return None if node.workers_expected is None else node.workers_expected + others


def _mode(entries: Sequence[Entries]) -> Literal["all", "sample", "named", "none"]:
    if _is_whole(entries):
        return "all"
    if _has_sample(entries):
        return "sample"
    return "named" if any(one.named.keys for one in entries) else "none"


def _is_whole(entries: Sequence[Entries]) -> bool:
    """Whether every key was compared, wherever there was something to compare."""
    surveyed = [one for one in entries if one.surveys]
    return bool(surveyed) and all(one.is_whole for one in surveyed)


def _quiet(entries: Sequence[Entries]) -> int:
    """Count the keys that agreed without having been looked at one by one."""
    return sum(one.quiet for one in entries)


def _has_sample(entries: Sequence[Entries]) -> bool:
    return any(one.surveys for one in entries)


def _keys_known(entries: Sequence[Entries]) -> int | None:
    """Add up over namespaces; files show none, so every cohort counts all of a folder's."""
    known = [one.keys_known for one in entries if one.keys_known is not None]
    shows_namespaces = all(
        seen.cache.capabilities.naming != "file" for one in entries for seen in one.cohort.views
    )
    if not known:
        return None
    return sum(known) if shows_namespaces else max(known)


def _sum_known(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _fates(entries: Sequence[Entries], *, sampled_only: bool = False) -> list[str]:
    """Say of each key, compared in however many cohorts, the worst that came of it."""
    fates: dict[Key, str] = {}
    for each in entries:
        insisted = {one.key for one in each.named.keys}  # whoever names a key wants it compared
        for one in each.sampled.keys if sampled_only else each.examined:
            fate = _fate(one.judgement) or ("unread" if one.key in insisted else None)
            if fate is not None:
                fates[one.key] = min(fate, fates.get(one.key, fate), key=_WORST_FIRST.index)
    return list(fates.values())


_WORST_FIRST = ("diverging", "flapping", "unread", "agreeing")


def _fate(judgement: Judgement) -> str | None:
    """None: the key was not to be compared, or was gone before it could be."""
    if judgement in {"kept", "closed"}:
        return None
    code = CODES.get(judgement)
    if code in _DIVERGING:
        return "diverging"
    if code == "V005":
        return "flapping"
    return "unread" if judgement in {"unread", "open"} else "agreeing"


def _agreement_row(entries: Sequence[Entries]) -> AgreementRow:
    """Count keys; rate and interval are those of the sample, which alone speaks for more.

    Where every key was compared, the rate is exact and has no interval.
    """
    fates = _fates(entries)
    rated = _fates(entries, sampled_only=_has_sample(entries))
    agreeing, decided = (count + _quiet(entries) for count in _decided(rated))
    is_estimate = _has_sample(entries) and not _is_whole(entries)
    return AgreementRow(
        agreeing=fates.count("agreeing") + _quiet(entries),
        diverging=fates.count("diverging"),
        flapping=fates.count("flapping"),
        unread=fates.count("unread"),
        rate=round(agreeing / decided, 6) if decided else None,
        interval95=wilson(agreeing, decided) if decided and is_estimate else None,
    )


def _decided(fates: Sequence[str]) -> tuple[int, int]:
    agreeing = fates.count("agreeing")
    return agreeing, agreeing + fates.count("diverging")
