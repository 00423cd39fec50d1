"""Summaries add up in any order and grouping, and the sample is coordinated."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cachecheck.digest import entry_digest, key_digest, new_seed, pseudonym
from cachecheck.model import Key
from cachecheck.survey import SampledKey, Summary, ceiling, distinct, merge, smallest

SIZE = 5


def sampled(name: str, seed: bytes = b"0" * 16) -> SampledKey:
    return SampledKey(digest=key_digest(seed, name), key=Key(name=name))


def summary(names: frozenset[str], foreign: int = 0) -> Summary:
    return Summary(
        scanned=len(names) + foreign,
        entries=len(names),
        foreign=foreign,
        sample=smallest((sampled(name) for name in names), SIZE),
    )


summaries = st.builds(summary, st.frozensets(st.text(max_size=5), max_size=20), st.integers(0, 9))


@given(st.lists(summaries, max_size=5), st.randoms())
def test_the_order_of_merging_does_not_matter(parts: list[Summary], random: object) -> None:
    shuffled = parts.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' Random
    assert merge(parts, SIZE) == merge(shuffled, SIZE)


@given(st.lists(summaries, max_size=6), st.integers(0, 6))
def test_the_grouping_does_not_matter(parts: list[Summary], cut: int) -> None:
    grouped = merge([merge(parts[:cut], SIZE), merge(parts[cut:], SIZE)], SIZE)
    assert grouped == merge(parts, SIZE)


@given(st.lists(st.frozensets(st.text(max_size=5), max_size=20), max_size=5))
def test_the_sample_is_that_of_the_union(pages: list[frozenset[str]]) -> None:
    merged = merge([summary(page) for page in pages], SIZE)
    assert merged.sample == summary(frozenset().union(*pages)).sample


@given(st.frozensets(st.text(max_size=5), max_size=30))
def test_leaving_out_what_lies_above_the_ceiling_changes_nothing(names: frozenset[str]) -> None:
    first, second = frozenset(list(names)[::2]), frozenset(list(names)[1::2])
    so_far = summary(first)
    below = ceiling(so_far, SIZE)
    kept = frozenset(name for name in second if below is None or sampled(name).digest < below)
    assert merge([so_far, summary(kept)], SIZE).sample == summary(names).sample


@given(st.frozensets(st.text(max_size=5), max_size=SIZE - 1))
def test_few_keys_are_counted_exactly(names: frozenset[str]) -> None:
    assert distinct(summary(names), SIZE) == len(names)


def test_many_keys_are_estimated() -> None:
    names = frozenset(str(number) for number in range(20_000))
    sample = smallest((sampled(name) for name in names), 400)
    assert 16_000 < distinct(Summary(sample=sample), 400) < 24_000


def test_digests_mean_nothing_outside_their_run() -> None:
    one, other = new_seed(), new_seed()
    assert key_digest(one, "k") != key_digest(other, "k")
    assert entry_digest(one, b"v") != entry_digest(other, b"v")


def test_a_key_and_an_entry_of_the_same_bytes_differ_in_digest() -> None:
    assert key_digest(b"0" * 16, "k") != entry_digest(b"0" * 16, b"k")


def test_flags_are_part_of_an_entry() -> None:
    assert entry_digest(b"0" * 16, b"v", 1) != entry_digest(b"0" * 16, b"v", 2)


def test_a_pseudonym_is_the_same_in_every_run() -> None:
    assert pseudonym("session:abc") == pseudonym("session:abc") != pseudonym("session:abd")
