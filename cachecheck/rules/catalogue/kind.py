"""One kind of finding."""

from __future__ import annotations

from cachecheck.model import Severity, Value


class Kind(Value, frozen=True, kw_only=True):
    """One kind of finding; ``severity`` is the default that a rule may lower or raise."""

    code: str
    name: str
    severity: Severity
    meaning: str
    detection: str
    not_confused_with: str
    remedy: str
