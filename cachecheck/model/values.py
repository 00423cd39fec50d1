"""The base of all values, and the words that their fields are chosen from."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

EARLIEST, LATEST = -62_135_596_800.0, 253_402_300_799.0
"""The first second of the year 1 and the last of the year 9999: what a ``datetime`` can say."""

# What a node says is bounded when it is decoded, so that no node can harm the run.
Text: TypeAlias = Annotated[str, Meta(max_length=10_000)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Moment: TypeAlias = Annotated[float, Meta(ge=EARLIEST, le=LATEST)]

Scope = Literal["worker", "host", "network", "none"]
Role = Literal["web", "celery", "command", "store"]
ExpectedBy = Literal["configured", "siblings", "unknown"]
HeardBy = Literal["relay", "bursts"]
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
