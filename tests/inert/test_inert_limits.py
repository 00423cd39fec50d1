from __future__ import annotations

import pickle
import time
from typing import Any

import pytest

from cachecheck.errors import InertTooLarge, InertUnreadable
from cachecheck.inert import Limits, structural_digest


def nested(depth: int) -> Any:
    value: Any = "leaf"
    for _ in range(depth):
        value = [value]
    return value


def read(value: Any, **options: Any) -> str:
    return structural_digest(pickle.dumps(value), seed=b"", **options).kind


def test_a_hundred_nested_containers_are_read_and_one_more_is_too_deep() -> None:
    assert read(nested(100)) == "list"
    with pytest.raises(InertTooLarge, match="nested deeper than 100"):
        read(nested(101))


def test_depth_is_counted_on_the_longest_way_to_a_shared_member() -> None:
    shared = nested(60)
    with pytest.raises(InertTooLarge, match="nested deeper"):
        read([shared, [[shared]]], limits=Limits(max_depth=62))
    assert read([shared, [[shared]]], limits=Limits(max_depth=63)) == "list"


def test_a_cycle_counts_as_one_level() -> None:
    around: list[Any] = []
    around.append(nested(50))
    around.append([[[around]]])
    assert read(around, limits=Limits(max_depth=51)) == "list"


def test_more_operations_than_the_limit_are_too_large() -> None:
    assert read(list(range(400)), limits=Limits(max_operations=1000)) == "list"
    with pytest.raises(InertTooLarge, match="more than 1,000 operations"):
        read(list(range(1001)), limits=Limits(max_operations=1000))


def test_long_strings_count_as_operations_in_proportion() -> None:
    text = "x" * 1_000_000
    assert read(text, limits=Limits(max_operations=1000)) == "str"
    with pytest.raises(InertTooLarge):
        read(text, limits=Limits(max_operations=900))


def test_more_bytes_than_the_limit_are_too_large_before_any_is_read() -> None:
    with pytest.raises(InertTooLarge, match="more than 10 bytes"):
        structural_digest(b"\xff" * 11, seed=b"", limits=Limits(max_bytes=10))


def test_more_work_than_the_seconds_is_too_large() -> None:
    with pytest.raises(InertTooLarge, match="0 s of work"):
        read(list(range(3000)), limits=Limits(seconds=0.0))
    assert read(list(range(3000)), limits=Limits(seconds=60.0)) == "list"


def test_sleep_in_the_pace_is_no_work() -> None:
    def pace() -> bool:
        time.sleep(0.05)
        return True

    assert read(list(range(8000)), limits=Limits(seconds=0.2), pace=pace) == "list"


def test_the_pace_is_called_once_for_each_1024_operations() -> None:
    calls: list[None] = []

    def pace() -> bool:
        calls.append(None)
        return True

    read([1] * 10_000, pace=pace)
    assert 9 <= len(calls) <= 14
    calls.clear()
    read("x" * (8 << 20), pace=pace)
    assert 7 <= len(calls) <= 10


@pytest.mark.parametrize(
    "value", [list(range(3000)), [[] for _ in range(600)], "x" * (2 << 20), "é" * (1 << 20)]
)
def test_a_pace_that_says_no_ends_the_reading(value: Any) -> None:
    with pytest.raises(InertTooLarge, match="work budget spent"):
        read(value, pace=lambda: False)


def test_rounds_over_a_cycle_count_as_operations() -> None:
    links: list[Any] = [["same"] for _ in range(100)]
    for at, link in enumerate(links):
        link.append(links[at - 1])
    links[0][0] = "start"
    payload = pickle.dumps([links[0]])
    assert structural_digest(payload, seed=b"").kind == "list"
    with pytest.raises(InertTooLarge, match="operations"):
        structural_digest(payload, seed=b"", limits=Limits(max_operations=3000))


def test_limits_and_structures_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Limits().max_depth = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        structural_digest(b"N.", seed=b"").kind = "int"  # type: ignore[misc]


@pytest.mark.parametrize("payload", [b"N.B. remember the milk", pickle.dumps(1) + b"\n", b"N.."])
def test_bytes_after_the_end_are_refused(payload: bytes) -> None:
    with pytest.raises(InertUnreadable, match="bytes after its end"):
        structural_digest(payload, seed=b"")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "None"),
        (True, "bool"),
        (10**30, "int"),
        (1.5, "float"),
        ("x" * 100, "str"),
        (b"x", "bytes"),
        (bytearray(b"x"), "bytearray"),
        ((), "tuple"),
        ((1,), "tuple"),
        ({}, "dict"),
        (set(), "set"),
        (frozenset(), "frozenset"),
        (int, "global"),
        (KeyError("x"), "builtins.KeyError"),
    ],
)
def test_the_kind_is_a_word_for_people(value: Any, kind: str) -> None:
    assert read(value) == kind


def test_the_declared_protocol_is_told() -> None:
    found = [structural_digest(pickle.dumps(1, n), seed=b"").protocol for n in range(6)]
    assert found == [0, 0, 2, 3, 4, 5]


def test_at_most_a_hundred_globals_are_told_in_order() -> None:
    payload = (
        b"(" + b"".join(b"cm\nname%03d\n" % (number * 7 % 150) for number in range(150)) + b"l."
    )
    found = structural_digest(payload, seed=b"").globals
    assert found == tuple(f"m.name{number:03}" for number in range(100))


def test_names_for_people_have_no_control_characters_or_surrogates() -> None:
    payload = b"\x80\x04\x8c\x04\x1b[2J\x8c\x03\xed\xa0\x80\x93)\x81."
    found = structural_digest(payload, seed=b"")
    assert found.kind == r"\x1b[2J.\ud800"
    assert found.globals == (found.kind,)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (b"\x8c\4shop\x8c\7Product\x86\x85", "shop.Product"),
        (b"\x8c\4shopK\1\x86\x85", "django.db.models.base.model_unpickle"),
        (b"\x8c\4shop\x85", "django.db.models.base.model_unpickle"),
        (b")", "django.db.models.base.model_unpickle"),
    ],
)
def test_a_model_is_named_by_its_label_where_it_has_one(arguments: bytes, kind: str) -> None:
    payload = b"\x80\x04cdjango.db.models.base\nmodel_unpickle\n" + arguments + b"R."
    assert structural_digest(payload, seed=b"").kind == kind


def test_an_object_made_by_what_a_call_gave_is_an_object() -> None:
    assert structural_digest(b"\x80\x04ca\nb\n)R)R.", seed=b"").kind == "object"
