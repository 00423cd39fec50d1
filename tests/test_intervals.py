from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cachecheck.intervals import none_seen, wilson


@st.composite
def _samples(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(1, 10**9))
    return draw(st.integers(0, n)), n


@given(_samples())
@example((1, 10**9))
def test_interval_contains_the_ratio_and_stays_within_all_and_nothing(
    sample: tuple[int, int],
) -> None:
    successes, n = sample
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert low < high


@given(_samples())
def test_interval_is_symmetric_in_success_and_failure(sample: tuple[int, int]) -> None:
    successes, n = sample
    low, high = wilson(successes, n)
    assert wilson(n - successes, n) == (pytest.approx(1 - high), pytest.approx(1 - low))


@given(st.integers(1, 10**6))
def test_more_of_the_same_narrows_the_interval(n: int) -> None:
    low, high = wilson(n, 2 * n)
    narrower_low, narrower_high = wilson(2 * n, 4 * n)
    assert low < narrower_low < narrower_high < high


def test_interval_of_a_known_sample() -> None:
    # 81 of 263: Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    assert wilson(81, 263) == (pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5))
    # 0 of 20: the same table.
    assert wilson(0, 20) == (0.0, pytest.approx(0.1611, abs=5e-5))


def test_without_a_sample_nothing_is_known() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert none_seen(0) == 1.0


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, -1)])
def test_impossible_counts_are_refused(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="between 0 and n"):
        wilson(successes, n)


@given(st.integers(1, 10**9), st.floats(0.01, 0.999))
def test_bound_of_the_unseen_is_where_a_sample_without_it_gets_unlikely(
    n: int, confidence: float
) -> None:
    share = none_seen(n, confidence)
    assert 0 < share < 1
    if n < 1000:
        assert (1 - share) ** n == pytest.approx(1 - confidence)


def test_bound_of_the_unseen_is_the_rule_of_three() -> None:
    assert none_seen(500) == pytest.approx(3 / 500, rel=0.01)


@pytest.mark.parametrize(("n", "confidence"), [(-1, 0.95), (5, 0.0), (5, 1.0)])
def test_impossible_samples_and_confidences_are_refused(n: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="no bound"):
        none_seen(n, confidence)
