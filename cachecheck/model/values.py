"""The base of all values, and the words that their fields are chosen from."""

from __future__ import annotations

from typing import Literal

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
