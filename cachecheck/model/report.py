"""The report, ``cachecheck.report/1``: findings with their groups, and rows of what was seen."""

from __future__ import annotations

from typing import Any, Literal

from cachecheck.model.values import (
    ExpectedBy,
    HeardBy,
    NodeState,
    Role,
    Scope,
    Severity,
    Value,
    Verdict,
)


class Group(Value, frozen=True, kw_only=True):
    """Views that agree with each other; ``value`` is what they agree on, where it can be shown."""

    label: str
    views: tuple[str, ...]
    value: str | None = None
    state: str | None = None
    bytes: int | None = None
    expires_at: float | None = None


class Finding(Value, frozen=True, kw_only=True):
    """A confirmed statement, with what supports it and what to do about it.

    ``is_known`` marks what the ``--baseline`` report already had; such a finding does not count.
    """

    code: str
    name: str
    severity: Severity
    message: str
    remedy: str
    cache: str | None = None
    subject: str | None = None
    groups: tuple[Group, ...] = ()
    evidence: dict[str, Any] = {}
    explained_by: str | None = None
    is_known: bool = False


class RunRow(Value, frozen=True, kw_only=True):
    """Which run this was; ``started_at`` is ISO 8601 in UTC."""

    id: str
    version: str
    started_at: str
    duration_seconds: float


class WorkerRow(Value, frozen=True, kw_only=True):
    """A worker as the report shows it; ``id`` is its label, unique within the report.

    ``has_ended`` says that its process ended during the run: what it said does not count.
    """

    id: str
    host: str
    pid: int
    role: Role
    started_at: str
    python: str
    django: str
    release: str | None
    application: str
    has_ended: bool = False


class ReadStoreRow(Value, frozen=True, kw_only=True):
    """What is read of a store directly, and as which cache.

    ``member`` is the replica that it is, None for what was named; ``form`` says how stored keys are
    made, None: keys are compared as they are stored. ``entries`` is about how many there are, of
    all namespaces, where that is known without counting.
    """

    kind: str
    cache: str
    member: str | None
    form: str | None
    entries: int | None


class NodeRow(Value, frozen=True, kw_only=True):
    """A node, whether it answered, and who was heard behind it.

    ``store`` is there where the node is a store that the coordinator reads by itself.
    ``workers_expected`` counts processes that serve requests, those of other roles come on top;
    ``relay_off`` says why workers were not heard through the relay, where a worker told it.
    """

    name: str
    url: str
    state: NodeState
    detail: str | None
    workers_expected: int | None
    clock_offset_seconds: float | None
    rtt_seconds: float | None
    workers: tuple[WorkerRow, ...] = ()
    store: ReadStoreRow | None = None
    workers_expected_by: ExpectedBy | None = None
    workers_heard_by: HeardBy | None = None
    relay_off: str | None = None


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


class HeldRow(Value, frozen=True, kw_only=True):
    """What a group of views has of one key.

    ``digest`` tells the values of one report apart. ``age_seconds`` is how old the entry is if it
    was set with the default timeout of the alias, None where it cannot have been.
    """

    label: str
    views: tuple[str, ...]
    releases: tuple[str, ...]
    state: Literal["present", "missing", "expired", "failed"]
    detail: str | None = None
    bytes: int | None = None
    kind: str | None = None
    digest: str | None = None
    codec: str | None = None
    expires_at: float | None = None
    age_seconds: float | None = None
    written_by: str | None = None
    structure_unknown: str | None = None
    unreadable: tuple[str, ...] = ()
    shown: str | None = None


class KeyRow(Value, frozen=True, kw_only=True):
    """One key that was asked for in detail, in one cache of one application."""

    cache: str
    application: str
    key: str
    judgement: str
    held: tuple[HeldRow, ...]


class Report(Value, rename={"schema_": "schema"}, frozen=True, kw_only=True):
    """All findings of a run with its coverage: the one source of every renderer.

    ``undecided`` says, in sentences, what should have been compared and was not;
    ``findings_left_out`` counts by code what ``--max-findings`` cut.
    """

    run: RunRow
    verdict: Verdict
    nodes: tuple[NodeRow, ...]
    caches: tuple[CacheRow, ...]
    findings: tuple[Finding, ...]
    keys: tuple[KeyRow, ...] = ()
    undecided: tuple[str, ...] = ()
    findings_left_out: dict[str, int] = {}
    schema_: Literal["cachecheck.report/1"] = "cachecheck.report/1"
