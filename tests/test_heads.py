"""Namespaces beside a view's own: told by heads alone, bounded, and added up in any order."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachecheck.heads import (
    MOST_PREFIXES,
    MOST_VERSIONS,
    WEIGHED_KEYS,
    Heads,
    SeenPrefix,
    Weighed,
    united,
)


def heads_of(*keys: str) -> Heads:
    heads = Heads(lambda _stored, _length: False)
    for key in keys:
        heads.add(key)
    return heads


def counted(prefixes: tuple[SeenPrefix, ...]) -> dict[str, dict[int, int]]:
    return {one.prefix: {each.version: each.entries for each in one.versions} for one in prefixes}


@pytest.mark.parametrize(
    ("key", "prefix", "version"),
    [
        ("blog:1:a", "blog", 1),
        (":1:a", "", 1),
        ("blog:2:1:a", "blog", 2),
        ("public:blog:1:a:b", "public:blog", 1),
        ("blog:0:a", "blog", 0),
    ],
)
def test_head_is_what_stands_before_the_key(key: str, prefix: str, version: int) -> None:
    assert counted(heads_of(key).prefixes({})) == {prefix: {version: 1}}


@pytest.mark.parametrize(
    "key",
    [
        "celery-task-meta-8c7f",
        "rq:job:8c7f2d",
        "blog:01:a",  # no version that Django writes
        "blog:1:",  # no key
        "blog:1234567890:a",  # a time, or an id
        f"{'x' * 101}:1:a",
        "bl\nog:1:a",
    ],
)
def test_keys_of_another_form_have_no_head(key: str) -> None:
    assert heads_of(key).prefixes({}) == ()


def test_numbers_that_are_too_many_are_no_versions() -> None:
    heads = heads_of(*(f"user:{number}:name" for number in range(50)), "blog:1:a")
    assert counted(heads.prefixes({})) == {"user": {}, "blog": {1: 1}}
    assert [prefix for prefix, _, _ in heads.to_weigh()] == ["blog"]


def test_what_is_hidden_is_not_told() -> None:
    heads = Heads(lambda stored, length: "token" in stored[:length])
    heads.add("token-4711:1:a")
    heads.add("blog:1:token")
    assert counted(heads.prefixes({})) == {"blog": {1: 1}}


def test_few_keys_of_a_namespace_are_kept_to_be_weighed() -> None:
    heads = heads_of(*(f"blog:1:{number}" for number in range(100)))
    ((_, _, keys),) = heads.to_weigh()
    assert len(keys) == WEIGHED_KEYS


def test_prefixes_without_end_are_bounded_and_those_kept_are_counted_whole() -> None:
    names = [f"p{number}" for number in range(5 * MOST_PREFIXES)]
    heads = heads_of(*(f"{name}:1:{number}" for number in range(3) for name in names))
    found = counted(heads.prefixes({}))
    kept = sorted(names, key=lambda name: crc32(name.encode()))[:MOST_PREFIXES]
    assert found == {name: {1: 3} for name in kept}


_KEYS = st.lists(
    st.builds("{}:{}:k".format, st.sampled_from("abcdefgh"), st.integers(1, MOST_VERSIONS + 2)),
    max_size=60,
)


@given(_KEYS, st.integers(0, 60), st.randoms())
def test_parts_add_up_in_any_order_and_grouping(keys: list[str], cut: int, random: object) -> None:
    whole = heads_of(*keys).prefixes({})
    shuffled = keys.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' Random
    parts = [heads_of(*some).prefixes({}) for some in (shuffled[:cut], shuffled[cut:])]
    assert united(parts) == whole == united(reversed(parts))


def test_weights_add_up() -> None:
    def part(**weighed: float) -> tuple[SeenPrefix, ...]:
        return heads_of("blog:1:a").prefixes({("blog", 1): Weighed(keys=1, **weighed)})

    (one,) = united([part(weight_bytes=10, lasting=1), part(weight_bytes=20, newest_expiry=9.0)])
    (version,) = one.versions
    assert version.entries == 2
    assert version.weighed == Weighed(keys=2, weight_bytes=30, lasting=1, newest_expiry=9.0)
