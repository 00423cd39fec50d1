"""Every finding that can be reported: what it means, how it is found, what to change.

The texts are for people who run a Django site: a remedy names the setting or the command. The
reference in ``docs/reference/findings.md`` has the same codes, which a test holds.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from cachecheck.model import Finding
from cachecheck.rules.catalogue import backend, behaviour, fleet, hit_ratio, namespace, ttl, value
from cachecheck.rules.catalogue.kind import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cachecheck.model import Group, Severity

__all__ = ["CATALOGUE", "Kind", "finding"]

_FAMILIES = (fleet, backend, namespace, value, ttl, hit_ratio, behaviour)

CATALOGUE: dict[str, Kind] = {
    kind.code: kind for kind in chain.from_iterable(family.KINDS for family in _FAMILIES)
}


def finding(  # noqa: PLR0913  the fields of a finding, all but two of them optional
    code: str,
    *,
    message: str,
    cache: str | None = None,
    subject: str | None = None,
    groups: tuple[Group, ...] = (),
    evidence: Mapping[str, Any] | None = None,
    severity: Severity | None = None,
    explained_by: str | None = None,
) -> Finding:
    """Make a finding of a code in the catalogue, with its name, remedy and default severity."""
    kind = CATALOGUE[code]
    return Finding(
        code=code,
        name=kind.name,
        severity=severity or kind.severity,
        message=message,
        remedy=kind.remedy,
        cache=cache,
        subject=subject,
        groups=groups,
        evidence=dict(evidence or {}),
        explained_by=explained_by,
    )
