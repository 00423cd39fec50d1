from __future__ import annotations

import collections
import copy
import math
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inert_values import (
    Bag,
    Colour,
    Keyed,
    Labels,
    Names,
    Pair,
    Product,
    Right,
    Slotted,
    digest,
    digest_of,
    digests_of,
    hashables,
    patient,
    values,
)

from cachecheck.inert import structural_digest

if TYPE_CHECKING:
    from collections.abc import Callable


@patient
@given(values())
def test_a_value_has_one_digest_over_all_protocols(value: Any) -> None:
    assert len(digests_of(value)) == 1


@patient
@given(values())
def test_the_python_and_the_c_pickler_are_read_alike(value: Any) -> None:
    for protocol in (2, 4, 5):
        assert digest(pickle._dumps(value, protocol)) == digest_of(value)  # noqa: SLF001 - the pure Python pickler has no public name


@patient
@given(values())
def test_shared_members_are_as_equal_ones(value: Any) -> None:
    shared = [value, value, {"a": value, "b": value}]
    apart = [copy.deepcopy(value), value, {"a": copy.deepcopy(value), "b": copy.deepcopy(value)}]
    assert digest_of(shared) == digest_of(apart)


@patient
@given(st.dictionaries(hashables(), values(), max_size=6), st.randoms())
def test_the_order_of_a_plain_dict_does_not_count(held: dict[Any, Any], random: Any) -> None:
    items = list(held.items())
    random.shuffle(items)
    assert digest_of(dict(items)) == digest_of(held)


@patient
@given(st.dictionaries(st.integers(), st.integers(), min_size=2, max_size=6))
def test_the_order_of_an_ordered_dict_counts(held: dict[int, int]) -> None:
    forward = collections.OrderedDict(held)
    backward = collections.OrderedDict(reversed(held.items()))
    assert digests_of(forward).isdisjoint(digests_of(backward))


@patient
@given(st.lists(values(), min_size=1, max_size=3), values(), st.data())
def test_another_leaf_gives_another_digest(held: list[Any], leaf: Any, data: Any) -> None:
    at = data.draw(st.integers(0, len(held) - 1))
    marker = Bag(only_here=leaf)
    changed = [*held[:at], marker, *held[at + 1 :]]
    assert digest_of(changed) != digest_of(held)
    assert digest_of(Bag(held=changed)) != digest_of(Bag(held=held))


NANS = [("7ff8", "0"), ("fff8", "0"), ("7ff8", "1")]

LEAVES = [
    *(
        None,
        True,
        False,
        0,
        1,
        1.0,
        0.0,
        -0.0,
        math.inf,
        -math.inf,
        math.nan,
        1j,
        "",
        "1",
        b"",
        b"1",
    ),
    *(
        -1,
        255,
        256,
        65535,
        65536,
        2**31,
        2**63 - 1,
        2**63,
        -(2**63),
        -(2**63) - 1,
        2**600,
        -(2**600),
    ),
    *(
        "x" * 64,
        "x" * 65,
        b"x" * 64,
        b"x" * 65,
        "é",
        "\ud800",
        "\\u0041",
        "A",
        "a\nb",
        "\U0001f600",
    ),
    *(
        (),
        [],
        {},
        set(),
        frozenset(),
        bytearray(),
        (None,),
        [None],
        {None: None},
        {None},
        [[]],
        [()],
    ),
    *(
        [1, 2],
        [2, 1],
        (1, 2),
        {1: 2},
        {2: 1},
        [[1], 2],
        [1, [2]],
        {(1, 2)},
        {1, 2},
        frozenset({1, 2}),
    ),
    *(Colour.RED, Colour.BLUE, Right.READ, Pair(1, 2), Pair(2, 1), Product(1, 2), Slotted(1, 2)),
    *(Labels({1: 2}), Names([1, 2]), Bag(), Bag(a=1), Bag(b=1), Bag(a=[1]), int, float, str),
    *(collections.OrderedDict({1: 2}), collections.Counter({1: 2}), collections.deque([1, 2])),
    *(collections.defaultdict(int, {1: 2}), collections.defaultdict(list, {1: 2})),
]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda leaf: leaf,
        lambda leaf: [[leaf]],
        lambda leaf: {"key": leaf},
        lambda leaf: Bag(a=leaf),
    ],
    ids=["alone", "in lists", "in a dict", "in an object"],
)
def test_values_that_differ_have_digests_that_differ(wrap: Callable[[Any], Any]) -> None:
    found: dict[str, Any] = {}
    for leaf in LEAVES:
        other = found.setdefault(digest_of(wrap(leaf)), leaf)
        assert other is leaf, (other, leaf)


def test_floats_are_told_by_their_eight_bytes() -> None:
    nans = [struct.unpack(">d", bytes.fromhex(f"{high}00000000000{low}"))[0] for high, low in NANS]
    assert [len(digests_of(nan, range(1, 6))) for nan in nans] == [1] * len(nans)
    assert len({digest_of(nan) for nan in nans}) == len(nans)
    assert len(digests_of(math.nan)) == 1


def test_the_order_of_a_defaultdict_does_not_count() -> None:
    one = collections.defaultdict(list, a=[1], b=[2])
    other = collections.defaultdict(list, b=[2], a=[1])
    assert digests_of(one) == digests_of(other)


def test_slots_are_read_over_the_protocols_that_know_them() -> None:
    assert len(digests_of(Slotted("a", 1), range(2, 6))) == 1


def test_keyword_arguments_of_new_are_read_over_the_protocols_that_keep_them() -> None:
    found = digests_of(Keyed("a", size=1), range(2, 6))
    assert len(found) == 1
    assert found.isdisjoint(digests_of(Keyed("a", size=2), range(2, 6)))


def test_many_items_are_read_alike_in_one_batch_or_many() -> None:
    for value in (list(range(2500)), {n: n for n in range(2500)}, Names(range(2500))):
        assert len(digests_of(value)) == 1
    assert len(digests_of(collections.OrderedDict((n, n) for n in range(2500)))) == 1


def test_another_seed_gives_another_digest_whatever_its_length() -> None:
    payload = pickle.dumps([1, "x" * 100])
    seeds = [b"", b"a", b"b", b"a" * 64, b"a" * 65, b"a" * 1000]
    assert len({structural_digest(payload, seed=seed).digest for seed in seeds}) == len(seeds)


def test_two_objects_that_look_alike_are_two_keys() -> None:
    alike = {Bag(a=1): "x", Bag(a=1): "y"}
    assert digest_of(alike) != digest_of({Bag(a=1): "y"})
    assert digest_of({Bag(a=1), Bag(a=1)}) != digest_of({Bag(a=1)})


HASH_SEED_SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from inert_values import Bag, digest_of, cyclic
words = [f"word {n}" for n in range(40)]
print(digest_of({word: set(words) for word in words}, int(sys.argv[2])))
print(digest_of(frozenset({frozenset(words), frozenset(words[:5])}), int(sys.argv[2])))
print(digest_of(cyclic(Bag(words=set(words))), int(sys.argv[2])))
"""


def digests_under(hash_seed: str, protocol: int) -> bytes:
    return subprocess.run(
        [sys.executable, "-c", HASH_SEED_SCRIPT, str(Path(__file__).parent), str(protocol)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=True,
        capture_output=True,
    ).stdout


def test_digests_do_not_depend_on_the_hash_seed() -> None:
    found = {digests_under("1", 4), digests_under("2", 4), digests_under("3", 2)}
    assert len(found) == 1
    assert len(set(found.pop().split())) == 3
