"""H, of settings: whether hits are counted everywhere, so that ratios can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import aliases, contrast, group_by

if TYPE_CHECKING:
    from cachecheck.model import Finding
    from cachecheck.rules.observations import Findings, Fleet

_Partition = tuple[tuple[str, bool], ...]


def check(fleet: Fleet) -> Findings:
    """Give one H003 where some workers of an application count and others do not.

    ``COUNT_HITS`` is one setting for all caches: aliases for which the same workers count are one
    finding, and ``cache`` is set where it is about one alias alone.
    """
    found: dict[tuple[str, _Partition], list[str]] = {}
    for alias in aliases(fleet):
        counting = tuple((sight.label, sight.cache.is_counting) for sight in alias.but())
        if len({is_on for _, is_on in counting}) > 1:
            found.setdefault((alias.application, counting), []).append(alias.name)
    return tuple(
        _uncounted(application, names, dict(counting), fleet)
        for (application, counting), names in found.items()
    )


def _uncounted(
    application: str, names: list[str], counting: dict[str, bool], fleet: Fleet
) -> Finding:
    groups = group_by(counting, lambda is_on: "counted" if is_on else "not counted")
    return finding(
        "H003",
        message=f"hits and misses: {contrast(groups, fleet)}",
        cache=names[0] if len(names) == 1 else None,
        subject=application,
        groups=groups,
        evidence={"application": application, "caches": names},
    )
