"""Trees of real values are compared: the paths at which they differ, and how."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from cachecheck.coordinator.treediff import differing
from cachecheck.inert import TreeWanted, structural_digest
from cachecheck.inert.sensitive import is_sensitive
from cachecheck.model import MAX_TWIGS, Key, Twig
from cachecheck.rules.observations import Located, Spot
from cachecheck.rules.paths import differs_at

if TYPE_CHECKING:
    from cachecheck.model import Tree


def tree(value: Any, *under: str) -> Tree:
    wanted = TreeWanted(under=under, is_withheld=is_sensitive)
    found = structural_digest(pickle.dumps(value), seed=b"", tree=wanted)
    return tuple(Twig(**asdict(place)) for place in found.tree)


def compared(one: Any, other: Any) -> dict[str, str | None]:
    found = differing(tree(one), tree(other), ("A", "B"))
    return {"".join(each.steps): each.how for each in found}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"a": 1}, {"a": 1}, {}),
        (1, 2, {"": None}),
        (1, "1", {"": "type int/str"}),
        ({"a": 1}, {"a": "1"}, {".a": "type int/str"}),
        ({"a": 1}, {"a": 1, "email": 2}, {".email": "only in B"}),
        ({"a": [1, 2, {"b": 3}]}, {"a": [1, 2, {"b": 4}]}, {".a[2].b": None}),
        ({"a": [1, 2, 3]}, {"a": [1, 2, 3, 4]}, {".a": "length 3/4"}),
        ([1, 2, 3], [9, 2, 3, 4], {"": "length 3/4", "[0]": None}),
        (list(range(20)), list(range(1, 20)), {"": "length 20/19"}),
        (OrderedDict(a=1, b=2), OrderedDict(b=2, a=1), {"": "order"}),
        ({"a": []}, {"a": [1]}, {".a": "length 0/1"}),
        ({"token": "x"}, {"token": "y"}, None),
        ({"tags": {1}}, {"tags": {1, 2}}, None),
    ],
)
def test_differences_are_told_by_their_paths(
    one: Any, other: Any, expected: dict[str, str | None] | None
) -> None:
    found = compared(one, other)
    if expected is None:  # a name that is not shown, or a member of a set
        (path,) = found
        assert "#" in path
        assert found[path] in {None, "only in B"}
    else:
        assert found == expected


def test_a_place_that_is_not_open_is_to_be_asked_for() -> None:
    one = {"deep": [[list(range(60))] * 30] * 60}
    other = {"deep": [[list(range(60))] * 30] * 59 + [[[-1, *range(1, 60)]] * 30]}
    open_ends = differing(tree(one), tree(other), ("A", "B"))
    assert open_ends
    assert not any(each.is_whole for each in open_ends)
    for end in open_ends:
        deeper = differing(tree(one, *end.steps), tree(other, *end.steps), ("A", "B"))
        assert all(each.steps for each in deeper)


def test_a_tree_that_is_deeper_than_any_value_is_compared_to_a_bound() -> None:
    """Only a node that means harm sends one."""

    def chain(digest: str) -> Tree:
        return tuple(
            Twig(
                parent=max(0, place - 1),
                step=".a" if place else "",
                digest=digest,
                kind="list",
                members=1,
                is_open=True,
            )
            for place in range(MAX_TWIGS)
        )

    (found,) = differing(chain("aaaa"), chain("bbbb"), ("A", "B"))
    assert not found.is_whole


def test_paths_are_shown_with_what_is_redacted_and_without_slices() -> None:
    spots = (
        Spot(steps=(".items", "[0:64]", "[3]", ".price")),
        Spot(steps=(".customer", ".name"), how="only in A"),
        Spot(steps=()),
        Spot(steps=(".many", "[#a*]"), how="deeper"),
    )

    def show(key: Key) -> str:
        return "redacted:1" if key.name == "name" else key.name

    assert differs_at(Located(spots=spots, left_out=2), show) == {
        "differs_at": [".items[3].price", ".customer.redacted:1", ".", ".many[#a*]"],
        "differs_how": {".customer.redacted:1": "only in A", ".many[#a*]": "deeper"},
        "differs_at_left_out": 2,
    }
    assert differs_at(None, show) == {}
