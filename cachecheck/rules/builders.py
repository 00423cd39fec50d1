"""N003, of key builders that the site names: every worker must build the same key.

A key that changes with the time of day differs between workers that were asked at different
moments. So what differs counts only where workers that were asked again gave the same key again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from cachecheck.model import Built, Key, Value
from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import by_application, contrast, enumerated, group_by, name_views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cachecheck.model import Finding, Group
    from cachecheck.rules.observations import Findings, Fleet, ObservedWorker

MOST_ASKED_AGAIN = 20  # workers, for each builder

_Outcome: TypeAlias = tuple[str, str | None]
"""What came of a call, and the key, or why there is none."""


class Calls(Value, frozen=True, kw_only=True):
    """What came of one builder in the workers of one application, by label.

    ``lacking`` are the workers in whose settings it is not named.
    """

    application: str
    name: str
    first: dict[str, Built]
    again: dict[str, Built]
    lacking: tuple[str, ...]

    @property
    def compared(self) -> dict[str, _Outcome]:
        """What the workers gave that gave something steady, be it an error."""
        return {
            label: _outcome(built)
            for label, built in self.first.items()
            if built.outcome in {"made", "failed"}
        }

    @property
    def stood(self) -> set[_Outcome]:
        """The outcomes that came again where they had come before."""
        return {
            _outcome(built)
            for label, built in self.again.items()
            if _outcome(built) == _outcome(self.first[label])
        }

    @property
    def is_drifting(self) -> bool:
        """Whether workers differ, each of them steadily."""
        return len({one for one in self.stood if one[0] in {"made", "failed"}}) > 1

    @property
    def unsteady(self) -> tuple[str, ...]:
        """The workers in which two calls gave two keys, where that was confirmed."""
        is_confirmed = any(outcome == "unsteady" for outcome in _kinds(self.again))
        return tuple(
            label
            for label, built in self.first.items()
            if built.outcome == "unsteady" and is_confirmed
        )


def check(fleet: Fleet, show: Callable[[Key], str]) -> Findings:
    """Give an N003 for each builder whose keys differ; ``show`` gives the text of a key."""
    return tuple(found for calls in calls_of(fleet) for found in _judge(calls, fleet, show))


def suspects(fleet: Fleet) -> tuple[str, ...]:
    """Name the workers that are to be asked again: some of each group that differs."""
    return tuple(label for calls in calls_of(fleet) for label in _to_ask(calls))


def undecided(fleet: Fleet) -> Iterator[str]:
    """Say which builders could not be compared, and why."""
    for calls in calls_of(fleet):
        name = calls.name
        if calls.lacking:
            yield (
                f"the key builder {name!r} is not among KEY_BUILDERS on "
                f"{name_views(calls.lacking, fleet)}, so its keys were not compared there"
            )
        uncalled = [label for label, one in calls.first.items() if one.outcome == "uncalled"]
        if uncalled:
            detail = calls.first[uncalled[0]].detail
            yield f"the key builder {name!r} was not called on {enumerated(uncalled)}: {detail}"
        outcomes = set(calls.compared.values())
        if len(outcomes) > 1 and not calls.is_drifting:
            yield (
                f"the key builder {name!r} gave different keys that did not come again when it "
                "was called later: they may change with time, so they cannot be compared"
            )
        if len(outcomes) == 1 and {kind for kind, _ in outcomes} == {"failed"}:
            ((_, detail),) = outcomes
            yield f"the key builder {name!r} could not be compared: {detail} in every worker"


def calls_of(fleet: Fleet) -> Iterator[Calls]:
    """Give what came of every builder, by application."""
    for application, workers in by_application(fleet).items():
        first = {one.label: _by_name(one.builders) for one in workers}
        for name in dict.fromkeys(name for built in first.values() for name in built):
            yield Calls(
                application=application,
                name=name,
                first={label: built[name] for label, built in first.items() if name in built},
                again=dict(_again(workers, name)),
                lacking=tuple(label for label, built in first.items() if name not in built),
            )


def _again(workers: tuple[ObservedWorker, ...], name: str) -> Iterator[tuple[str, Built]]:
    for worker in workers:
        if worker.again is not None and any(built.name == name for built in worker.builders):
            later = _by_name(worker.again.builders)
            if name in later:
                yield worker.label, later[name]


def _by_name(builders: tuple[Built, ...]) -> dict[str, Built]:
    return {built.name: built for built in builders}


def _outcome(built: Built) -> _Outcome:
    return built.outcome, built.key if built.outcome == "made" else built.detail


def _kinds(calls: dict[str, Built]) -> list[str]:
    return [built.outcome for built in calls.values()]


def _to_ask(calls: Calls) -> list[str]:
    """Choose the first worker of each group that differs, and of those that are unsteady."""
    chosen = {outcome: label for label, outcome in reversed(calls.compared.items())}
    asked = list(chosen.values())[:MOST_ASKED_AGAIN] if len(chosen) > 1 else []
    unsteady = [label for label, one in calls.first.items() if one.outcome == "unsteady"]
    return asked + unsteady[:1]


def _judge(calls: Calls, fleet: Fleet, show: Callable[[Key], str]) -> Iterator[Finding]:
    if calls.is_drifting:
        groups = group_by(calls.compared, lambda outcome: _told(outcome, show))
        yield _finding(
            calls,
            f"the key builder {calls.name!r} builds different keys: {contrast(groups, fleet)}",
            groups=groups,
        )
    if calls.unsteady:
        yield _finding(
            calls,
            f"the key builder {calls.name!r} builds another key at every call, by chance or by "
            f"the clock: on {name_views(calls.unsteady, fleet)}",
            is_unsteady=True,
        )


def _finding(
    calls: Calls, message: str, *, is_unsteady: bool = False, groups: tuple[Group, ...] = ()
) -> Finding:
    return finding(
        "N003",
        message=message,
        subject=calls.name,
        groups=groups,
        evidence={
            "application": calls.application,
            "key_builder": calls.name,
            "differs_within_one_worker": is_unsteady,
        },
    )


def _told(outcome: _Outcome, show: Callable[[Key], str]) -> str:
    kind, text = outcome
    return show(Key(name=text or "")) if kind == "made" else f"fails: {text}"
