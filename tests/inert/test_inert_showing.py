from __future__ import annotations

import datetime as dt
import pickle
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachecheck.inert import structural_digest
from cachecheck.inert.sensitive import is_sensitive
from cachecheck.inert.showing import MOST_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Callable


def shown(value: Any, is_withheld: Callable[[str], bool] = lambda _name: False) -> str:
    payload = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    text = structural_digest(payload, seed=b"seed", showing=is_withheld).shown
    assert text is not None
    return text


@dataclass
class Article:
    title: str
    price: Decimal
    password: str = "hunter2"


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(PLAIN)
def test_plain_values_show_as_python_writes_them(value: Any) -> None:
    text = shown(value)
    if len(text) < MOST_CHARACTERS and "…" not in text:
        assert text == repr(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((1,), "(1,)"),
        ((), "()"),
        (2**70, hex(2**70)),
        (frozenset({1}), "frozenset({1})"),
        (bytearray(b"a"), "bytearray(b'a')"),
        (dt.date(2026, 11, 24), "datetime.date(2026-11-24)"),
        (dt.time(1, 2, 3), "datetime.time(01:02:03)"),
        (
            dt.datetime(2026, 11, 24, 18, 0, 1, 5),  # noqa: DTZ001
            "datetime.datetime(2026-11-24T18:00:01.000005)",
        ),
        (
            dt.datetime(2026, 11, 24, tzinfo=dt.UTC),
            "datetime.datetime(2026-11-24T00:00:00, …)",
        ),
        (Decimal("1.50"), "decimal.Decimal('1.50')"),
        (len, "builtins.len"),
    ],
)
def test_other_values_show_what_they_are_made_of(value: Any, text: str) -> None:
    assert shown(value) == text


def test_objects_show_their_class_and_their_attributes() -> None:
    text = shown(Article("Tea", Decimal(3)))
    assert text == (
        f"{__name__}.Article(title='Tea', price=decimal.Decimal('3'), password='hunter2')"
    )


def test_what_stands_under_a_withheld_name_is_left_out() -> None:
    def is_withheld(name: str) -> bool:
        return name == "password"

    assert "hunter2" not in shown(Article("Tea", Decimal(3)), is_withheld)
    assert shown({"password": "x", "a": 1}, is_withheld) == "{'password': <withheld>, 'a': 1}"
    assert shown({b"password": "x"}, is_withheld) == "{b'password': <withheld>}"


@pytest.mark.parametrize("name", ["token" + "x" * 600, "x" * 600 + "token"])
def test_long_names_are_withheld_by_both_of_their_ends(name: str) -> None:
    assert shown({name: "hunter2"}, is_sensitive).endswith(": <withheld>}")


def test_long_values_end_in_a_sign() -> None:
    for value in ("x" * 100_000, list(range(100_000)), {"a": {"b": b"y" * 100_000}}):
        text = shown(value)
        assert len(text) <= MOST_CHARACTERS + 1
        assert text.endswith("…")


def test_deep_values_and_those_within_themselves_end() -> None:
    deep: list[Any] = []
    for _ in range(50):
        deep = [deep]
    assert "…" in shown(deep)
    looped: list[Any] = []
    looped.append(looped)
    assert "…" in shown(looped)


@given(st.text(st.characters(categories=("Cc", "Cf", "Cs", "Zl")), min_size=1, max_size=5))
def test_what_is_shown_is_printable(text: str) -> None:
    made = text.encode("utf-8", "surrogatepass")
    for value in (text, {text: text}, made):
        assert shown(value).isprintable()
