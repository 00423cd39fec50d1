"""The report, ``cachecheck.report/1``: findings with their groups, and rows of what was seen."""

from __future__ import annotations

from typing import Any, Literal

from cachecheck.model.cache_rows import CacheRow
from cachecheck.model.node_rows import NodeRow
from cachecheck.model.values import Severity, Value, Verdict


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
