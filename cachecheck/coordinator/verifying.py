"""Hold entries against the sites' source of truth, and look again at those that are old."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

from cachecheck.coordinator.outcomes import NoAnswer
from cachecheck.coordinator.probing import Unit
from cachecheck.model import Fresh, Key, Moving, Stale, Untold, Value
from cachecheck.wire import MAX_VERIFIED, Verified, Verify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cachecheck.coordinator.outcomes import Outcome
    from cachecheck.coordinator.probing import Prober
    from cachecheck.model import TruthCheck

LEAST_PAUSE_SECONDS = 0.15
LOOKS = 3
"""How often the site's functions are asked for an entry that is old, over the settle time."""


class Old(Value, frozen=True, kw_only=True):
    """An entry that was not what the source of truth gives, whenever it was looked at.

    ``check`` is what came of the last look, at ``seen_at`` by the coordinator's clock.
    """

    key: Key
    check: Stale
    looked: int
    persisted_seconds: float
    seen_at: float


class Verification(Value, frozen=True, kw_only=True):
    """What came of holding entries of one unit against the source of truth.

    Of ``matching`` keys ``checked`` were looked at; ``fresh`` of them are present and true.
    ``unsettled`` were old when the run or the node's allowance ended, ``moving`` changed meanwhile.
    ``is_spent``: the node's allowance ended; ``failure`` says why nobody answered.
    """

    unit: Unit
    matching: int
    checked: int = 0
    fresh: int = 0
    moving: int = 0
    old: tuple[Old, ...] = ()
    unsettled: tuple[Key, ...] = ()
    untold: tuple[tuple[Key, Untold], ...] = ()
    is_spent: bool = False
    failure: str | None = None


class Verifier:
    """Asks the workers of units that have a source of truth."""

    def __init__(self, prober: Prober, settle_seconds: float) -> None:
        self._prober = prober
        self._settle_seconds = settle_seconds

    async def verify(self, wanted: Mapping[Unit, Sequence[Key]]) -> tuple[Verification, ...]:
        """Check the keys of each unit, the first ``MAX_VERIFIED`` of them."""
        tasks = (
            _Run(self._prober, unit, keys).run(self._settle_seconds)
            for unit, keys in wanted.items()
        )
        return tuple(await asyncio.gather(*tasks))


class _Look(Value, frozen=True, kw_only=True):
    at: float
    check: Stale


class _Run:
    """Checks the keys of one unit, and those again that were old."""

    def __init__(self, prober: Prober, unit: Unit, keys: Sequence[Key]) -> None:
        self._prober = prober
        self._unit = unit
        self._keys = {key.name: key for key in keys[:MAX_VERIFIED]}
        self._matching = len(keys)
        self._suspects: dict[str, tuple[_Look, ...]] = {}
        self._old: list[Old] = []
        self._untold: list[tuple[Key, Untold]] = []
        self._checked = self._fresh = self._moving = 0
        self._is_spent = False
        self._failure: str | None = None

    async def run(self, settle_seconds: float) -> Verification:
        """Look once at all keys, then again at suspects until each has stood for so long."""
        first = await self._ask(tuple(self._keys))
        self._checked = len(first)
        for name, check in first.items():
            self._take(name, check, settle_seconds)
        started = time.monotonic()
        while self._suspects and not self._is_over():
            await asyncio.sleep(_pause(settle_seconds, started))
            for name, check in (await self._ask(tuple(self._suspects))).items():
                self._take(name, check, settle_seconds)
        return self._verification()

    def _is_over(self) -> bool:
        has_time = self._prober.deadline.remaining_seconds > 0
        return self._is_spent or self._failure is not None or not has_time

    def _take(self, name: str, check: TruthCheck, settle_seconds: float) -> None:
        before = self._suspects.pop(name, ())
        match check:
            case Fresh(is_present=is_present):
                self._fresh += is_present
            case Moving():
                self._moving += 1
            case Untold():
                self._untold.append((self._keys[name], check))
            case Stale(entry=entry) if before and entry.digest != before[0].check.entry.digest:
                self._moving += 1  # it was written meanwhile
            case Stale():
                looks = (*before, _Look(at=time.monotonic(), check=check))
                persisted = looks[-1].at - looks[0].at
                if before and persisted >= settle_seconds:
                    self._old.append(_old(self._keys[name], looks, persisted))
                else:
                    self._suspects[name] = looks

    async def _ask(self, names: Sequence[str]) -> dict[str, TruthCheck]:
        """Ask until all are told, nobody answers, or no more may be asked."""
        found: dict[str, TruthCheck] = {}
        while len(found) < len(names) and not self._is_over():
            rest = tuple(names[len(found) :])
            await self._prober.rate.take(len(rest))
            answer = _verified(await self._prober.ask_one(self._unit, self._request(rest)))
            if isinstance(answer, str):
                self._failure = answer
                break
            found |= zip(rest, answer.checks, strict=False)
            self._is_spent = answer.is_spent
            if not answer.checks and not answer.is_spent:
                self._failure = "it answered without having looked at anything"
        return found

    def _request(self, names: tuple[str, ...]) -> Callable[[tuple[str, ...]], Verify]:
        prober, cache = self._prober, self._unit.cache
        return lambda audience: Verify(
            run=prober.run, audience=audience, cache=cache, seed=prober.seed, keys=names
        )

    def _verification(self) -> Verification:
        return Verification(
            unit=self._unit,
            matching=self._matching,
            checked=self._checked,
            fresh=self._fresh,
            moving=self._moving,
            old=tuple(self._old),
            unsettled=tuple(self._keys[name] for name in self._suspects),
            untold=tuple(self._untold),
            is_spent=self._is_spent,
            failure=self._failure,
        )


def _old(key: Key, looks: Sequence[_Look], persisted_seconds: float) -> Old:
    return Old(
        key=key,
        check=looks[-1].check,
        looked=len(looks),
        persisted_seconds=persisted_seconds,
        seen_at=time.time(),
    )


def _pause(settle_seconds: float, started: float) -> float:
    """Pause so that entries are looked at ``LOOKS`` times, for the last time when it is settled."""
    jittered = settle_seconds / (LOOKS - 1) * random.uniform(0.8, 1.0)  # noqa: S311  jitter
    to_settled = settle_seconds - (time.monotonic() - started)
    return max(LEAST_PAUSE_SECONDS, min(jittered, to_settled + 0.01))


def _verified(outcome: Outcome | None) -> Verified | str:
    """Give the answer, or say why there is none."""
    if outcome is None:
        return "the worker was not heard again"
    if isinstance(outcome, NoAnswer):
        return outcome.detail
    if not isinstance(outcome.answer, Verified):
        return "it answered with something else"
    return outcome.answer
