"""C, of canaries: whether writes are seen, locks lock, counters count and expiries hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cachecheck.rules.behaviour import keeping, lag, visibility
from cachecheck.rules.behaviour.lag import slow_once
from cachecheck.rules.behaviour.visibility import LARGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cachecheck.model import Finding
    from cachecheck.rules.observations import Findings, Fleet
    from cachecheck.rules.trials import Trial

__all__ = ["check", "slow_once"]

_EXPLAINED = frozenset({"C001", "C002", "C003", "C004"})


def check(
    fleet: Fleet, trials: Sequence[Trial], lag_tolerance_seconds: float, causes: Mapping[str, str]
) -> Findings:
    """Give the findings of each trial; ``causes`` names, by cache, the code that explains them.

    A value that is too large for a store, and an entry that does not live as asked, are not
    explained by views that look at different stores.
    """
    return tuple(
        _explained(found, causes.get(trial.cache))
        for trial in trials
        for found in _found(fleet, trial, lag_tolerance_seconds)
    )


def _found(fleet: Fleet, trial: Trial, lag_tolerance_seconds: float) -> Iterator[Finding]:
    yield from visibility.check(fleet, trial)
    yield from keeping.check(fleet, trial)
    yield from lag.check(trial, lag_tolerance_seconds)


def _explained(found: Finding, cause: str | None) -> Finding:
    if cause is None or found.code not in _EXPLAINED or found.subject == LARGE:
        return found
    return msgspec.structs.replace(found, explained_by=cause)
