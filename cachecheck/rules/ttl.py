"""T, of settings and of stores: how long entries live, and whether they go at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.intervals import wilson
from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import DUMMY, Alias, aliases, contrast, group_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.model import Finding
    from cachecheck.rules.observations import Contents, Findings, Fleet


LEAST_LASTING = 20
LEAST_SHARE = 0.05
"""Some entries are meant to stay. From so many on, and where more than that share is sure: T004."""


def check(fleet: Fleet, contents: Sequence[Contents] = ()) -> Findings:
    """Give a T003 for each alias of each application whose ``TIMEOUT`` differs, and T004s.

    ``DummyCache`` keeps nothing, so its timeout means nothing.
    """
    differing = (found for alias in aliases(fleet) for found in _default_timeout(alias, fleet))
    return (*differing, *_never_expiring(contents))


def _never_expiring(contents: Sequence[Contents]) -> Iterator[Finding]:
    """Give one T004 for each alias and application, of the store where the share is largest."""
    worst: dict[tuple[str, str], tuple[float, Contents]] = {}
    for one in contents:
        if one.lasting < LEAST_LASTING or not _expires_by_default(one):
            continue
        low, _ = _interval(one)
        place = (one.cache, one.application)
        if low > LEAST_SHARE and low > worst.get(place, (0.0, one))[0]:
            worst[place] = (low, one)
    yield from (_lasting(one) for _, one in worst.values())


def _expires_by_default(one: Contents) -> bool:
    return bool(one.timeouts) and all(timeout is not None for timeout in one.timeouts)


def _interval(one: Contents) -> tuple[float, float]:
    share = one.lasting / one.expiring_known
    return (share, share) if one.is_exact else wilson(one.lasting, one.expiring_known)


def _lasting(one: Contents) -> Finding:
    share, (low, high) = one.lasting / one.expiring_known, _interval(one)
    bounds = (
        "" if one.is_exact else f" ({100 * low:.1f} to {100 * high:.1f} % with 95 % confidence)"
    )
    timeout = max(timeout for timeout in one.timeouts if timeout is not None)
    evidence: dict[str, object] = {
        "application": one.application,
        "keys": one.expiring_known,
        "without_expiry": one.lasting,
        "share": round(share, 4),
    }
    if not one.is_exact:
        evidence["interval95"] = [round(low, 4), round(high, 4)]
    return finding(
        "T004",
        message=f"{100 * share:.1f} % of the entries{bounds} never expire, though the alias's "
        f"TIMEOUT is {timeout:g} s",
        cache=one.cache,
        subject=one.application,
        evidence=evidence,
    )


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
