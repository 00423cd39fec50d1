"""Make steps of a canary through many views at once, and know when each was made by our clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from cachecheck.coordinator.canary.names import drop
from cachecheck.coordinator.outcomes import Answered
from cachecheck.digest import new_seed
from cachecheck.model import MAX_STEPS, CanaryResult, Value
from cachecheck.wire import Canaried, Canary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cachecheck.coordinator.outcomes import Outcome
    from cachecheck.coordinator.probing import Prober
    from cachecheck.coordinator.views import SeenView
    from cachecheck.model import CanaryStep
    from cachecheck.rules.observations import Clock, View


MOST_EMPTY_ANSWERS = 3


class Done(Value, frozen=True, kw_only=True):
    """A step that was made: what came of it, and when it ended by our clock, ± the uncertainty."""

    result: CanaryResult
    ended_at: float
    uncertainty_seconds: float

    @property
    def began_at(self) -> float:
        """When it began by our clock."""
        return self.ended_at - self.result.took_seconds


class Mover:
    """Makes steps through views of one cache.

    ``label`` stands before the name of each key: two aliases may have one store and one namespace.
    ``gone`` says of each view through which nothing can be done any more why that is.
    """

    def __init__(self, prober: Prober, label: str, views: Sequence[SeenView]) -> None:
        self._prober = prober
        self._label = label
        self._seen = {seen.view: seen for seen in views}
        self._written: dict[View, dict[str, CanaryStep]] = {}
        self.gone: dict[View, str] = {}

    async def make(self, steps: Mapping[View, Sequence[CanaryStep]]) -> dict[View, list[Done]]:
        """Make the steps of each view in their order, those of all views at once.

        Gives what came of each, in order; there are fewer where the view is gone.
        """
        by_node: dict[str, dict[View, list[CanaryStep]]] = {}
        for view, wanted in steps.items():
            self._remember(view, wanted)
            if wanted and view not in self.gone:
                by_node.setdefault(view.node, {})[view] = list(wanted)
        done: dict[View, list[Done]] = {view: [] for view in steps}
        await asyncio.gather(
            *(self._on_node(node, wanted, done) for node, wanted in by_node.items())
        )
        return done

    async def drop_all(self) -> None:
        """Delete all that was written, or may have been, through the view that did it."""
        await self.make(
            {
                view: [drop(step) for step in written.values()]
                for view, written in self._written.items()
            }
        )

    def _remember(self, view: View, steps: Sequence[CanaryStep]) -> None:
        written = self._written.setdefault(view, {})
        written.update({step.name: step for step in steps if step.operation in {"set", "add"}})

    async def _on_node(
        self, node: str, left: dict[View, list[CanaryStep]], done: dict[View, list[Done]]
    ) -> None:
        empty = 0
        while left:
            batch = _batch(left)
            await self._prober.rate.take(sum(map(len, batch.values())))
            outcomes = await self._asked(node, batch)
            made = 0
            for view, steps in batch.items():
                found = self._taken(view, outcomes.get(view), len(steps))
                done[view] += found
                made += len(found)
                left[view] = left[view][len(found) :]
            empty = 0 if made else empty + 1
            if empty >= MOST_EMPTY_ANSWERS:
                self.gone |= dict.fromkeys(left, "it answered, and made none of the steps")
            left = {view: more for view, more in left.items() if more and view not in self.gone}

    async def _asked(
        self, node: str, batch: Mapping[View, Sequence[CanaryStep]]
    ) -> dict[View, Outcome]:
        seen = {view: self._seen[view] for view in batch}
        move, cache = new_seed().hex(), next(iter(batch)).cache
        steps = tuple(
            msgspec.structs.replace(
                step, name=f"{self._label}-{step.name}", worker=seen[view].worker_id
            )
            for view, wanted in batch.items()
            for step in wanted
        )

        def request_for(audience: tuple[str, ...]) -> Canary:
            return Canary(
                run=self._prober.run, audience=audience, cache=cache, move=move, steps=steps
            )

        wanted = {view: frozenset({one.worker_id}) for view, one in seen.items()}
        return await self._prober.ask_each(node, wanted, request_for)

    def _taken(self, view: View, outcome: Outcome | None, asked: int) -> list[Done]:
        if isinstance(outcome, Answered) and isinstance(outcome.answer, Canaried):
            return [_timed(one, outcome.clock) for one in outcome.answer.results[:asked]]
        if isinstance(outcome, Answered):
            self.gone[view] = "the answer does not fit what was asked"
        elif outcome is None:
            self.gone[view] = "the worker was not heard again in time"
        else:
            self.gone[view] = outcome.detail
        return []


def _batch(left: Mapping[View, Sequence[CanaryStep]]) -> dict[View, Sequence[CanaryStep]]:
    """Take as many steps of each view as one request holds, fairly divided."""
    views = list(left)[:MAX_STEPS]
    share = MAX_STEPS // len(views)
    return {view: left[view][:share] for view in views}


def _timed(result: CanaryResult, clock: Clock) -> Done:
    return Done(
        result=result,
        ended_at=result.at - clock.offset_seconds,
        uncertainty_seconds=clock.uncertainty_seconds,
    )
