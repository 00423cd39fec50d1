"""N: does every worker make the same stored key of the same key? Within one application."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from cachecheck.rules.catalogue import finding
from cachecheck.rules.grouping import DUMMY, Alias, Sight, aliases, contrast, group_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.model import Finding
    from cachecheck.rules.observations import Findings, Fleet

_WORDS = {
    "N001": "the key prefix differs",
    "N002": "the cache version differs",
    "N003": "stored keys are built differently",
}

Parts: TypeAlias = dict[str, tuple[str, str]]
"""Prefix and version behind each stored probe key; equal stored keys have equal ones."""


def check(fleet: Fleet) -> Findings:
    """Give at most one N001, N002 and N003 for each alias of each application.

    What counts is the stored key: prefixes or versions that do not show in it are no difference.
    Nothing is compared under ``DummyCache``, and nothing of a backend that could not be looked at.
    """
    return tuple(found for alias in aliases(fleet) for found in _check_alias(alias, fleet))


def _check_alias(alias: Alias, fleet: Fleet) -> Iterator[Finding]:
    sights = alias.but(DUMMY)
    for code, values in _drifts(sights):
        groups = group_by(values)
        yield finding(
            code,
            message=f"{_WORDS[code]}: {contrast(groups, fleet)}",
            cache=alias.name,
            subject=alias.application,
            groups=groups,
            evidence=_evidence(alias, sights),
        )


def _drifts(sights: tuple[Sight, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    parts = _parts(sights)
    pairs = list(parts.values())
    prefixes = {prefix for prefix, _ in pairs}
    if len(prefixes) > 1:
        yield "N001", {sight.label: parts[_probe(sight)][0] for sight in sights}
    if len(set(pairs)) > len(prefixes):  # versions differ under one prefix
        yield "N002", {sight.label: parts[_probe(sight)][1] for sight in sights}
    odd = {probe for probe, pair in parts.items() if pairs.count(pair) > 1}
    if odd:
        yield "N003", {sight.label: _form(sight) for sight in sights if _probe(sight) in odd}


def _parts(sights: tuple[Sight, ...]) -> Parts:
    found: Parts = {}
    for sight in sights:
        namespace = sight.cache.namespace
        found.setdefault(namespace.stored_probe, (namespace.prefix, namespace.version))
    return found


def _probe(sight: Sight) -> str:
    return sight.cache.namespace.stored_probe


def _form(sight: Sight) -> str:
    return sight.cache.namespace.form or _probe(sight)


def _evidence(alias: Alias, sights: tuple[Sight, ...]) -> dict[str, object]:
    forms = list(dict.fromkeys(_form(sight) for sight in sights))
    return {"application": alias.application, "stored_keys": forms}
