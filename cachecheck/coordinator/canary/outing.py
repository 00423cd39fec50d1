"""Let canaries out: one for each cache of each application, and all that it wrote is dropped."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from cachecheck.coordinator.canary.circles import by_cache, choose_pairs, circles, count_pairs
from cachecheck.coordinator.canary.lasting import last
from cachecheck.coordinator.canary.mover import Mover
from cachecheck.coordinator.canary.racing import count, counting, race
from cachecheck.coordinator.canary.seeing import Seeing
from cachecheck.coordinator.phrases import some
from cachecheck.rules.trials import Trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cachecheck.coordinator.canary.racing import Counted
    from cachecheck.coordinator.probing import Prober
    from cachecheck.coordinator.progress import Progress
    from cachecheck.coordinator.views import SeenView
    from cachecheck.rules.trials import Lasting, Race

AT_ONCE = 6
CLEANUP_SECONDS = 3.0
SHARE_FOR_CLEANUP = 0.1


async def let_out(
    prober: Prober, views: Sequence[SeenView], settle_seconds: float, progress: Progress
) -> tuple[Trial, ...]:
    """Let a canary out on each cache, a few at once, until shortly before the run's deadline.

    However it ends, what was written is deleted; what cannot be deleted expires within a minute.
    """
    groups = by_cache(views)
    progress.stage("Letting canaries out", len(groups))
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, members: Sequence[SeenView]) -> Trial:
        async with turns:
            trial = await _Outing(prober, str(number), members, settle_seconds).go()
        progress.advance()
        return trial

    return tuple(await asyncio.gather(*(one(*each) for each in enumerate(groups))))


class _Outing:
    """A canary on one cache of one application."""

    def __init__(
        self, prober: Prober, label: str, views: Sequence[SeenView], settle_seconds: float
    ) -> None:
        self._prober = prober
        self._views = views
        self._settle_seconds = settle_seconds
        self._mover = Mover(prober, label, views)
        self._circles = circles(views)
        self._pairs = choose_pairs(self._circles, f"{prober.seed}:{views[0].view.cache}")
        ways = [(writer.view, reader.view) for writer, reader in self._pairs]
        self._seeing = Seeing(self._mover, self._circles, ways, settle_seconds)
        self._races: tuple[Race, ...] = ()
        self._counted: tuple[Counted, ...] = ()
        self._lastings: list[Lasting] = []
        self._is_cut_short = False

    async def go(self) -> Trial:
        """Try everything, clean up, and say what was found."""
        remaining = self._prober.deadline.remaining_seconds
        seconds = remaining - min(CLEANUP_SECONDS, remaining * SHARE_FOR_CLEANUP)
        try:
            async with asyncio.timeout(seconds):
                await self._try()
        except TimeoutError:
            self._is_cut_short = True
        finally:
            await self._clean()
        return self._trial()

    async def _try(self) -> None:
        self._races = await race(self._mover, self._circles)
        if all(seen.view in self._mover.gone for seen in self._views):
            return
        self._counted = await count(self._mover, self._circles)
        watches = [watch for one in self._counted for watch in one.watches]
        await asyncio.gather(self._seeing.see(watches), self._last())

    async def _last(self) -> None:
        present = [seen for seen in self._views if seen.view not in self._mover.gone]
        self._lastings = await last(self._mover, present, self._settle_seconds)

    async def _clean(self) -> None:
        with suppress(TimeoutError):  # the rest expires within a minute
            async with asyncio.timeout(CLEANUP_SECONDS):
                await self._mover.drop_all()

    def _trial(self) -> Trial:
        counted = (counting(one, self._mover.gone) for one in self._counted)
        first = self._views[0]
        return Trial(
            cache=first.view.cache,
            application=first.application,
            views=tuple(seen.view for seen in self._views if seen.view not in self._mover.gone),
            pairs=count_pairs(self._circles),
            pairs_chosen=len(self._pairs),
            sightings=tuple(self._seeing.sightings),
            races=self._races,
            countings=() if self._is_cut_short else tuple(one for one in counted if one),
            lastings=tuple(self._lastings),
            undecided=tuple(self._undecided()),
            notes=tuple(self._notes()),
        )

    def _notes(self) -> Iterator[str]:
        closed = self._seeing.closed
        if closed:
            yield f"{closed} times a canary's write failed or was gone, and held when made again"
        judged = {one.view for one in self._lastings}
        rest = [one for one in self._views if one.view not in {*judged, *self._mover.gone}]
        if rest and not self._is_cut_short:
            yield (
                f"expiry and touch could not be judged through {len(rest)} of {len(self._views)} "
                "views"
            )

    def _undecided(self) -> Iterator[str]:
        cache = self._views[0].view.cache
        why: dict[str, list[str]] = {}
        for view, reason in self._mover.gone.items():
            why.setdefault(reason, []).append(view.node)
        for reason, nodes in why.items():
            yield f"{cache}: no canary went through {some(list(dict.fromkeys(nodes)))}: {reason}"
        if self._is_cut_short:
            yield f"{cache}: the deadline passed before the canary was through: raise --deadline"
        unread = [one for one in self._seeing.sightings if one.fate == "unread"]
        if unread:
            readers = some(list(dict.fromkeys(one.reader.worker for one in unread)))
            errors = ", ".join(dict.fromkeys(one.error or "no reason" for one in unread))
            yield (
                f"{cache}: what a canary wrote could not be looked for through {readers}: {errors}"
            )
        lost = [won for race in self._races for won in race.winners if not won]
        if lost and not any(one.fate == "unwritten" for one in self._seeing.sightings):
            yield f"{cache}: add() of a fresh key succeeded through no view, {len(lost)} times"
