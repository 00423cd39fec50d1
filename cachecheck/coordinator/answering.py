"""Which worker an outcome comes from, and whose answer it therefore is. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from cachecheck.coordinator.outcomes import NoAnswer
from cachecheck.wire import Elsewhere

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cachecheck.coordinator.outcomes import Outcome

Group = TypeVar("Group")


def sorted_out(
    outcomes: tuple[Outcome, ...], missing: Mapping[Group, frozenset[str]]
) -> dict[Group, Outcome]:
    """Give each group the answer, or the refusal, of one of its workers, where there is one."""
    by_worker = {
        worker: outcome for outcome in outcomes if (worker := answering(outcome)) is not None
    }
    return {
        group: by_worker[worker]
        for group, ids in missing.items()
        for worker in ids & by_worker.keys()
    }


def answering(outcome: Outcome) -> str | None:
    """Name the worker that did the work or refused it; None where nobody that was meant did."""
    if isinstance(outcome, NoAnswer):
        return None if outcome.is_worth_retrying else outcome.worker
    if isinstance(outcome.answer, Elsewhere):
        return None
    worker = getattr(outcome.answer, "worker", None)
    return worker.id if worker else None


def pause_after(outcomes: tuple[Outcome, ...]) -> float:
    """Say for how many seconds those that were busy asked to be left alone."""
    asked = [
        outcome.retry_after_seconds or 0.0 for outcome in outcomes if isinstance(outcome, NoAnswer)
    ]
    return max(asked, default=0.0)
