"""The words of the project as frozen values: what crosses the wire, and what a report holds.

All are keyword-only ``msgspec`` structs with tuples inside; they decode strictly. Times are seconds
since the epoch in the clock that the field names; sizes are bytes; durations are seconds.
"""

from __future__ import annotations

from cachecheck.model.nodes import (
    CacheDescription,
    Capabilities,
    Counters,
    Namespace,
    StoreIdentity,
    Versions,
    Worker,
)
from cachecheck.model.readings import (
    MAX_KEY_CHARS,
    Expired,
    Failed,
    Key,
    Missing,
    Present,
    Reading,
)
from cachecheck.model.report import (
    AgreementRow,
    CacheRow,
    CoverageRow,
    Finding,
    Group,
    HitRatioRow,
    NamespaceRow,
    NodeRow,
    Report,
    RunRow,
    StoreRow,
    ViewRow,
    WorkerRow,
)
from cachecheck.model.values import (
    LATEST,
    Count,
    FailureReason,
    IdentityGrade,
    Moment,
    Naming,
    NodeState,
    Role,
    Scope,
    Severity,
    Text,
    Value,
    Verdict,
)

__all__ = [
    "LATEST",
    "MAX_KEY_CHARS",
    "AgreementRow",
    "CacheDescription",
    "CacheRow",
    "Capabilities",
    "Count",
    "Counters",
    "CoverageRow",
    "Expired",
    "Failed",
    "FailureReason",
    "Finding",
    "Group",
    "HitRatioRow",
    "IdentityGrade",
    "Key",
    "Missing",
    "Moment",
    "Namespace",
    "NamespaceRow",
    "Naming",
    "NodeRow",
    "NodeState",
    "Present",
    "Reading",
    "Report",
    "Role",
    "RunRow",
    "Scope",
    "Severity",
    "StoreIdentity",
    "StoreRow",
    "Text",
    "Value",
    "Verdict",
    "Versions",
    "ViewRow",
    "Worker",
    "WorkerRow",
]
