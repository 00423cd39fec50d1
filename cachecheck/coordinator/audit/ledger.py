"""What an audit has done so far, so that it can be resumed where it was interrupted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

import msgspec

from cachecheck.errors import UsageError
from cachecheck.model import Value
from cachecheck.sums import Listed, Summing, Sums
from cachecheck.survey import Summary

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA: Literal["cachecheck.state/1"] = "cachecheck.state/1"
SECONDS_BETWEEN_SAVES = 1.0


class Summed(Value, frozen=True, kw_only=True):
    """One store summed as far as ``cursor``; None: to its end. ``pages`` counts what was asked."""

    summary: Summary
    sums: Sums
    cursor: str | None
    pages: int


class Collection(Value, frozen=True, kw_only=True):
    """The entries of one store that were listed, as far as ``cursor``; None: to its end."""

    wanted: bytes
    listed: tuple[Listed, ...]
    cursor: str | None


class State(Value, frozen=True, kw_only=True):
    """A run that can be resumed. It holds the run's seed: whoever has it can guess at values.

    ``question`` stands for what was asked of whom; ``summing``, ``summed`` and ``collected`` are
    by cohort and by store.
    """

    schema: Literal["cachecheck.state/1"] = SCHEMA
    run: str
    seed: str
    started_at: float
    question: str
    summing: dict[str, Summing] = {}
    summed: dict[str, Summed] = {}
    collected: dict[str, Collection] = {}


class Ledger:
    """Keeps a state as it grows; ``save`` is told of it, where somebody wants to keep it.

    That is done once a second at most: a state has megabytes where much was listed. ``flush`` saves
    what was noted since.
    """

    def __init__(
        self,
        state: State,
        save: Callable[[State], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = state
        self._save = save
        self._clock = clock
        self._saved = state
        self._saved_at = float("-inf")

    @property
    def is_kept(self) -> bool:
        """Whether what is noted outlives the run, so that it is worth its while."""
        return self._save is not None

    def note_summing(self, cohort: str, summing: Summing) -> None:
        """Note how a cohort is summed, and forget the sums of its stores so far.

        Their names begin with that of the cohort and a bar.
        """
        summed = self.state.summed.items()
        others = {store: known for store, known in summed if not store.startswith(f"{cohort}|")}
        self._note(summing=self.state.summing | {cohort: summing}, summed=others)

    def note_summed(self, store: str | None, summed: Summed) -> None:
        """Note how far a store was summed, if it has a name."""
        if store is not None:
            self._note(summed=self.state.summed | {store: summed})

    def summed(self, store: str | None) -> Summed | None:
        """Give how far a store was summed."""
        return None if store is None else self.state.summed.get(store)

    def note_collected(self, store: str | None, collection: Collection) -> None:
        """Note what was listed of a store, if it has a name."""
        if store is not None:
            self._note(collected=self.state.collected | {store: collection})

    def collected(self, store: str | None) -> Collection | None:
        """Give what was listed of a store."""
        return None if store is None else self.state.collected.get(store)

    def flush(self) -> None:
        """Save what is not saved yet."""
        if self._save is not None and self._saved is not self.state:
            self._save(self.state)
            self._saved, self._saved_at = self.state, self._clock()

    def _note(self, **changed: object) -> None:
        self.state = msgspec.structs.replace(self.state, **changed)
        if self._clock() - self._saved_at >= SECONDS_BETWEEN_SAVES:
            self.flush()


def encode(state: State) -> bytes:
    """Write a state as JSON."""
    return msgspec.json.encode(state)


def decode(data: bytes) -> State:
    """Read a state; raises ``UsageError`` where it is none."""
    try:
        return msgspec.json.decode(data, type=State)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise UsageError(f"it holds no state of a run: {exc}") from exc
