from __future__ import annotations

import re
from pathlib import Path

import pytest

from cachecheck.model import Group
from cachecheck.rules.catalogue import CATALOGUE, Kind, finding
from cachecheck.rules.selection import FAMILIES

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "findings.md"
HEADING = re.compile(r"^### (?P<code>\S+) (?P<name>\S+) \((?P<severity>\w+)\)$", re.MULTILINE)


def documented() -> dict[str, tuple[str, str]]:
    headings = HEADING.finditer(REFERENCE.read_text(encoding="utf-8"))
    return {one["code"]: (one["name"], one["severity"]) for one in headings}


def test_reference_has_every_finding_with_its_name_and_severity() -> None:
    assert documented() == {kind.code: (kind.name, kind.severity) for kind in CATALOGUE.values()}


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=CATALOGUE)
def test_every_kind_is_told_in_full(kind: Kind) -> None:
    assert kind.code[0] in FAMILIES
    texts = (kind.meaning, kind.detection, kind.not_confused_with, kind.remedy)
    assert all(text.endswith(".") and "  " not in text for text in texts)


def test_catalogue_names_each_code_once() -> None:
    assert all(code == kind.code for code, kind in CATALOGUE.items())
    assert list(CATALOGUE) == sorted(CATALOGUE, key=lambda code: (FAMILIES.index(code[0]), code))


def test_finding_takes_name_severity_and_remedy_from_the_catalogue() -> None:
    found = finding("N001", message="m")
    kind = CATALOGUE["N001"]
    assert (found.name, found.severity, found.remedy) == (kind.name, "error", kind.remedy)
    assert found.evidence == {}


def test_finding_keeps_what_it_is_given() -> None:
    groups = (Group(label="A", views=("w",)),)
    found = finding(
        "T003",
        message="m",
        cache="default",
        subject="shop",
        groups=groups,
        evidence={"a": 1},
        severity="info",
        explained_by="F006",
    )
    assert (found.cache, found.subject, found.groups) == ("default", "shop", groups)
    assert (found.evidence, found.severity, found.explained_by) == ({"a": 1}, "info", "F006")
