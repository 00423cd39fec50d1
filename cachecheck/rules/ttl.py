"""T, of settings: how long entries live that are set without a timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import DUMMY, Alias, aliases, contrast, group_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.model import Finding
    from cachecheck.rules.observations import Findings, Fleet


def check(fleet: Fleet) -> Findings:
    """Give one T003 for each alias of each application whose ``TIMEOUT`` differs.

    ``DummyCache`` keeps nothing, so its timeout means nothing.
    """
    return tuple(found for alias in aliases(fleet) for found in _default_timeout(alias, fleet))


def _default_timeout(alias: Alias, fleet: Fleet) -> Iterator[Finding]:
    timeouts = {sight.label: sight.cache.timeout for sight in alias.but(DUMMY)}
    groups = group_by(timeouts, _words)
    if len(groups) > 1:
        yield finding(
            "T003",
            message=f"TIMEOUT differs: {contrast(groups, fleet)}",
            cache=alias.name,
            subject=alias.application,
            groups=groups,
            evidence={
                "application": alias.application,
                "timeout_seconds": {group.label: timeouts[group.views[0]] for group in groups},
            },
        )


def _words(timeout: float | None) -> str:
    if timeout is None:
        return "never expires"
    return f"{timeout:g} s" if timeout > 0 else "expires at once"
