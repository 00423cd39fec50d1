"""H: hit ratios that differ between nodes, and hits that only some workers count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.model import Group
from cachecheck.proportions import NOTHING, alike
from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import aliases, contrast, enumerated, group_by, label, majority
from cachecheck.rules.ratios import families, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.model import Finding, Severity
    from cachecheck.rules.observations import Findings, Fleet
    from cachecheck.rules.ratios import Counted, Family

ERROR_RATE = 0.001
"""Of how many checks of a fleet with equal ratios one may call them different, at the most."""

LEAST_DIFFERENCE = 0.05
"""A smaller difference of ratios is no matter, however sure it is."""

_COMPARABLE_AGES = 2.0
"""Counted for so many times longer on one node than on another, ratios need not be alike: traffic
changes over a day, and a cache that was cold for all was so while some counted."""

_Partition = tuple[tuple[str, bool], ...]


def check(fleet: Fleet) -> Findings:
    """Give H001 for each alias of which nodes have different hit ratios, and H003."""
    return (*_drift(fleet), *_not_counted(fleet))


# --- H001 ----------------------------------------------------------------------------------


def _drift(fleet: Fleet) -> Findings:
    """Compare within one application and role; the error rate is that of all comparisons."""
    comparable = [family for family in families(fleet) if family.is_comparable]
    found = []
    for family in comparable:
        nodes = family.enough
        parted = alike(
            [node.tried for node in nodes],
            error_rate=ERROR_RATE / len(comparable),
            least=LEAST_DIFFERENCE,
        )
        if len(parted) > 1:
            found.append(_different(family, [[nodes[at] for at in part] for part in parted]))
    return tuple(found)


def _different(family: Family, parted: Sequence[Sequence[Counted]]) -> Finding:
    ages = [max(node.seconds for node in part) for part in parted]
    are_comparable = min(ages) * _COMPARABLE_AGES >= max(ages)
    is_info = family.is_private or not are_comparable
    severity: Severity | None = "info" if is_info else None
    groups = tuple(_group(number, part) for number, part in enumerate(parted))
    why = "" if are_comparable else ", counted over different times: --window compares the same"
    return finding(
        "H001",
        message=f"{_contrast(groups, parted)}{why}",
        cache=family.alias,
        subject=family.application,
        groups=groups,
        evidence={
            "application": family.application,
            "role": family.role,
            "requests": {node.node: node.requests for part in parted for node in part},
            "counted_seconds": {
                group.label: round(age) for group, age in zip(groups, ages, strict=True)
            },
        },
        severity=severity,
    )


def _group(number: int, part: Sequence[Counted]) -> Group:
    views = tuple(view for node in part for view in node.views)
    return Group(label=label(number), views=views, value=_ratio(part))


def _ratio(part: Sequence[Counted]) -> str:
    sums = NOTHING
    for node in part:
        sums = sums.plus(node.tried)
    return shown(sums)


def _contrast(groups: Sequence[Group], parted: Sequence[Sequence[Counted]]) -> str:
    """Say whose ratio is which, nodes and not views: their workers were added up."""
    told = [
        f"{group.value} on {enumerated([node.node for node in part])}"
        for group, part in zip(groups, parted, strict=True)
    ]
    is_split = majority(groups) is None
    return f"hits: {'; '.join(reversed(told))}{': a split without a majority' * is_split}"


# --- H003 ----------------------------------------------------------------------------------


def _not_counted(fleet: Fleet) -> Findings:
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
