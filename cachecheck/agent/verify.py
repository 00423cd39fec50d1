"""Hold entries against the site's source of truth: the answer to ``verify``.

The true value is put into the cache's own codec and read as data, as the entry is, so that equal
values are equal whatever their bytes. Neither leaves the node.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple, assert_never

from cachecheck.agent.read import address
from cachecheck.agent.truth import ask, truth_for
from cachecheck.agent.withholding import Withholding
from cachecheck.model import (
    Expired,
    Failed,
    Fresh,
    Key,
    Missing,
    Moving,
    Present,
    Stale,
    Untold,
)
from cachecheck.stores.readings import Reader, Telling, guarded

if TYPE_CHECKING:
    from cachecheck.agent.backends.base import Backend
    from cachecheck.agent.conf import Conf
    from cachecheck.agent.setting_values import Truth
    from cachecheck.agent.truth import Allowance
    from cachecheck.model import Reading, TruthCheck
    from cachecheck.stores.base import Pace, Store
    from cachecheck.wire import Verify

_NO_PATTERN = Untold(reason="unknown", detail="no pattern of TRUTH matches the key")


class Outcome(NamedTuple):
    """What was checked, in order of the keys; ``is_spent``: no more may be called this minute."""

    checks: tuple[TruthCheck, ...]
    is_spent: bool


class _True(NamedTuple):
    """The structure of a true value; None: there is no such object."""

    structure: str | None
    kind: str | None


def verify(
    backend: Backend, request: Verify, conf: Conf, allowance: Allowance, pace: Pace
) -> Outcome:
    """Check keys until the budget of work is spent, or the allowance of calls is.

    A function that is slow is waited for, and no other is called after it.
    """
    with closing(backend.store()) as store:
        verifier = _Verifier(backend, store, conf, bytes.fromhex(request.seed), pace)
        checks: list[TruthCheck] = []
        for key in request.keys:
            if not allowance.take(conf.truths_per_minute):
                return Outcome(tuple(checks), is_spent=True)
            check = verifier.check(key)
            is_over = not pace()
            if is_over and checks and isinstance(check, Untold) and check.reason == "unreadable":
                break  # perhaps only because of the budget: it comes first the next time
            checks.append(check)
            if is_over:
                break
    return Outcome(tuple(checks), is_spent=False)


class _Verifier:
    """Checks one key after another through one view."""

    def __init__(self, backend: Backend, store: Store, conf: Conf, seed: bytes, pace: Pace) -> None:
        self._backend = backend
        self._store = store
        self._conf = conf
        self._pace = pace
        self._withholding = Withholding(backend, conf)
        self._reader = Reader(seed, Telling(payload=backend.payload), pace)

    def check(self, name: str) -> TruthCheck:
        """Ask for the true value, read the entry, and where they differ ask once more."""
        key = Key(name=name)
        where = address(self._backend, key, self._withholding)
        if isinstance(where, Failed):
            is_withheld = where.reason == "withheld"
            return Untold(reason="withheld" if is_withheld else "unread", detail=where.detail)
        truth = truth_for(name, self._conf.truths)
        if truth is None:
            return _NO_PATTERN
        before = self._true(truth, name)
        if isinstance(before, Untold):
            return before
        return self._held_against(before, truth, name, self._read(where))

    def _held_against(self, before: _True, truth: Truth, name: str, reading: Reading) -> TruthCheck:
        match reading:
            case Missing() | Expired():
                return Fresh(is_present=False)
            case Failed():
                return Untold(reason="unread", detail=reading.detail or reading.reason)
            case Present():
                return self._compared(before, truth, name, reading)
            case _:
                assert_never(reading)

    def _compared(self, before: _True, truth: Truth, name: str, entry: Present) -> TruthCheck:
        if before.structure is not None:
            if entry.structure is None:
                return Untold(reason="unreadable", detail=entry.structure_unknown or "")
            if entry.structure == before.structure:
                return Fresh(is_present=True)
        after = self._true(truth, name)
        if isinstance(after, Untold):
            return after
        if after != before:
            return Moving()
        return Stale(entry=entry, structure=before.structure, kind=before.kind)

    def _true(self, truth: Truth, name: str) -> _True | Untold:
        told = ask(truth, name)
        if isinstance(told, Untold):
            return told
        if told.is_gone:
            return _True(None, None)
        try:
            stored = self._backend.encoded(told.value)
        except Exception as exc:  # noqa: BLE001  the boundary to the site's values and serializers
            detail = f"what {truth.path} gave cannot be stored: {type(exc).__name__}"
            return Untold(reason="failed", detail=detail)
        reading = self._reader.reading(stored)
        if isinstance(reading, Present) and reading.structure is not None:
            return _True(reading.structure, reading.value_kind)
        return Untold(reason="unreadable", detail=getattr(reading, "structure_unknown", "") or "")

    def _read(self, where: str) -> Reading:
        (raw,) = guarded(self._store.read([where], self._pace), 1)
        return self._reader.reading(raw)
