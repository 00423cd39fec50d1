"""The words of the project as frozen values: what crosses the wire, and what a report holds.

All are keyword-only ``msgspec`` structs with tuples inside; they decode strictly. Times are seconds
since the epoch in the clock that the field names; sizes are bytes; durations are seconds.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

Scope = Literal["worker", "host", "network", "none"]
Role = Literal["web", "celery", "command"]
Severity = Literal["info", "warning", "error"]
Verdict = Literal["consistent", "divergent", "undecided"]
NodeState = Literal["answered", "unreachable", "rejected", "incompatible", "failed"]
Naming = Literal["logical", "stored", "file"]
IdentityGrade = Literal["observed", "suggested", "unobserved", "none"]
FailureReason = Literal[
    "unsupported", "withheld", "foreign", "too-large", "denied", "unreachable", "unheard", "error"
]


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all values: immutable, compared by content, strict when decoded."""


# --- what a node says of itself ------------------------------------------------------------


class Worker(Value, frozen=True, kw_only=True):
    """One process behind a node.

    ``id`` is unique over the fleet (host, pid, start and 64 random bits drawn after fork);
    ``host_id`` tells hosts apart that share a name; ``parent`` identifies the process that
    started it, so that siblings can be counted; ``listener`` is the address that it was reached
    at, as the server says it.
    """

    id: str
    host: str
    host_id: str
    pid: int
    started_at: float
    role: Role
    parent: str
    listener: str | None = None


class Versions(Value, frozen=True, kw_only=True):
    """What decides whether one worker can read what another wrote."""

    python: str
    django: str
    agent: str
    pickle_protocol: int
    clients: tuple[tuple[str, str], ...] = ()


class Namespace(Value, frozen=True, kw_only=True):
    """The rule from a logical key to a stored key, observed on one probe key.

    ``stored_probe`` is what ``make_key`` returned for the probe key; ``form`` is that with
    ``{key}`` in place of it, or None where it cannot be found in it. ``is_reversible`` says whether
    logical keys can be recovered from stored ones.
    """

    prefix: str
    version: str
    stored_probe: str
    form: str | None
    is_reversible: bool


class StoreIdentity(Value, frozen=True, kw_only=True):
    """What a view could find out of the store behind it.

    ``observed``: two equal tokens are one store, two different ones are not.
    ``suggested``: equal tokens may be one store; witnesses must confirm it.
    ``unobserved``: nothing could be found out, for ``reason``. ``none``: there is no store.
    ``member`` names the server of a replicated store that reads go to. ``address`` is for people
    and holds no credentials. ``clock_offset_seconds`` is the store's clock minus the node's.
    """

    grade: IdentityGrade
    token: str | None = None
    member: str | None = None
    address: str = ""
    reason: str | None = None
    clock_offset_seconds: float | None = None


class Capabilities(Value, frozen=True, kw_only=True):
    """What can be done with a store without disturbing it; ``reasons`` says why not."""

    can_scan: bool
    can_read: bool
    touches_recency: bool = False
    naming: Naming = "stored"
    expiry_resolution_seconds: float = 0.001
    unread_replicas: int = 0
    reasons: tuple[str, ...] = ()


class Counters(Value, frozen=True, kw_only=True):
    """Hits and misses counted since ``since``, in this process or by the server."""

    source: Literal["agent", "server"]
    hits: int
    misses: int
    since: float


class CacheDescription(Value, frozen=True, kw_only=True):
    """One cache alias as one worker sees it.

    ``settings`` is the fingerprint, each part alone and without secrets; the names that
    ``codec`` lists decide how bytes are written. ``routing`` maps probe keys to servers.
    """

    alias: str
    backend: str
    kind: str
    scope: Scope
    declared_scope: Scope | None
    identity: StoreIdentity
    capabilities: Capabilities
    namespace: Namespace
    timeout: float | None
    settings: tuple[tuple[str, str], ...] = ()
    codec: tuple[tuple[str, str], ...] = ()
    routing: tuple[tuple[str, str], ...] = ()
    is_counting: bool = False
    counters: Counters | None = None


# --- readings ------------------------------------------------------------------------------


class Present(Value, tag_field="state", tag="present", frozen=True, kw_only=True):
    """An entry that is there.

    ``structure`` is the structural digest where it was asked for and could be told, else
    ``structure_unknown`` says why not. ``cas`` is memcached's unique number of the write.
    ``expires_at`` is in the store's clock; None never expires.
    """

    digest: str
    size_bytes: int
    expires_at: float | None
    structure: str | None = None
    structure_unknown: str | None = None
    value_kind: str | None = None
    cas: int | None = None


class Missing(Value, tag_field="state", tag="missing", frozen=True, kw_only=True):
    """No entry under this key."""


class Expired(Value, tag_field="state", tag="expired", frozen=True, kw_only=True):
    """An entry that is still stored, but past its expiry: the application sees a miss."""

    expires_at: float


class Failed(Value, tag_field="state", tag="failed", frozen=True, kw_only=True):
    """The view could not say; never to be read as a miss."""

    reason: FailureReason
    detail: str = ""


Reading: TypeAlias = Present | Missing | Expired | Failed


class Key(Value, order=True, frozen=True, kw_only=True):
    """A key as it is asked for: ``logical`` goes through ``make_key``, the others do not."""

    name: str
    naming: Naming = "logical"


# --- the report, cachecheck.report/1 -------------------------------------------------------


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
    """A worker as the report shows it; ``id`` is its label, unique within the report."""

    id: str
    host: str
    pid: int
    role: Role
    started_at: str
    python: str
    django: str
    release: str | None
    application: str


class NodeRow(Value, frozen=True, kw_only=True):
    """A node, whether it answered, and who was heard behind it."""

    name: str
    url: str
    state: NodeState
    detail: str | None
    workers_expected: int | None
    clock_offset_seconds: float | None
    rtt_seconds: float | None
    workers: tuple[WorkerRow, ...] = ()


class ViewRow(Value, frozen=True, kw_only=True):
    """One view of the alias under which it stands; ``worker`` None is the node as a whole."""

    node: str
    worker: str | None


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


class NamespaceRow(Value, frozen=True, kw_only=True):
    """A namespace and the views that use it."""

    prefix: str
    version: str
    probe: str
    views: tuple[str, ...]


class CoverageRow(Value, frozen=True, kw_only=True):
    """What was compared of what there was; ``keys_known`` None: it was not counted."""

    mode: Literal["sample", "named", "none"]
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


class HitRatioRow(Value, frozen=True, kw_only=True):
    """Hits and misses of one view, or of a server, with the Wilson interval of the ratio."""

    view: ViewRow
    source: Literal["agent", "server"]
    hits: int
    misses: int
    ratio: float | None
    interval95: tuple[float, float] | None


class CacheRow(Value, frozen=True, kw_only=True):
    """One alias over the whole fleet."""

    alias: str
    stores: tuple[StoreRow, ...]
    namespaces: tuple[NamespaceRow, ...]
    coverage: CoverageRow
    agreement: AgreementRow
    hit_ratios: tuple[HitRatioRow, ...] = ()


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
    undecided: tuple[str, ...] = ()
    findings_left_out: dict[str, int] = {}
    schema_: Literal["cachecheck.report/1"] = "cachecheck.report/1"
