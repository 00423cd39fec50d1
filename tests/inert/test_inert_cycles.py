from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inert_values import Bag, cyclic, digest_of, digests_of, patient, values

from cachecheck.inert import structural_digest


def ring(labels: str) -> list[Any]:
    """Give lists, each of which holds a label and the next one; the last holds the first."""
    links: list[Any] = [[label] for label in labels]
    for at, link in enumerate(links):
        link.append(links[(at + 1) % len(links)])
    return links[0]


def family(names: list[str]) -> Bag:
    parent = Bag(name="parent", children=[])
    for name in names:
        parent.children.append(Bag(name=name, cache={"parent": parent}))
    return parent


@patient
@given(values())
def test_a_cycle_has_one_digest_over_all_protocols(value: Any) -> None:
    assert len(digests_of(cyclic(value))) == 1


@patient
@given(values(), values())
def test_cycles_with_another_leaf_differ(one: Any, other: Any) -> None:
    is_same = digest_of(one) == digest_of(other)
    assert (digest_of(cyclic(one)) == digest_of(cyclic(other))) == is_same


@patient
@given(values())
def test_a_shared_cycle_is_as_two_equal_ones(value: Any) -> None:
    shared = cyclic(value)
    assert digest_of([shared, shared]) == digest_of([cyclic(value), cyclic(value)])


@pytest.mark.parametrize("protocol", range(6))
def test_builtin_containers_may_hold_themselves(protocol: int) -> None:
    looped: list[Any] = []
    looped.append(looped)
    by_name: dict[str, Any] = {}
    by_name["self"] = (by_name, [by_name])
    within: tuple[list[Any]] = ([],)
    within[0].append(within)
    bag = Bag()
    bag.known = {bag}
    bag.frozen = frozenset({bag})
    for value in (looped, by_name, within, bag):
        assert digest_of(value, protocol) == digest_of(value)


@patient
@given(st.lists(st.text("abc", min_size=1, max_size=6), min_size=2, max_size=6, unique=True))
def test_rings_are_told_apart_by_what_they_spell_without_end(labels: list[str]) -> None:
    found = {label: digest_of(ring(label)) for label in labels}
    for one in labels:
        for other in labels:
            is_same = one * len(other) == other * len(one)
            assert (found[one] == found[other]) == is_same


def test_a_ring_is_digested_by_where_it_is_entered() -> None:
    assert digest_of(ring("ab")) != digest_of(ring("ba"))


def test_cycles_of_one_shape_and_other_width_differ() -> None:
    once: list[Any] = []
    once.append(once)
    twice: list[Any] = []
    twice += [twice, twice]
    assert digest_of(once) != digest_of(twice)


def test_the_order_of_a_dict_in_a_cycle_does_not_count() -> None:
    def tree(order: str) -> Bag:
        root = Bag()
        children = {name: Bag(parent=root, name=name) for name in "abc"}
        root.by_name = {name: children[name] for name in order}
        root.by_child = {children[name]: name for name in order}
        return root

    assert digests_of(tree("abc")) == digests_of(tree("cab"))


def test_a_family_is_told_by_its_children_in_their_order() -> None:
    names = [f"child {number}" for number in range(20)]
    assert digest_of(family(names)) == digest_of(family(list(names)))
    assert digest_of(family(names)) != digest_of(family(names[::-1]))
    assert digest_of(family(names)) != digest_of(family(names[:-1]))


def test_objects_that_all_know_one_another_are_digested() -> None:
    bags = [Bag(number=number) for number in range(60)]
    for bag in bags:
        bag.others = list(bags)
    found = structural_digest(pickle.dumps(bags), seed=b"")
    assert found.kind == "list"
    assert len(digests_of(bags)) == 1
