from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachecheck.proportions import NOTHING, Tried, alike, chance, holm

RATE = 0.001
LEAST = 0.05


@st.composite
def _tried(draw: st.DrawFn) -> Tried:
    trials = draw(st.integers(0, 10**6))
    return Tried(draw(st.integers(0, trials)), trials)


def test_chance_of_a_known_table() -> None:
    # 15 of 100 against 30 of 100: chi-squared is 200 · 1500² / (100 · 100 · 45 · 155) = 6.4516.
    assert chance(Tried(15, 100), Tried(30, 100)) == pytest.approx(0.0110852, abs=1e-7)


@given(_tried(), _tried())
def test_chance_is_a_probability_and_does_not_mind_the_order(one: Tried, other: Tried) -> None:
    assert 0 <= chance(one, other) <= 1
    assert chance(one, other) == chance(other, one)


@given(_tried(), _tried())
def test_chance_of_misses_is_that_of_hits(one: Tried, other: Tried) -> None:
    turned = [Tried(each.trials - each.successes, each.trials) for each in (one, other)]
    assert chance(*turned) == pytest.approx(chance(one, other))


@given(_tried().filter(lambda one: one.trials > 0))
def test_equal_shares_are_never_more_than_chance(one: Tried) -> None:
    assert chance(one, one) == 1.0


@pytest.mark.parametrize("few", [NOTHING, Tried(0, 4), Tried(4, 4)])
def test_of_too_few_trials_nothing_is_said(few: Tried) -> None:
    assert chance(few, Tried(500, 1000)) == 1.0


def test_holm_corrects_the_smallest_for_all_and_the_next_for_one_less() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.5, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_keeps_the_order_and_never_makes_less_of_it(chances: list[float]) -> None:
    corrected = holm(chances)
    assert all(0 <= value <= 1 for value in corrected)
    assert all(value >= chance_ for value, chance_ in zip(corrected, chances, strict=True))
    ranked = [value for _, value in sorted(zip(chances, corrected, strict=True))]
    assert ranked == sorted(ranked)


def test_the_one_that_differs_is_set_apart_and_the_others_stay_together() -> None:
    counts = [Tried(4500, 5000), Tried(4520, 5000), Tried(2500, 5000), Tried(4490, 5000)]
    assert alike(counts, error_rate=RATE, least=LEAST) == ((0, 1, 3), (2,))


def test_two_against_two_are_two_groups() -> None:
    counts = [Tried(4500, 5000), Tried(4000, 5000), Tried(4510, 5000), Tried(4010, 5000)]
    groups = alike(counts, error_rate=RATE, least=LEAST)
    assert sorted(groups) == [(0, 2), (1, 3)]


def test_a_difference_too_small_to_matter_is_none_however_sure() -> None:
    counts = [Tried(900_000, 10**6), Tried(860_000, 10**6)]
    assert alike(counts, error_rate=RATE, least=LEAST) == ((0, 1),)


def test_a_large_difference_of_few_trials_is_chance() -> None:
    assert alike([Tried(18, 20), Tried(13, 20)], error_rate=RATE, least=LEAST) == ((0, 1),)


@given(st.lists(_tried().filter(lambda one: one.trials > 0), max_size=8))
def test_groups_divide_all_counts(counts: list[Tried]) -> None:
    groups = alike(counts, error_rate=RATE, least=LEAST)
    assert sorted(index for group in groups for index in group) == list(range(len(counts)))
    assert list(map(len, groups)) == sorted(map(len, groups), reverse=True)


def _drawn(seeded: random.Random, trials: int, share: float) -> int:
    return sum(seeded.random() < share for _ in range(trials))


@pytest.mark.parametrize(("nodes", "trials"), [(2, 2000), (2, 200), (8, 300), (20, 200)])
def test_equal_shares_are_told_apart_no_more_often_than_is_stated(nodes: int, trials: int) -> None:
    seeded = random.Random(f"{nodes} {trials}")
    rate, runs = 0.05, 400
    wrong = 0
    for _ in range(runs):
        counts = [Tried(_drawn(seeded, trials, 0.9), trials) for _ in range(nodes)]
        wrong += len(alike(counts, error_rate=rate, least=0.0)) > 1
    assert wrong <= runs * rate + 3 * math.sqrt(runs * rate * (1 - rate))
