"""C001 and C002: what is set, set anew or deleted through one view, as others see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.rules.behaviour.sharing import sharing
from cachecheck.rules.behaviour.words import (
    MOST_NAMED,
    divided,
    labels,
    of_pairs,
    pair,
)
from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import name_views

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cachecheck.model import Finding
    from cachecheck.rules.observations import Fleet, View
    from cachecheck.rules.trials import Sighting, Trial, What

LARGE = "value of 1.5 MB"
"""The subject of findings about large values."""

LARGE_BYTES = 1_500_000
_UNSEEN = frozenset({"absent", "old", "other"})
_SUBJECTS: dict[What, str] = {
    "text": "set",
    "none": "None",
    "unicode": "Unicode",
    "large": LARGE,
    "overwrite": "set anew",
    "delete": "delete",
}
_SAID: dict[What, str] = {
    "text": "what is set through one view is not seen through another",
    "none": "None that is cached through one view is not seen through another",
    "unicode": "a key and value in Unicode are not seen as they were set",
    "overwrite": "what is set anew through one view is still the old value through another",
    "delete": "what is deleted through one view is still seen through another",
}
_LIMIT = "A store has a limit for one entry (memcached: 1 MB, unless -I says otherwise)"


def check(fleet: Fleet, trial: Trial) -> Iterator[Finding]:
    """Give one finding for each kind of write that failed, and for each that was not seen."""
    seen = {(one.writer, one.reader) for one in trial.sightings if _is_text_seen(one)}
    writers = {writer for writer, _ in seen}
    for what in ("text", "none", "unicode", "overwrite", "delete"):
        tried = [one for one in trial.sightings if one.what == what]
        if what in {"none", "unicode"}:  # what a text does not reach is said of it
            tried = [one for one in tried if _is_reached(one, seen)]
        yield from _unwritten(fleet, trial, what, tried)
        yield from _unseen(trial, what, tried)
    large = [one for one in trial.sightings if one.what == "large" and one.writer in writers]
    yield from _large_unwritten(trial, large)
    yield from _large_unseen(trial, [one for one in large if _is_reached(one, seen)])


def _is_text_seen(one: Sighting) -> bool:
    return one.what == "text" and one.fate == "seen"


def _is_reached(one: Sighting, seen: set[tuple[View, View]]) -> bool:
    return (one.writer, one.reader) in seen


def _unwritten(
    fleet: Fleet, trial: Trial, what: What, tried: Sequence[Sighting]
) -> Iterator[Finding]:
    failed = [one for one in tried if one.fate == "unwritten"]
    if failed:
        writers = labels(one.writer for one in failed)
        call = "delete()" if what == "delete" else "set()"
        yield finding(
            "C002" if what == "delete" else "C001",
            message=f"{call} {_errors(failed)} through {name_views(writers, fleet)}",
            cache=trial.cache,
            subject=_SUBJECTS[what],
            groups=divided(trial, writers, _errors(failed), "no error"),
            evidence={"errors": _by_error(failed), "views_failed": len(writers)},
        )


def _unseen(trial: Trial, what: What, tried: Sequence[Sighting]) -> Iterator[Finding]:
    looked = [one for one in tried if one.fate != "unwritten"]
    failed = [one for one in looked if one.fate in _UNSEEN]
    if failed:
        readers = labels(one.reader for one in failed)
        yield finding(
            "C002" if what == "delete" else "C001",
            message=f"{_SAID[what]}: {of_pairs(failed, looked)}",
            cache=trial.cache,
            subject=_SUBJECTS[what],
            groups=sharing(trial) or divided(trial, readers, "does not see it", "sees it"),
            evidence=_evidence(failed, looked),
        )


# --- large values: a store's limit is no difference between views ---------------------------


def _large_unwritten(trial: Trial, tried: Sequence[Sighting]) -> Iterator[Finding]:
    failed = [one for one in tried if one.fate == "unwritten"]
    if failed:
        yield finding(
            "C001",
            message=f"a value of 1.5 MB is not cached: set() {_errors(failed)}. {_LIMIT}",
            cache=trial.cache,
            subject=LARGE,
            evidence={"errors": _by_error(failed), "value_bytes": LARGE_BYTES},
            severity="info",
        )


def _large_unseen(trial: Trial, tried: Sequence[Sighting]) -> Iterator[Finding]:
    failed = [one for one in tried if one.fate in _UNSEEN]
    if not failed:
        return
    is_nowhere = not any(one.fate == "seen" for one in tried)
    said = "is dropped in silence: set() raised nothing, and it is not there"
    yield finding(
        "C001",
        message=f"a value of 1.5 MB {said}. {_LIMIT}"
        if is_nowhere
        else f"a value of 1.5 MB is not seen: {of_pairs(failed, tried)}",
        cache=trial.cache,
        subject=LARGE,
        evidence={**_evidence(failed, tried), "value_bytes": LARGE_BYTES},
        severity="warning" if is_nowhere else None,
    )


# --- words ---------------------------------------------------------------------------------


def _evidence(failed: Sequence[Sighting], tried: Sequence[Sighting]) -> dict[str, object]:
    others_first = sorted(failed, key=lambda one: one.writer == one.reader)
    return {
        "pairs_failed": len(failed),
        "pairs_tried": len(tried),
        "pairs": [pair(one) for one in others_first[:MOST_NAMED]],
        "looked": max(one.looked for one in failed),
        "persisted_seconds": round(max(one.persisted_seconds for one in failed), 1),
    }


def _errors(failed: Iterable[Sighting]) -> str:
    """Say what a call came to."""
    raised = dict.fromkeys(one.error for one in failed if one.error)
    return f"raises {', '.join(raised)}" if raised else "says that it was not done"


def _by_error(failed: Iterable[Sighting]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in failed:
        found.setdefault(one.error or "not done", []).append(one.writer.worker)
    return {error: views[:MOST_NAMED] for error, views in found.items()}
