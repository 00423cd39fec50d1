"""What wrote the values of a key, and what those run who read them: F005 and F006, by the key."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from cachecheck.model import Present
from cachecheck.rules.grouping import label, name_views

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.rules.observations import Fleet, KeyOutcome, ObservedWorker

_T = TypeVar("_T")

Ranked = tuple[tuple[int, ...], ...]


def origins(one: KeyOutcome, ranked: Ranked, fleet: Fleet) -> dict[str, object]:
    """Give, by the label of each group, what differs between the groups beside their values.

    ``releases``, ``django`` and ``python`` are what the workers run; ``codecs`` by what the values
    were encoded; ``written_by`` the Django that a pickled model names, and ``origin`` says so in
    words where some worker runs another one.
    """
    groups = _workers(one, ranked, fleet)
    present = _present(one, ranked)
    written = _by_group(present, lambda reading: reading.written_by)
    evidence: dict[str, object] = {
        "codecs": _differing(_by_group(present, lambda reading: reading.codec)),
        "releases": _differing(_by_group(groups, lambda worker: worker.release)),
        "django": _differing(_by_group(groups, lambda worker: worker.versions.django)),
        "python": _differing(_by_group(groups, lambda worker: worker.versions.python)),
        "written_by": written,
        "origin": _origin(written, groups, fleet),
    }
    return {name: value for name, value in evidence.items() if value}


def _workers(one: KeyOutcome, ranked: Ranked, fleet: Fleet) -> dict[str, list[ObservedWorker]]:
    workers = {worker.label: worker for worker in fleet.workers}
    return {
        label(number): [
            workers[view.worker]
            for index in members
            for view in one.stand_for[index]
            if view.worker in workers
        ]
        for number, members in enumerate(ranked)
    }


def _present(one: KeyOutcome, ranked: Ranked) -> dict[str, list[Present]]:
    readings = {
        label(number): [one.readings[index][1] for index in members]
        for number, members in enumerate(ranked)
    }
    return {
        name: [reading for reading in told if isinstance(reading, Present)]
        for name, told in readings.items()
    }


def _by_group(
    groups: dict[str, list[_T]], tell: Callable[[_T], str | None]
) -> dict[str, list[str]]:
    found = {
        name: sorted({tell(one) or "" for one in ones} - {""}) for name, ones in groups.items()
    }
    return {name: said for name, said in found.items() if said}


def _differing(told: dict[str, list[str]]) -> dict[str, list[str]]:
    """Give what the groups say where they do not all say the same."""
    return told if len({tuple(said) for said in told.values()}) > 1 else {}


def _origin(
    written: dict[str, list[str]], groups: dict[str, list[ObservedWorker]], fleet: Fleet
) -> str:
    """Say who runs the Django that wrote a value, and who another one; patches are all the same."""
    writers = sorted({version for versions in written.values() for version in versions})
    if len(writers) != 1:
        return ""
    (writer,) = writers
    workers = [worker for ones in groups.values() for worker in ones]
    own = [one for one in workers if _minor(f"Django {one.versions.django}") == _minor(writer)]
    others = [worker for worker in workers if worker not in own]
    if not others:
        return ""
    said = f"written by {writer}"
    if own:
        said += f" ({name_views([worker.label for worker in own], fleet)})"
    versions = sorted({worker.versions.django for worker in others})
    names = name_views([worker.label for worker in others], fleet)
    verb = "run" if " and " in names else "runs"
    return f"{said}, {names} {verb} {' and '.join(versions)}"


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
