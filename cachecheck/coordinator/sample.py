"""Survey stores page by page, and draw the fleet's coordinated sample from what they hold."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cachecheck.coordinator.outcomes import NoAnswer
from cachecheck.digest import key_digest
from cachecheck.model import Value
from cachecheck.survey import Summary, ceiling, distinct, merge
from cachecheck.wire import Survey, Surveyed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cachecheck.coordinator.outcomes import Outcome
    from cachecheck.coordinator.probing import Prober, Unit
    from cachecheck.model import Key


SHARE_OF_REMAINING = 0.5  # of the run's time; the rest is for reading what was sampled


class Surveyance(Value, frozen=True, kw_only=True):
    """What the survey of one unit brought.

    ``is_complete`` says that every key was looked at; ``failure`` why there is nothing, or why it
    ended early.
    """

    summary: Summary
    is_complete: bool
    failure: str | None = None


class Draw(Value, frozen=True, kw_only=True):
    """How to draw: sample size, glob on logical keys, and keys looked at per store at most."""

    size: int
    match: str
    max_scan: int


async def survey_units(
    prober: Prober, units: Sequence[Unit], draw: Draw, on_unit: Callable[[], None]
) -> dict[Unit, Surveyance]:
    """Survey units at once, each page by page."""

    async def one(unit: Unit) -> Surveyance:
        surveyed = await _survey(prober, unit, draw)
        while surveyed.failure and unit.instead is not None:
            unit = unit.instead  # another node sees the same store
            surveyed = await _survey(prober, unit, draw)
        on_unit()
        return surveyed

    found = await asyncio.gather(*(one(unit) for unit in units))
    return dict(zip(units, found, strict=True))


def chosen_keys(surveys: Sequence[Surveyance], size: int) -> tuple[Key, ...]:
    """Choose the fleet's sample: the keys with the smallest digests of all samples together."""
    union = merge((surveyed.summary for surveyed in surveys), size)
    return tuple(sampled.key for sampled in union.sample)


def known_keys(surveys: Sequence[Surveyance], size: int) -> int | None:
    """Count the keys of all surveyed stores, estimated where several hold more than the sample.

    None where nothing was surveyed, or not to the end.
    """
    if not surveys or not all(surveyed.is_complete for surveyed in surveys):
        return None
    if len(surveys) == 1:
        return surveys[0].summary.entries
    return distinct(merge((surveyed.summary for surveyed in surveys), size), size)


async def _survey(prober: Prober, unit: Unit, draw: Draw) -> Surveyance:
    summary, cursor = Summary(), None
    leave_seconds = prober.deadline.remaining_seconds * (1 - SHARE_OF_REMAINING)
    while prober.deadline.remaining_seconds > leave_seconds:
        outcome = await prober.ask_page(unit, _request(prober, unit, draw, summary, cursor))
        page = _page(outcome, bytes.fromhex(prober.seed))
        if isinstance(page, str):
            return Surveyance(summary=summary, is_complete=False, failure=page)
        summary = merge((summary, page.summary), draw.size)
        cursor = page.cursor
        if cursor is None or summary.scanned >= draw.max_scan:
            return Surveyance(summary=summary, is_complete=cursor is None)
    is_what_the_rate_allows = prober.rate.per_second is not None and summary.scanned
    failure = None if is_what_the_rate_allows else "it took too long"
    return Surveyance(summary=summary, is_complete=False, failure=failure)


def _request(
    prober: Prober, unit: Unit, draw: Draw, so_far: Summary, cursor: str | None
) -> Callable[[tuple[str, ...]], Survey]:
    return lambda audience: Survey(
        run=prober.run,
        audience=audience,
        cache=unit.cache,
        seed=prober.seed,
        sample=draw.size,
        match=draw.match,
        below=ceiling(so_far, draw.size),
        cursor=cursor,
        most_keys=prober.most_page_keys,
        server=unit.server,
    )


def _page(outcome: Outcome | None, seed: bytes) -> Surveyed | str:
    """Give the page, or say why there is none."""
    if outcome is None:
        return "the worker was not heard again"
    if isinstance(outcome, NoAnswer):
        return outcome.detail
    if not isinstance(outcome.answer, Surveyed):
        return "it answered with something else than a survey"
    sample = outcome.answer.summary.sample
    if any(sampled.digest != key_digest(seed, sampled.key.name) for sampled in sample):
        return "the digests of its sample do not hold"
    return outcome.answer
