"""The site's own key builders, called in this process."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from django.test import override_settings
from django.utils.safestring import mark_safe

from cachecheck.agent import builders, conf

if TYPE_CHECKING:
    from cachecheck.model import Built

SECRET = "a-test-secret-of-forty-characters-000001"
HERE = f"{__name__}."
RUN = "f" * 32

ticking = count()


def plain(*parts: object) -> str:
    return ":".join(map(str, ("article", *parts)))


def safe() -> str:
    return mark_safe("article:7")


def long() -> str:
    return "x" * 1000


def odd() -> str:
    return "a\ud800\x1b[0m"


def numbered() -> int:
    return 7


def counting() -> str:
    return f"article:{next(ticking)}"


def raising() -> str:
    raise LookupError("with what nobody should see")


def leaving() -> str:
    raise SystemExit("with what nobody should see")


def called(told: dict[str, Any], run: str = RUN, **settings: Any) -> list[Built]:
    with override_settings(CACHECHECK={"SECRET": SECRET, "KEY_BUILDERS": told, **settings}):
        return list(builders.call(conf.load(), run))


def one(told: object, **settings: Any) -> Built:
    (built,) = called({"b": told}, **settings)
    return built


def test_builder_is_called_with_its_arguments() -> None:
    assert one(HERE + "plain").key == "article"
    assert one([HERE + "plain", [7, "de"]]).key == "article:7:de"
    assert one((HERE + "plain", (7,))).outcome == "made"


def test_text_of_a_class_of_its_own_is_sent_as_plain_text() -> None:
    assert type(one(HERE + "safe").key) is str


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("raising", "LookupError"),
        ("numbered", "it gave int, not str"),
        ("nowhere", "ImportError"),
        ("RUN", "TypeError"),
        ("leaving", "SystemExit"),
    ],
)
def test_builder_that_gives_no_key_says_so_by_the_kind_of_error_alone(
    name: str, detail: str
) -> None:
    built = one(HERE + name)
    assert (built.outcome, built.key, built.detail) == ("failed", None, detail)


def test_builder_that_gives_two_keys_is_unsteady() -> None:
    assert one(HERE + "counting").outcome == "unsteady"


@pytest.mark.parametrize("name", ["long", "odd"])
def test_what_cannot_be_sent_as_it_is_is_a_digest_of_the_run(name: str) -> None:
    key = one(HERE + name).key or ""
    assert key.startswith("digest:")
    assert key == one(HERE + name).key
    (other,) = called({"b": HERE + name}, run="e" * 32)
    assert other.key != key


def test_key_that_is_withheld_leaves_as_a_digest() -> None:
    assert "article" not in (one(HERE + "plain", WITHHOLD=["art*"]).key or "")
    assert one(HERE + "plain", WITHHOLD=["user:*"]).key == "article"


def test_once_time_is_up_no_other_builder_is_begun() -> None:
    with override_settings(
        CACHECHECK={"SECRET": SECRET, "KEY_BUILDERS": dict.fromkeys("ab", HERE + "plain")}
    ):
        clock = iter([0.0, 0.5, 1.5, 1.5])
        first, second = builders.call(conf.load(), RUN, lambda: next(clock))
    assert first.outcome == "made"
    assert (second.outcome, second.detail) == ("uncalled", "those before it took 1.5 s")


@pytest.mark.parametrize(
    "bad",
    [
        ["a.b"],
        {"b": 7},
        {"b": "nodots"},
        {"b": "a.b c"},
        {"": "a.b"},
        {7: "a.b"},
        {"b": ["a.b"]},
        {"b": ["a.b", 7]},
        {"b": ["a.b", [], []]},
        {str(number): "a.b" for number in range(51)},
    ],
)
def test_what_names_no_builders_shuts_the_endpoint(bad: object) -> None:
    with override_settings(CACHECHECK={"SECRET": SECRET, "KEY_BUILDERS": bad}):
        found = conf.load()
    assert [problem.setting for problem in found.problems] == ["KEY_BUILDERS"]
    assert not found.is_open
