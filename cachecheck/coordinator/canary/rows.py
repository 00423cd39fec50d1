"""The rows of a report that tell what canaries found. Pure."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Literal

from cachecheck.model import CanaryRow, CanaryStepRow, PropagationRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cachecheck.rules.trials import Sighting, Trial, What

MOST_PROPAGATIONS = 400

_Step = Literal["set", "set-anew", "delete", "none", "unicode", "large"]
_STEPS: dict[What, _Step] = {
    "text": "set",
    "overwrite": "set-anew",
    "delete": "delete",
    "none": "none",
    "unicode": "unicode",
    "large": "large",
}


def canary_row(trial: Trial) -> CanaryRow:
    """Sum up one trial; of more than ``MOST_PROPAGATIONS`` pairs of nodes the worst are kept."""
    return CanaryRow(
        application=trial.application,
        views=len(trial.views),
        pairs=trial.pairs,
        pairs_tried=len(
            {
                (one.writer, one.reader)
                for one in _decided(trial.sightings)
                if one.what == "text" and one.writer != one.reader
            }
        ),
        first_look_seconds=_first_look(trial.sightings),
        steps=tuple(_step_rows(trial)),
        propagation=_propagation(trial.sightings),
    )


def _first_look(sightings: Iterable[Sighting]) -> float | None:
    soon = [one.first_look_seconds for one in sightings if one.looked]
    return round(median(soon), 6) if soon else None


def _decided(sightings: Iterable[Sighting]) -> Iterator[Sighting]:
    return (one for one in sightings if one.fate != "unread")


def _step_rows(trial: Trial) -> Iterator[CanaryStepRow]:
    for what, step in _STEPS.items():
        tried = [one for one in _decided(trial.sightings) if one.what == what]
        if tried:
            yield _seen_row(step, tried)
    keys = [won for race in trial.races for won in race.winners if won]
    if keys:
        failed = sum(len(won) > 1 for won in keys)
        yield CanaryStepRow(step="add", tried=len(keys), failed=failed, of="keys")
    counts = [
        one.least <= number <= one.most
        for one in trial.countings
        for _, number in one.read
        if number is not None
    ]
    if counts:
        yield CanaryStepRow(step="incr", tried=len(counts), failed=counts.count(False), of="views")
    fates = [one.fate for one in trial.lastings]
    if fates:
        expired = fates.count("early") + fates.count("late")
        yield CanaryStepRow(step="expiry", tried=len(fates), failed=expired, of="views")
        yield CanaryStepRow(
            step="touch", tried=len(fates), failed=fates.count("untouched"), of="views"
        )


def _seen_row(step: _Step, tried: Sequence[Sighting]) -> CanaryStepRow:
    seen = [one for one in tried if one.fate == "seen"]
    return CanaryStepRow(
        step=step,
        tried=len(tried),
        failed=len(tried) - len(seen),
        of="pairs",
        median_seconds=_median(seen),
        max_seconds=_slowest(seen),
    )


def _propagation(sightings: Iterable[Sighting]) -> tuple[PropagationRow, ...]:
    by_nodes: dict[tuple[str, str], list[Sighting]] = {}
    for one in _decided(sightings):
        if one.fate != "unwritten" and one.what in {"text", "overwrite", "delete"}:
            by_nodes.setdefault((one.writer.node, one.reader.node), []).append(one)
    rows = [_propagation_row(*nodes, found) for nodes, found in by_nodes.items()]
    if len(rows) > MOST_PROPAGATIONS:
        rows = sorted(rows, key=_badness, reverse=True)[:MOST_PROPAGATIONS]
    return tuple(rows)


def _propagation_row(writer: str, reader: str, found: Sequence[Sighting]) -> PropagationRow:
    seen = [one for one in found if one.fate == "seen"]
    return PropagationRow(
        writer=writer,
        reader=reader,
        tried=len(found),
        seen=len(seen),
        median_seconds=_median(seen),
        max_seconds=_slowest(seen),
    )


def _badness(row: PropagationRow) -> tuple[float, float]:
    return (row.tried - row.seen, row.max_seconds or 0.0)


def _median(seen: Sequence[Sighting]) -> float | None:
    return round(median(one.lag_seconds for one in seen), 6) if seen else None


def _slowest(seen: Sequence[Sighting]) -> float | None:
    return round(max(one.lag_seconds for one in seen), 6) if seen else None
