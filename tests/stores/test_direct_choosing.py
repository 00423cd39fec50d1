from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachecheck.digest import key_digest
from cachecheck.stores.direct.choosing import Chooser, Sampling
from cachecheck.stores.namespaces import logical_key, stored_key
from cachecheck.sums import Buckets, Summing, bitmap_of

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED = bytes(range(16))


def test_keys_of_a_form_go_by_their_logical_names() -> None:
    choose = Chooser("shop:1:{key}")
    chosen = choose([b"shop:1:a", b"shop:1:b", b"shop:2:a", b"other", b"shop:1:"])
    assert chosen == {b"shop:1:a": b"a", b"shop:1:b": b"b"}
    assert (choose.outside, choose.unmatched) == (3, 0)


def test_a_form_may_go_on_behind_the_logical_key() -> None:
    choose = Chooser("ab{key}ba")
    assert choose([b"abXba", b"abba", b"aba", b"abX", b"Xba"]) == {b"abXba": b"X"}
    assert choose.outside == 4


def test_without_a_form_every_text_is_a_key() -> None:
    choose = Chooser(None)
    assert choose([b"a", b"", "ä".encode()]) == {b"a": b"a", "ä".encode(): "ä".encode()}
    assert choose.outside == 1


def test_what_is_no_text_or_too_long_is_outside() -> None:
    choose = Chooser("p:{key}")
    keys = [b"p:ok", b"p:\xff", b"p:" + b"x" * 4096, b"p:" + b"x" * 4097]
    assert set(choose(keys)) == {b"p:ok", b"p:" + b"x" * 4096}
    assert choose.outside == 2


def test_two_halves_of_a_character_in_two_keys_are_no_text() -> None:
    choose = Chooser(None)
    assert choose([b"a\xc3", b"\xa4b", b"c"]) == {b"c": b"c"}


def test_characters_are_counted_and_not_bytes() -> None:
    long = ("ä" * 4096).encode()
    assert Chooser(None)([long]) == {long: long}


def test_a_glob_is_about_logical_keys_by_characters() -> None:
    choose = Chooser("p:{key}", "us?r:*")
    assert list(choose([b"p:user:1", "p:usär:2".encode(), b"p:page:1", b"q:user:1"])) == [
        b"p:user:1",
        "p:usär:2".encode(),
    ]
    assert (choose.outside, choose.unmatched) == (1, 1)


def test_buckets_leave_out_without_counting() -> None:
    summing = Summing(buckets=16, lane_ms=1000, horizon=0.0)
    every = Buckets(SEED, summing, bitmap_of(range(16), 16))
    none = Buckets(SEED, summing, bitmap_of((), 16))
    keys = [b"%d" % number for number in range(100)]
    assert len(Chooser(None, buckets=every)(keys)) == 100
    choose = Chooser(None, buckets=none)
    assert choose(keys) == {}
    assert (choose.outside, choose.unmatched) == (0, 0)


@given(
    head=st.sampled_from(["", "a", "ab:", "ä"]),
    tail=st.sampled_from(["", "a", ":ba", "ä"]),
    keys=st.lists(st.text("abä:", max_size=6), unique=True),
)
def test_choosing_is_recovering_logical_keys(head: str, tail: str, keys: list[str]) -> None:
    form = f"{head}{{key}}{tail}"
    expected = {
        key.encode(): name.encode() for key in keys if (name := logical_key(key, form)) is not None
    }
    assert Chooser(form)([key.encode() for key in keys]) == expected
    assert all(stored_key(name.decode(), form).encode() == key for key, name in expected.items())


# --- the sample ----------------------------------------------------------------------------


def _digests(names: Sequence[bytes]) -> list[str]:
    return sorted(key_digest(SEED, name.decode()) for name in names)


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_the_sample_has_the_smallest_digests_in_order(size: int) -> None:
    names = [b"%d" % number for number in range(500)]
    sampling = Sampling(SEED, size, None)
    for start in range(0, 500, 50):
        sampling.add(names[start : start + 60])  # some come twice
    sample = sampling.in_order()
    assert [entry.digest for entry in sample] == _digests(names)[:size]
    assert all(entry.digest == key_digest(SEED, entry.key.name) for entry in sample)


def test_what_is_not_below_the_bound_is_no_part_of_the_sample() -> None:
    names = [b"%d" % number for number in range(100)]
    below = _digests(names)[10]
    sampling = Sampling(SEED, 50, below)
    sampling.add(names)
    assert [entry.digest for entry in sampling.in_order()] == _digests(names)[:10]


def test_a_sample_of_nothing_is_empty() -> None:
    sampling = Sampling(SEED, 0, None)
    sampling.add([b"a"])
    assert sampling.in_order() == ()
