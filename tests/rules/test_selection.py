from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachecheck.rules.catalogue import CATALOGUE, finding
from cachecheck.rules.selection import FAMILIES, ordered, select, unknown_codes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cachecheck.model import Finding


ALL = tuple(finding(code, message="…") for code in CATALOGUE)


def chosen(wanted: Iterable[str] = (), unwanted: Iterable[str] = ()) -> set[str]:
    return {one.code for one in select(ALL, wanted, unwanted)}


def test_everything_is_selected_unless_asked_otherwise() -> None:
    assert chosen() == chosen(["ALL"]) == set(CATALOGUE)


@pytest.mark.parametrize("pattern", ["N002", "N", "B00"])
def test_code_family_and_prefix_select(pattern: str) -> None:
    codes = {code for code in CATALOGUE if code.startswith(pattern)}
    assert chosen([pattern]) == codes
    assert chosen((), [pattern]) == set(CATALOGUE) - codes


def test_longer_pattern_decides() -> None:
    assert chosen(["N001"], ["N"]) == {"N001"}
    assert chosen(["N"], ["N001"]) == chosen(["N"]) - {"N001"}
    assert chosen(["H"], ["ALL"]) == {code for code in CATALOGUE if code[0] == "H"}


def test_ignoring_wins_between_equals() -> None:
    assert chosen(["N"], ["N"]) == set()


def test_patterns_that_fit_no_code_are_given_back() -> None:
    assert unknown_codes(["N001", "B", "X", "N9", "", "n001", "F00"]) == ("X", "N9", "", "n001")
    assert unknown_codes(["ALL"]) == ()


@given(st.permutations(ALL))
def test_findings_stand_in_the_order_of_the_families(shuffled: list[Finding]) -> None:
    families = [FAMILIES.index(one.code[0]) for one in ordered(shuffled)]
    assert families == sorted(families)


def test_order_within_a_code_is_kept() -> None:
    first, second = (finding("V001", message=text) for text in ("z", "a"))
    other = finding("F001", message="m")
    assert ordered([first, second, other]) == (other, first, second)
