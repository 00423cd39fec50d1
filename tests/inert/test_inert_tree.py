from __future__ import annotations

import collections
import datetime as dt
import decimal
import pickle
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from inert_values import SEED, Bag, Colour, Labels, Names, Pair, Product, Slotted, patient, values

from cachecheck.inert import TreeWanted, structural_digest
from cachecheck.inert.outline import MOST_PLACES
from cachecheck.inert.sensitive import is_sensitive

if TYPE_CHECKING:
    from cachecheck.inert.outline import Place


def tree(value: Any, *under: str, protocol: int = 4) -> tuple[Place, ...]:
    wanted = TreeWanted(under=under, is_withheld=is_sensitive)
    return structural_digest(pickle.dumps(value, protocol), seed=SEED, tree=wanted).tree


def paths(places: tuple[Place, ...]) -> dict[str, str]:
    """Give the digest of each place by its whole path."""
    found: list[str] = []
    for number, place in enumerate(places):
        assert place.parent < number or number == 0
        found.append(found[place.parent] + place.step if number else "")
    assert len(set(found)) == len(found)
    return dict(zip(found, (place.digest for place in places), strict=True))


def test_places_are_named_as_people_write_them() -> None:
    value = {"items": [1, Product("tea", 2.5)], "pair": Pair(1, {"x"}), 7: None}
    shown = list(paths(tree(value)))
    named = [path for path in shown if "#" not in path]
    assert named == [
        "", ".items", ".pair", "[7]", ".items[0]", ".items[1]", ".pair[0]", ".pair[1]",
        ".items[1].name", ".items[1].price",
    ]  # fmt: skip
    assert [re.sub("[0-9a-f]{10}", "…", path) for path in shown if "#" in path] == [".pair[1]{#…}"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Bag(email=1), [".email"]),
        (Labels(email=1), [".email"]),
        (Names([5, 6]), ["[0]", "[1]"]),
        (collections.OrderedDict(a=1), [".a"]),
        (collections.defaultdict(list, a=1), [".a", "(0)"]),
        (collections.deque([5]), ["[0]"]),
        (Slotted("a", 1), [".state", ".state[0]", ".state[1]"]),
        (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), []),
        (decimal.Decimal("1.5"), []),
        (Colour.RED, []),
        ("text", []),
        (int, []),
    ],
)
def test_what_a_value_holds(value: Any, expected: list[str]) -> None:
    assert sorted(paths(tree(value)))[1:] == sorted(expected)


@pytest.mark.parametrize(
    "key",
    ["ada@example.com", "4111111111111111", 4111111111111111, "a9993e364706816aba3e", b"raw",
     ("a", 1), None, 1.5, "x" * 41, "é", "", "password", "apiToken", "SESSION", "secret key"],
)  # fmt: skip
def test_a_key_that_could_be_a_value_is_told_by_a_digest(key: Any) -> None:
    (_, place, *_) = tree({key: 1})
    assert re.fullmatch(r"\[#[0-9a-f]{10}\]", place.step)
    assert paths(tree({key: 1})) == paths(tree({key: 1}, protocol=2))


def test_below_a_name_that_is_withheld_nothing_is_told() -> None:
    for name in ("credentials", b"credentials", "x" * 600 + "credential"):
        places = tree({name: {"user": "ada", "pin": 1234}})
        assert len(places) == 2
        assert (places[1].members, places[1].is_open, len(places[1].digest)) == (0, False, 4)


def test_a_cycle_is_told_once() -> None:
    bag = Bag(name="a")
    bag.me = bag
    assert set(paths(tree(bag))) == {"", ".name", ".me"}


def test_a_wide_value_is_divided_and_found_by_descending() -> None:
    one, other = list(range(5000)), list(range(5000))
    other[4321] = -1
    path: list[str] = []
    while True:
        pairs = zip(tree(one, *path), tree(other, *path), strict=True)
        differing = [a for a, b in list(pairs)[1:] if a.digest != b.digest]
        if not differing:
            break
        path.append(next(place.step for place in differing if place.parent == 0))
    assert path == ["[4096:8192]", "[4288:4352]", "[4321]"]


def test_the_tree_is_bounded_and_nearer_places_come_first() -> None:
    places = tree([[[n] * 50 for n in range(50)] for _ in range(50)])
    assert len(places) <= MOST_PLACES
    assert [place.parent for place in places] == sorted(place.parent for place in places)
    assert any(place.members and not place.is_open for place in places)


def test_many_names_are_divided_by_their_digests() -> None:
    value = {f"user {n}": n for n in range(1000)}
    places = tree(value)
    assert {place.step for place in places[1:17]} == {
        f"[#{digit}*]" for digit in "0123456789abcdef"
    }
    found = tree(value, places[1].step)
    assert all(place.step.startswith(places[1].step[:3]) for place in found[1:])
    assert tree(value, "[nowhere]") == ()


@patient
@given(values())
def test_trees_are_equal_over_protocols(value: Any) -> None:
    assert len({tree(value, protocol=protocol) for protocol in range(2, 6)}) == 1


@patient
@given(values(), values())
def test_places_differ_where_the_values_do(one: Any, other: Any) -> None:
    first, second = tree([one])[1], tree([other])[1]
    same = (
        structural_digest(pickle.dumps(one), seed=SEED).digest
        == structural_digest(pickle.dumps(other), seed=SEED).digest
    )
    assert (first.digest == second.digest) == same
