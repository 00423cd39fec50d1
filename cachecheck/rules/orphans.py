"""N004: namespaces that hold entries and that nobody in the fleet uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cachecheck.rules.catalogue import finding
from cachecheck.rules.neighbours import Neighbour, neighbours

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from cachecheck.model import Finding
    from cachecheck.rules.observations import Contents, Findings, Fleet

LEAST_ENTRIES = 20
LEAST_SHARE = 0.01
"""A namespace is an orphan from so many entries on, and from that share of keys or bytes."""

PHASE_OUT_SECONDS = 5.0


class _Orphan(NamedTuple):
    """A namespace nobody uses, where it takes the largest share of a store."""

    neighbour: Neighbour
    contents: Contents
    stores: int


def check(
    fleet: Fleet,
    contents: Sequence[Contents],
    heads_in_use: Collection[str],
    show: Callable[[str], str],
) -> Findings:
    """Give one N004 for each namespace that nobody uses, of each alias.

    ``heads_in_use`` are those of all views of the fleet, also of aliases that are not compared: no
    head that begins as one of them does, or the other way round, is an orphan's. ``show`` gives the
    text of a head in the report. A warning is lowered where there may be another reason:
    ``_other_reason``.
    """
    return tuple(
        _finding(orphan, fleet, heads_in_use, show) for orphan in _orphans(contents, heads_in_use)
    )


def _orphans(contents: Sequence[Contents], heads_in_use: Collection[str]) -> Iterator[_Orphan]:
    found: dict[tuple[str, str], dict[str, tuple[Neighbour, Contents]]] = {}
    seen: set[tuple[str, str]] = set()
    for one in contents:
        for each in neighbours(one):
            if (one.store, each.head) in seen or not _is_orphan(each, heads_in_use):
                continue
            seen.add((one.store, each.head))  # one store, looked at by two aliases
            found.setdefault((one.cache, each.head), {})[one.store] = (each, one)
    for where in found.values():
        largest, largest_in = max(where.values(), key=lambda pair: pair[0].entries)
        yield _Orphan(largest, largest_in, len(where))


def _is_orphan(each: Neighbour, heads_in_use: Collection[str]) -> bool:
    if any(each.head.startswith(head) or head.startswith(each.head) for head in heads_in_use):
        return False
    is_large = max(each.share, each.share_of_bytes or 0.0) >= LEAST_SHARE
    return is_large and each.entries >= LEAST_ENTRIES and each.is_told


def _finding(
    orphan: _Orphan, fleet: Fleet, heads_in_use: Collection[str], show: Callable[[str], str]
) -> Finding:
    each, one = orphan.neighbour, orphan.contents
    reason = _other_reason(each, one, fleet, heads_in_use)
    who = reason or "an application that is not in the fleet may keep them"
    return finding(
        "N004",
        message=f"{each.entries} entries under {show(each.head)}, which no view uses: "
        f"{_shares(each)}; {who}",
        cache=one.cache,
        subject=show(each.head),
        evidence=_evidence(orphan, fleet),
        severity="info" if reason else None,
    )


def _other_reason(
    each: Neighbour, one: Contents, fleet: Fleet, heads_in_use: Collection[str]
) -> str | None:
    """Say what else may explain the entries, so that they are no alarm; None: nothing does."""
    silent = [node.name for node in fleet.nodes if node.state != "answered"]
    if silent:
        return f"{silent[0]} did not say what it uses"
    if not one.is_used_by_nodes:
        return "no node said what is used here"
    if _is_phased_out(each, one, fleet):
        return "they are from before the last start of the workers, and all expire soon"
    if any(head.startswith(f"{each.prefix}:") for head in heads_in_use):
        return "another version of a prefix in use: left behind, or written with version=…"
    if one.is_computed:
        return "a key function of the site's own may make them"
    return None


def _is_phased_out(each: Neighbour, one: Contents, fleet: Fleet) -> bool:
    """Whether nothing was written since the workers started, as far as expiries tell.

    Namespaces change with a restart. What was written before lives for the default timeout.
    """
    timeouts = [timeout for timeout in one.timeouts if timeout is not None]
    started = [
        worker.worker.started_at - (node.clock.offset_seconds if node.clock else 0.0)
        for node in fleet.nodes
        for worker in node.workers
    ]
    if each.share_lasting != 0 or not started or len(timeouts) < len(one.timeouts):
        return False
    latest = max(started) + max(timeouts, default=0.0) + PHASE_OUT_SECONDS
    return each.newest_expiry is not None and each.newest_expiry <= latest


def _shares(each: Neighbour) -> str:
    keys = f"{100 * each.share:.0f} % of the keys in its store"
    if each.share_of_bytes is None:
        return keys
    return f"{keys}, and about {100 * each.share_of_bytes:.0f} % of the bytes"


def _evidence(orphan: _Orphan, fleet: Fleet) -> dict[str, object]:
    each, one = orphan.neighbour, orphan.contents
    evidence: dict[str, object] = {
        "prefix": each.prefix,
        "version": each.version,
        "entries": each.entries,
        "share_of_keys": round(each.share, 4),
    }
    if each.share_of_bytes is not None:
        evidence["share_by_size"] = round(each.share_of_bytes, 4)
    if each.share_lasting is not None:
        evidence["share_without_expiry"] = round(each.share_lasting, 4)
    if each.newest_expiry is not None:
        evidence["newest_expires_in_seconds"] = round(each.newest_expiry - fleet.now, 1)
    if orphan.stores > 1:
        evidence["stores"] = orphan.stores
    if not one.is_complete:
        evidence["keys_looked_at"] = one.scanned
    return evidence
