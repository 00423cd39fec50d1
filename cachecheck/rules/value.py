"""What was confirmed of single keys: V001 to V005, T001 and T002."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cachecheck.model import Expired, Failed, Group, Present
from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import label, majority, name_views
from cachecheck.rules.origins import origins
from cachecheck.rules.paths import differs_at
from cachecheck.rules.unreadable import lacking, unreadable_on

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from cachecheck.model import Finding, Key, Reading, Severity
    from cachecheck.rules.observations import Findings, Fleet, KeyOutcome

CODES = {
    "divergent": "V001",
    "unknown-structure": "V001",
    "missing": "V002",
    "encoding": "V003",
    "unreadable": "V004",
    "flapping": "V005",
    "expiry-drift": "T001",
    "persistence-drift": "T002",
}
_APART = ("V001", "V002", "T002", "T001")
_SUMMED = frozenset(_APART)
_CODEC_DRIFT = "B010"
_OF_VALUES = frozenset({"V001", "V003", "V004"})


def check(
    fleet: Fleet,
    outcomes: Sequence[KeyOutcome],
    compared: dict[str, int],
    show: Callable[[Key], str],
) -> Findings:
    """Give a finding for each outcome, and one summary for each cache of stores that are apart.

    ``compared`` counts by cache the sampled keys that were compared; ``show`` gives the text of a
    key in the report, a digest where it must not be shown.
    """
    apart = [one for one in outcomes if _is_summed(one)]
    single = [one for one in outcomes if not _is_summed(one)]
    return (
        *(_finding(one, fleet, show) for one in single),
        *_summaries(apart, compared),
    )


def _is_summed(one: KeyOutcome) -> bool:
    """Whether a key only adds to a rate: it was drawn from stores that fill at their own time."""
    is_asked_for = one.is_named or one.is_audited
    return one.is_apart and not is_asked_for and CODES[one.verdict] in _SUMMED


def _finding(one: KeyOutcome, fleet: Fleet, show: Callable[[Key], str]) -> Finding:
    code = CODES[one.verdict]
    groups = _groups(one)
    return finding(
        code,
        message=_message(one, groups, fleet),
        cache=one.cache,
        subject=show(one.key),
        groups=groups,
        evidence=_evidence(one, fleet, show),
        severity=_severity(one),
        explained_by=_CODEC_DRIFT if one.verdict == "unreadable" and one.is_codec_drift else None,
    )


def _message(one: KeyOutcome, groups: Sequence[Group], fleet: Fleet) -> str:
    if one.verdict == "unreadable":
        return unreadable_on(one, fleet)
    return f"{_WHAT[one.verdict](groups)}: {_who(groups, fleet)}"


def _severity(one: KeyOutcome) -> Severity | None:
    """Give the severity where it is not the code's own; None: it is.

    Where the site means stores to be separate, an audit of every key lists how they differ, and
    nothing is wrong with that.
    """
    if one.is_meant_apart and one.is_audited and not one.is_named:
        return "info"
    return "warning" if one.verdict == "unknown-structure" else None


def _evidence(one: KeyOutcome, fleet: Fleet, show: Callable[[Key], str]) -> dict[str, object]:
    evidence: dict[str, object] = {
        **differs_at(one.located, show),
        "looked": one.looked,
        "persisted_seconds": round(one.persisted_seconds, 1),
    }
    if CODES[one.verdict] in _OF_VALUES:
        evidence |= origins(one, ranked(one), fleet)
    if one.verdict == "unreadable":
        evidence |= lacking(one)
    if one.servers:
        evidence["servers"] = {view.worker: server for view, server in one.servers}
    if one.verdict == "unknown-structure":
        reasons = {
            reading.structure_unknown or "not told"
            for _, reading in one.readings
            if isinstance(reading, Present) and reading.structure is None
        }
        evidence["structure"] = f"unknown: {', '.join(sorted(reasons))}"
    if one.verdict == "flapping" and one.are_stores_distinct:
        evidence["undecided"] = "the views look at different stores"
    return evidence


# --- groups --------------------------------------------------------------------------------


def ranked(one: KeyOutcome) -> tuple[tuple[int, ...], ...]:
    """Group the readings by what they say, as positions, the group of most views first."""
    found: dict[Hashable, list[int]] = {}
    for index, mark in enumerate(_marks(one)):
        found.setdefault(mark, []).append(index)
    return tuple(map(tuple, sorted(found.values(), key=lambda members: -_weight(one, members))))


def _groups(one: KeyOutcome) -> tuple[Group, ...]:
    """Group the views by what they read, the largest group first."""
    return tuple(_group(one, number, members) for number, members in enumerate(ranked(one)))


def _weight(one: KeyOutcome, members: Iterable[int]) -> int:
    return sum(len(one.stand_for[index]) for index in members)


def _group(one: KeyOutcome, number: int, members: Sequence[int]) -> Group:
    reading = one.readings[members[0]][1]
    views = tuple(view.worker for index in members for view in one.stand_for[index])
    if not isinstance(reading, Present):
        return Group(label=label(number), views=views, state=_state(reading))
    return Group(
        label=label(number),
        views=views,
        state="present",
        bytes=reading.size_bytes,
        expires_at=None if reading.expires_at is None else round(reading.expires_at, 3),
        value=_told(reading) if not reading.unreadable else f"cannot read {_told(reading)}",
    )


def _told(reading: Present) -> str:
    """Name a value that must not be shown: its kind, and digits by which it can be told apart."""
    return f"{reading.value_kind or 'bytes'} #{(reading.structure or reading.digest)[:6]}"


def _state(reading: Reading) -> str:
    match reading:
        case Expired():
            return "expired"
        case Failed():
            return "failed"
        case _:
            return "missing"


def _value_of(reading: Reading) -> Hashable:
    if isinstance(reading, Present):
        return reading.structure or reading.digest
    return "failed" if isinstance(reading, Failed) else "missing"


def _marks(one: KeyOutcome) -> tuple[Hashable, ...]:
    """Give for each reading what it has in common with those that agree with it."""
    readings = [reading for _, reading in one.readings]
    match one.verdict:
        case "expiry-drift":
            return tuple(begins(readings, one.tolerance_seconds))
        case "persistence-drift":
            return tuple(
                reading.expires_at is None if isinstance(reading, Present) else _value_of(reading)
                for reading in readings
            )
        case "unreadable":
            return tuple(getattr(reading, "unreadable", ()) for reading in readings)
        case _:
            return tuple(_value_of(reading) for reading in readings)


def begins(readings: Sequence[Reading], tolerance_seconds: float) -> Iterator[Hashable]:
    """Give for each expiry the earliest of those that agree with it.

    Agreement within a tolerance cannot be told by rounding: two expiries a moment apart may fall
    on either side of any border.
    """
    present = [reading for reading in readings if isinstance(reading, Present)]
    begins: list[float] = []
    for expiry in sorted(one.expires_at for one in present if one.expires_at is not None):
        if not begins or expiry > begins[-1] + tolerance_seconds:
            begins.append(expiry)
    for reading in readings:
        if isinstance(reading, Present) and reading.expires_at is not None:
            yield max(begin for begin in begins if begin <= reading.expires_at)
        else:
            yield None if isinstance(reading, Present) else _value_of(reading)


# --- words ---------------------------------------------------------------------------------


def _who(groups: Sequence[Group], fleet: Fleet) -> str:
    said = [group for group in groups if group.state != "failed"]
    most = majority(said)
    if most is None:
        return "a split, " + " against ".join(name_views(group.views, fleet) for group in said[:3])
    others = [view for group in said if group != most for view in group.views]
    total = sum(len(group.views) for group in said)
    names = name_views(others, fleet)
    verb = "differ" if " and " in names else "differs"  # a node may stand for several views
    return f"{names} {verb}, the other {len(most.views)} of {total} views agree"


def _values(groups: Sequence[Group]) -> str:
    present = sum(group.state == "present" for group in groups)
    missing = any(group.state in {"missing", "expired"} for group in groups)
    return f"{present} values{', and none on some views' if missing else ''}"


def _presence(groups: Sequence[Group]) -> str:
    present = sum(len(group.views) for group in groups if group.state == "present")
    missing = sum(len(group.views) for group in groups if group.state in {"missing", "expired"})
    return f"present on {present} view{'s' * (present != 1)}, missing on {missing}"


def _expiries(groups: Sequence[Group]) -> str:
    times = [group.expires_at for group in groups if group.expires_at is not None]
    return f"expiries {max(times) - min(times):.1f} s apart" if times else "expiries differ"


_WHAT: dict[str, Callable[[Sequence[Group]], str]] = {
    "divergent": _values,
    "unknown-structure": lambda groups: f"{_values(groups)} in bytes, structure unknown",
    "missing": _presence,
    "encoding": lambda groups: f"one value in {len(groups)} encodings",
    "flapping": lambda _groups: "written all the time, so looking cannot decide",
    "expiry-drift": _expiries,
    "persistence-drift": lambda _groups: "never expires on some views, expires on others",
}


def _summaries(apart: Sequence[KeyOutcome], compared: dict[str, int]) -> Findings:
    by_cache: dict[str, Counter[str]] = {}
    for one in apart:
        by_cache.setdefault(one.cache, Counter())[CODES[one.verdict]] += 1
    return tuple(_summary(cache, counts, compared[cache]) for cache, counts in by_cache.items())


def _summary(cache: str, counts: Counter[str], compared: int) -> Finding:
    code = next(code for code in _APART if counts[code])
    rates = {name: round(counts[name] / compared, 4) for name in _APART if counts[name]}
    told = ", ".join(f"{name} {counts[name]}" for name in rates)
    return finding(
        code,
        severity="info",
        message=f"the stores fill at their own time: of {compared} sampled keys, "
        f"{sum(counts.values())} differ ({told})",
        cache=cache,
        subject="sampled keys",
        evidence={"keys_compared": compared, "rates": rates},
    )
