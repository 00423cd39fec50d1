"""Write through each view, and look for it through the others: set, set anew, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cachecheck.coordinator.canary.names import drop, read, write
from cachecheck.coordinator.canary.watching import Wanted, Watch, watch
from cachecheck.rules.trials import Fate, Sighting, What

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cachecheck.coordinator.canary.circles import Circle
    from cachecheck.coordinator.canary.mover import Done, Mover
    from cachecheck.model import CanaryStep, CanaryValue
    from cachecheck.rules.observations import View

LARGE_WRITERS = 4
SECOND_SETTLE_SECONDS = 0.5

_UNSEEN = frozenset({"absent", "old", "other"})

Way = tuple["View", "View"]


class _Written(NamedTuple):
    """A write that was made: what, through which view, by which step, and what came of it."""

    what: What
    writer: View
    step: CanaryStep
    done: Done


class Seeing:
    """Finds out whether what one view writes is seen through others.

    ``ways`` are the ordered pairs to try; each view also looks for what it wrote itself.
    ``sightings`` are there for every stage that came to its end.
    """

    def __init__(
        self, mover: Mover, circles: Sequence[Circle], ways: Sequence[Way], settle_seconds: float
    ) -> None:
        self._mover = mover
        self._settle_seconds = settle_seconds
        self._views = [seen.view for circle in circles for seen in circle]
        own = [(view, view) for view in self._views]
        self._readers: dict[View, list[View]] = {}
        for writer, reader in (*own, *ways):
            self._readers.setdefault(writer, []).append(reader)
        self.sightings: list[Sighting] = []
        self.closed = 0

    async def see(self, counts: Sequence[Watch]) -> None:
        """Go through all stages; ``counts`` are watched beside the first of them."""
        written = await self._write(self._plans())
        watches = self._watches(written)
        await watch(self._mover, [*(one for _, one in watches), *counts], self._settle_seconds)
        numbers = {view: number for number, view in enumerate(self._views)}
        await self._conclude(
            watches,
            lambda what, writer: write(f"{what}-{numbers[writer]}-again", _kind(what)),
        )
        await self._fail_twice(one for one in written if not _is_written(one))
        await self._anew([one for one in written if one.what == "text" and _is_written(one)])

    def _plans(self) -> Iterator[tuple[View, What, CanaryStep]]:
        """Say what is written through whom: something large through a few of them only."""
        views = list(enumerate(self._views))
        for number, view in views[:: -(-len(views) // LARGE_WRITERS) or 1]:
            yield view, "large", write(f"large-{number}", "large")
        kinds: tuple[CanaryValue, ...] = ("none", "unicode", "text")  # looked for soon after it
        for number, view in views:
            for kind in kinds:
                yield view, _what(kind), write(f"{kind}-{number}", kind)

    async def _write(self, plans: Iterable[tuple[View, What, CanaryStep]]) -> list[_Written]:
        by_view: dict[View, list[tuple[What, CanaryStep]]] = {}
        for view, what, step in plans:
            by_view.setdefault(view, []).append((what, step))
        found = await self._mover.make(
            {view: [step for _, step in planned] for view, planned in by_view.items()}
        )
        return [
            _Written(what, view, step, done)
            for view, planned in by_view.items()
            for (what, step), done in zip(planned, found[view], strict=False)
        ]

    def _watches(self, written: Iterable[_Written]) -> list[tuple[_Written, Watch]]:
        """Watch for a text through all readers, for other kinds through the writer and one more."""
        return [
            (one, Watch(one.done, reader, read(one.step)))
            for one in written
            if _is_written(one)
            for reader in self._readers[one.writer][: None if one.what == "text" else 2]
        ]

    async def _conclude(
        self,
        watches: Sequence[tuple[_Written, Watch]],
        again: Callable[[What, View], CanaryStep],
        wanted: Wanted = "nonce",
    ) -> None:
        """Note what became of each, once what was not seen has been written ``again``.

        An entry may have been evicted, and a write have failed in silence. What was not looked at
        to the end is left out.
        """
        ended = [
            (of, one)
            for of, one in watches
            if one.looks and (one.met or one.reader not in self._mover.gone)
        ]
        found = {(of.what, of.writer, one.reader): _sighting(of, one) for of, one in ended}
        open_ = [way for way, one in found.items() if one.fate in _UNSEEN]
        writes = dict.fromkeys((writer, what) for what, writer, _ in open_)
        made = await self._write((writer, what, again(what, writer)) for writer, what in writes)
        second = [
            (one.what, one.writer, Watch(one.done, reader, read(one.step), wanted))
            for one in made
            if one.done.result.outcome != "failed"
            for what, writer, reader in open_
            if (what, writer) == (one.what, one.writer)
        ]
        await watch(self._mover, [one for _, _, one in second], SECOND_SETTLE_SECONDS)
        for what, writer, one in second:
            if one.met or not one.looks:
                del found[what, writer, one.reader]
                self.closed += 1
        self.sightings += found.values()

    async def _fail_twice(self, failed: Iterable[_Written]) -> None:
        """Make again what failed: an error that does not come back is none of the cache's."""
        again = await self._write((one.writer, one.what, one.step) for one in failed)
        still = [one for one in again if one.done.result.outcome in {"failed", "not-done"}]
        self.sightings += [_unwritten(one) for one in still]
        self.closed += len(again) - len(still)

    async def _anew(self, written: Sequence[_Written]) -> None:
        """Set texts anew, and then delete them, and look through whoever saw what was before."""
        before = {one.writer: one.step for one in written}
        set_anew = await self._write(
            (writer, "overwrite", write(step.name)) for writer, step in before.items()
        )
        watches = [
            (one, Watch(one.done, reader, read(one.step, before[one.writer])))
            for one in set_anew
            if _is_written(one)
            for reader in self._seers("text", one.writer)
        ]
        await watch(self._mover, [one for _, one in watches], self._settle_seconds)
        await self._conclude(watches, lambda _, writer: write(before[writer].name))
        dropped = await self._write(
            (one.writer, "delete", drop(one.step)) for one in set_anew if _is_written(one)
        )
        watches = [
            (one, Watch(one.done, reader, read(one.step), wanted="nothing"))
            for one in dropped
            if one.done.result.outcome != "failed"
            for reader in self._seers("overwrite", one.writer)
        ]
        await watch(self._mover, [one for _, one in watches], self._settle_seconds)
        await self._conclude(watches, lambda _, writer: drop(before[writer]), wanted="nothing")
        failed = [one for one in (*set_anew, *dropped) if one.done.result.outcome == "failed"]
        await self._fail_twice(failed)

    def _seers(self, what: What, writer: View) -> list[View]:
        return [
            one.reader
            for one in self.sightings
            if (one.what, one.writer, one.fate) == (what, writer, "seen")
        ]


def _what(kind: CanaryValue) -> What:
    match kind:
        case "none" | "unicode" | "large":
            return kind
        case _:
            return "text"


def _kind(what: What) -> CanaryValue:
    match what:
        case "none" | "unicode" | "large":
            return what
        case _:
            return "text"


def _is_written(one: _Written) -> bool:
    return one.done.result.outcome == "done"


def _unwritten(one: _Written) -> Sighting:
    return Sighting(
        what=one.what,
        writer=one.writer,
        reader=one.writer,
        fate="unwritten",
        error=one.done.result.error,
    )


def _sighting(of: _Written, one: Watch) -> Sighting:
    last = one.looks[-1]
    return Sighting(
        what=of.what,
        writer=of.writer,
        reader=one.reader,
        fate="seen" if one.met else _fate(one, last),
        lag_seconds=one.lag_seconds,
        least_lag_seconds=one.least_lag_seconds,
        first_look_seconds=max(0.0, one.looks[0].ended_at - of.done.ended_at),
        looked=len(one.looks),
        persisted_seconds=one.persisted_seconds,
        error=last.result.error,
    )


def _fate(one: Watch, last: Done) -> Fate:
    if last.result.outcome == "failed":
        return "unread"
    if last.result.outcome == "missing":
        return "absent"
    is_old = one.wanted == "nothing" or last.result.nonce is not None
    return "old" if is_old else "other"
