"""The rows of a report that show single keys: a row for each group of views that agree. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from cachecheck.model import Expired, Failed, HeldRow, KeyRow, Missing, Present
from cachecheck.rules.grouping import label
from cachecheck.rules.value import begins

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from cachecheck.coordinator.detail import Detail
    from cachecheck.model import Key, Reading
    from cachecheck.rules.observations import Fleet, View

    Held = tuple[tuple[View, ...], Reading]

DIGITS = 6
"""Enough to tell the few values of one key apart, and too few to mean anything outside the run."""


def key_rows(
    details: Sequence[Detail], fleet: Fleet, show: Callable[[Key], str]
) -> tuple[KeyRow, ...]:
    """One row for each key of each cache, with what its views have, most views first."""
    releases = {worker.label: worker.release for worker in fleet.workers}
    return tuple(_key_row(one, releases, show) for one in details)


def _key_row(one: Detail, releases: Mapping[str, str | None], show: Callable[[Key], str]) -> KeyRow:
    readings = [reading for _, reading in one.held]
    expiries = begins(readings, one.tolerance_seconds)
    groups: dict[Hashable, list[Held]] = {}
    for held, expiry in zip(one.held, expiries, strict=True):
        groups.setdefault((_mark(held[1]), expiry), []).append(held)
    ranked = sorted(groups.values(), key=lambda held: -sum(len(views) for views, _ in held))
    return KeyRow(
        cache=one.cache,
        application=one.application,
        key=show(one.key),
        judgement=one.judgement,
        held=tuple(_held_row(number, held, one, releases) for number, held in enumerate(ranked)),
    )


def _mark(reading: Reading) -> Hashable:
    """Give what readings have in common that are shown as one, beside their expiry."""
    match reading:
        case Present():
            return reading.structure or reading.digest, reading.unreadable
        case Failed():
            return reading.reason, reading.detail
        case Missing() | Expired():
            return type(reading)
        case _:
            assert_never(reading)


def _held_row(
    number: int, held: Sequence[Held], one: Detail, releases: Mapping[str, str | None]
) -> HeldRow:
    views = tuple(view.worker for group, _ in held for view in group)
    named = {releases.get(view) for view in views}
    bare = HeldRow(
        label=label(number),
        views=views,
        releases=tuple(sorted(release for release in named if release is not None)),
        state="missing",
    )
    reading = next((each for _, each in held if getattr(each, "shown", None)), held[0][1])
    match reading:
        case Present():
            return _present(bare, reading, one)
        case Expired():
            return replace(bare, state="expired", expires_at=round(reading.expires_at, 3))
        case Failed():
            return replace(bare, state="failed", detail=reading.detail or reading.reason)
        case Missing():
            return bare
        case _:
            assert_never(reading)


def _present(bare: HeldRow, reading: Present, one: Detail) -> HeldRow:
    return replace(
        bare,
        state="present",
        bytes=reading.size_bytes,
        kind=reading.value_kind,
        digest=(reading.structure or reading.digest)[:DIGITS],
        codec=reading.codec,
        expires_at=None if reading.expires_at is None else round(reading.expires_at, 3),
        age_seconds=_age_seconds(reading, one),
        written_by=reading.written_by,
        structure_unknown=reading.structure_unknown,
        unreadable=reading.unreadable,
        shown=reading.shown,
    )


def _age_seconds(reading: Present, one: Detail) -> float | None:
    """Say how old an entry is if it was set with the default timeout; None: it was not."""
    if reading.expires_at is None or one.timeout is None:
        return None
    age = one.timeout - (reading.expires_at - one.looked_at)
    return round(age, 1) if 0.0 <= age <= one.timeout else None
