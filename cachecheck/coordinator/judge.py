"""Make the report of what a run observed: rules, coverage, verdict. Pure."""

from __future__ import annotations

import re
from collections import Counter
from fnmatch import translate
from typing import TYPE_CHECKING

import msgspec

from cachecheck import __version__
from cachecheck.coordinator.contents import contents_of
from cachecheck.coordinator.coverage import Coverage, cover
from cachecheck.coordinator.key_rows import key_rows
from cachecheck.coordinator.rows import cache_rows, node_rows
from cachecheck.coordinator.truths import stale_outcomes
from cachecheck.digest import pseudonym
from cachecheck.model import Finding, Key, Report, RunRow, Severity, Verdict
from cachecheck.moments import iso
from cachecheck.rules import (
    backend,
    behaviour,
    builders,
    collapse,
    collisions,
    failing,
    fleet,
    hit_ratio,
    namespace,
    orphans,
    pressure,
    replica,
    rollout,
    routing,
    selection,
    staleness,
    ttl,
    value,
)
from cachecheck.rules.past import since

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cachecheck.coordinator.options import Options
    from cachecheck.coordinator.run import Observed
    from cachecheck.rules.observations import Findings

RANK: dict[Severity, int] = {"info": 0, "warning": 1, "error": 2}
_SIGN = re.compile(r"\W")
_KEEPING_APART = ("B001", "B002", "B003", "B004", "B007", "N001", "N002", "N003", "B010")
OF_COVERAGE = frozenset({"F001", "F002", "F004", "F008"})


def report_of(observed: Observed, options: Options, baseline: Report | None = None) -> Report:
    """Judge what was observed; findings that ``baseline`` has as well do not count."""
    show = shower(options.redact)
    judged = _judged(observed, options, show, baseline)
    coverage = cover(observed, judged, options, show)
    found = _marked(_wanted(judged, options), baseline)
    listed, left_out = _listed(found, options.max_findings)
    return Report(
        run=_run_row(observed),
        verdict=_verdict(found, coverage, options.fail_on),
        nodes=node_rows(observed.fleet),
        caches=cache_rows(observed, coverage, _head_shower(show), since(observed.fleet, baseline)),
        findings=listed,
        keys=key_rows(observed.details, observed.fleet, show),
        undecided=coverage.undecided,
        findings_left_out=left_out,
    )


def shower(redact: tuple[str, ...]) -> Callable[[Key], str]:
    """Show keys by name, those that match a pattern by a digest that is the same in every run.

    Of a key that is named as it is stored, it is enough that what follows a sign in it matches: a
    prefix stands before it that nobody told us.
    """
    patterns = [re.compile(translate(pattern)) for pattern in redact]

    def show(key: Key) -> str:
        if any(pattern.match(end) for end in _ends(key.name) for pattern in patterns):
            return f"redacted:{pseudonym(key.name)}"
        return key.name

    return show


def _head_shower(show: Callable[[Key], str]) -> Callable[[str], str]:
    return lambda head: show(Key(name=head, naming="stored"))


def _ends(name: str) -> Iterator[str]:
    yield name
    yield from (name[sign.end() :] for sign in _SIGN.finditer(name))


def _judged(
    observed: Observed, options: Options, show: Callable[[Key], str], baseline: Report | None
) -> Findings:
    seen = observed.fleet
    outcomes = [outcome for entries in observed.entries for outcome in entries.outcomes]
    compared = Counter[str]()
    for entries in observed.entries:
        compared[entries.cohort.cache] += len(entries.sampled.keys)
    contents = contents_of(observed.entries)
    stale = [one for entries in observed.entries for one in stale_outcomes(entries)]
    found = (
        *fleet.check(seen),
        *backend.check(seen, observed.stores),
        *routing.check(seen),
        *replica.check(seen, observed.replicas, show),
        *failing.check(seen),
        *pressure.check(seen, options.window),
        *namespace.check(seen),
        *builders.check(seen, show),
        *orphans.check(seen, contents, observed.heads_in_use, _head_shower(show)),
        *collisions.check(seen, contents),
        *value.check(seen, outcomes, compared, show),
        *staleness.check(seen, stale, show),
        *ttl.check(seen, contents),
        *hit_ratio.check(since(seen, baseline)),
        *collapse.check(seen, baseline),
    )
    found += behaviour.check(seen, observed.trials, options.lag_tolerance, _causes(found))
    explained = rollout.explain(found, seen, options.rollout_grace)
    return selection.ordered(explained)


def _causes(found: Findings) -> dict[str, str]:
    """Give, by cache, the first code of those that keep views from seeing one store."""
    codes: dict[str, set[str]] = {}
    for one in found:
        codes.setdefault(one.cache or "", set()).add(one.code)
    return {
        cache: cause
        for cache, several in codes.items()
        if (cause := next((code for code in _KEEPING_APART if code in several), None))
    }


def _wanted(found: Findings, options: Options) -> Findings:
    return selection.select(found, options.select, options.ignore)


def _marked(found: Findings, baseline: Report | None) -> Findings:
    if baseline is None:
        return found
    before = {_identity(one): one for one in baseline.findings}
    return tuple(
        msgspec.structs.replace(one, is_known=True) if _is_known(one, before) else one
        for one in found
    )


def _identity(one: Finding) -> tuple[str, str | None, str | None]:
    return (one.code, one.cache, one.subject)


def _is_known(one: Finding, before: dict[tuple[str, str | None, str | None], Finding]) -> bool:
    """Whether the baseline has a finding as grave, in which no other nodes are involved.

    Of a key it is enough that it was found before: who holds which of its values may change.
    """
    known = before.get(_identity(one))
    if known is None or RANK[known.severity] < RANK[one.severity]:
        return False
    return one.code[0] in "VT" or all(
        nodes <= _nodes_by_value(known).get(value, frozenset())
        for value, nodes in _nodes_by_value(one).items()
    )


def _nodes_by_value(one: Finding) -> dict[str | None, frozenset[str]]:
    """Give the nodes of each group, by what they agree on; a view is named after its node."""
    return {
        group.value: frozenset(view.rpartition(":")[0] for view in group.views)
        for group in one.groups
    }


def _listed(found: Findings, limit: int) -> tuple[Findings, dict[str, int]]:
    """Cut what is too much, what is known before what is new, and keep the order."""
    counts = Counter[str]()
    kept: set[int] = set()
    for one in sorted(found, key=lambda one: one.is_known):
        counts[one.code] += 1
        if counts[one.code] <= limit:
            kept.add(id(one))
    listed = [one for one in found if id(one) in kept]
    left_out = {code: count - limit for code, count in counts.items() if count > limit}
    return tuple(listed), left_out


def _verdict(found: Iterable[Finding], coverage: Coverage, fail_on: Severity) -> Verdict:
    if any(
        RANK[one.severity] >= RANK[fail_on] and not one.is_known and one.code not in OF_COVERAGE
        for one in found
    ):
        return "divergent"
    return "undecided" if coverage.undecided else "consistent"


def _run_row(observed: Observed) -> RunRow:
    return RunRow(
        id=observed.run,
        version=__version__,
        started_at=iso(observed.started_at),
        duration_seconds=round(observed.ended_at - observed.started_at, 3),
    )
