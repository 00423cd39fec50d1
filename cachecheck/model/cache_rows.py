"""Caches, as a report shows them: stores, coverage, agreement, hit ratios, canaries."""

from __future__ import annotations

from typing import Literal

from cachecheck.model.values import Scope, Value


class ViewRow(Value, frozen=True, kw_only=True):
    """One view of the alias under which it stands; ``worker`` None is the node as a whole."""

    node: str
    worker: str | None


class NeighbourRow(Value, frozen=True, kw_only=True):
    """A namespace in a store beside the one that was surveyed, whoever uses it."""

    head: str
    entries: int
    share: float
    share_of_bytes: float | None
    share_lasting: float | None
    newest_expiry: float | None


class StoreRow(Value, frozen=True, kw_only=True):
    """A distinct store; ``identity`` says how well its identity is known."""

    id: str
    kind: str
    scope: Scope
    identity: Literal["observed", "confirmed", "witnessed", "unobserved", "none"]
    entries: int | None
    foreign: int | None
    withheld: int | None
    scanned: int | None
    is_scan_complete: bool | None
    views: tuple[ViewRow, ...]
    share_lasting: float | None = None
    neighbours: tuple[NeighbourRow, ...] = ()


class NamespaceRow(Value, frozen=True, kw_only=True):
    """A namespace and the views that use it."""

    prefix: str
    version: str
    probe: str
    views: tuple[str, ...]


class CoverageRow(Value, frozen=True, kw_only=True):
    """What was compared of what there was; ``keys_known`` None: it was not counted."""

    mode: Literal["all", "sample", "named", "none"]
    keys_compared: int
    keys_known: int | None
    views_compared: int
    views_expected: int | None
    notes: tuple[str, ...] = ()


class AgreementRow(Value, frozen=True, kw_only=True):
    """How many compared keys agree; ``interval95`` is the Wilson interval of ``rate``."""

    agreeing: int
    diverging: int
    flapping: int
    unread: int
    rate: float | None
    interval95: tuple[float, float] | None


class KeyGroupRow(Value, frozen=True, kw_only=True):
    """Hits and misses of the keys that begin alike; ``name`` None: of all the rest."""

    name: str | None
    hits: int
    misses: int
    ratio: float | None
    interval95: tuple[float, float] | None


class HitRatioRow(Value, frozen=True, kw_only=True):
    """Hits and misses of one view, or of a server, with the Wilson interval of the ratio.

    Numbers are None where whoever counted does not count them. ``groups`` come from one look in
    about ``looks_per_grouped``.
    """

    view: ViewRow
    source: Literal["agent", "server"]
    since: str
    hits: int
    misses: int
    ratio: float | None
    interval95: tuple[float, float] | None
    sets: int | None = None
    deletes: int | None = None
    errors: int | None = None
    evictions: int | None = None
    expirations: int | None = None
    own_reads: int | None = None
    looks_per_grouped: int = 1
    groups: tuple[KeyGroupRow, ...] = ()


class CanaryStepRow(Value, frozen=True, kw_only=True):
    """What one thing that a canary tried came to; the times are of what was seen."""

    step: Literal[
        "set",
        "set-anew",
        "delete",
        "none",
        "unicode",
        "large",
        "add",
        "incr",
        "expiry",
        "touch",
    ]
    tried: int
    failed: int
    of: Literal["pairs", "keys", "views"]
    median_seconds: float | None = None
    max_seconds: float | None = None


class PropagationRow(Value, frozen=True, kw_only=True):
    """How long it took until what one node wrote was seen on another, or on itself."""

    writer: str
    reader: str
    tried: int
    seen: int
    median_seconds: float | None
    max_seconds: float | None


class CanaryRow(Value, frozen=True, kw_only=True):
    """What a canary found of one application's cache, through ``views`` of it.

    ``pairs`` counts the ordered pairs of views that are meant to share a store. The first look for
    what was written came ``first_look_seconds`` after the write, in the median.
    """

    application: str
    views: int
    pairs: int
    pairs_tried: int
    first_look_seconds: float | None
    steps: tuple[CanaryStepRow, ...]
    propagation: tuple[PropagationRow, ...]


class CacheRow(Value, frozen=True, kw_only=True):
    """One alias over the whole fleet."""

    alias: str
    stores: tuple[StoreRow, ...]
    namespaces: tuple[NamespaceRow, ...]
    coverage: CoverageRow
    agreement: AgreementRow
    hit_ratios: tuple[HitRatioRow, ...] = ()
    hit_ratios_said: str | None = None
    canaries: tuple[CanaryRow, ...] = ()
