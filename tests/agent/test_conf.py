"""The agent's settings: read when needed, judged one by one, and shut where one is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from cachecheck.agent import checks, conf
from cachecheck.model import Key
from cachecheck.wire import MAX_ANSWER_BYTES, MAX_BODY_BYTES, MAX_KEYS

if TYPE_CHECKING:
    from cachecheck.model import Naming

SECRET = "a-test-secret-of-forty-characters-000001"
OTHER_SECRET = "another-secret-of-forty-characters-00002"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (conf.SECRET_VARIABLE, conf.ENABLED_VARIABLE, conf.RELEASE_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def load(**settings: Any) -> conf.Conf:
    with override_settings(CACHECHECK={"SECRET": SECRET, **settings}):
        return conf.load()


def problems(**settings: Any) -> list[str]:
    return [problem.setting for problem in load(**settings).problems]


def test_defaults_are_those_of_the_documentation() -> None:
    with override_settings(ROOT_URLCONF="shop.urls"):
        found = load()
    assert found.is_open
    assert (found.node, found.release, found.expected_workers) == (None, None, None)
    assert (found.application, found.caches, found.scopes) == ("shop", ("default",), {})
    assert found.counts_hits
    assert found.budget_seconds == 0.05
    limits = (found.max_body_bytes, found.max_keys, found.max_answer_bytes, found.max_age_seconds)
    assert limits == (MAX_BODY_BYTES, MAX_KEYS, MAX_ANSWER_BYTES, 60)
    assert found.withholds(Key(name="django.contrib.sessions.cache0123"))


def test_settings_are_read_anew_each_time() -> None:
    assert load(NODE="web-1").node == "web-1"
    assert load(NODE="web-2").node == "web-2"


# --- secrets and the switch ----------------------------------------------------------------


def test_secret_comes_from_the_settings_or_else_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(conf.SECRET_VARIABLE, OTHER_SECRET)
    keyring = load().keyring
    assert keyring is not None
    assert [secret.key for secret in keyring.secrets] == [SECRET.encode()]
    with override_settings(CACHECHECK={}):
        keyring = conf.load().keyring
    assert keyring is not None
    assert [secret.key for secret in keyring.secrets] == [OTHER_SECRET.encode()]


@pytest.mark.parametrize("pairs", [list, tuple])
def test_several_secrets_are_known_by_their_keyids(pairs: type) -> None:
    keyring = load(SECRET=pairs([("new", OTHER_SECRET), ("old", SECRET)])).keyring
    assert keyring is not None
    assert [secret.keyid for secret in keyring.secrets] == ["new", "old"]


@pytest.mark.parametrize("secret", [None, "", [], ()])
def test_without_a_secret_the_endpoint_is_shut(secret: object) -> None:
    found = load(SECRET=secret)
    assert found.keyring is None
    assert not found.is_open
    assert found.problems == ()


@pytest.mark.parametrize(
    "secret",
    [
        "short",
        42,
        b"bytes-of-some-length-that-would-be-enough",
        ["only-one-text-that-is-long-enough-to-be-a-secret"],
        [("a", "b", "c")],
        [("new", SECRET), ("new", OTHER_SECRET)],
        [("a key", SECRET)],
        [("new", None)],
        [(1, SECRET)],
    ],
)
def test_secret_that_cannot_be_used_shuts_the_endpoint_and_is_not_told(secret: object) -> None:
    found = load(SECRET=secret)
    assert not found.is_open
    assert [problem.setting for problem in found.problems] == ["SECRET"]
    assert not [told for told in ("short'", "only-one", SECRET) if told in repr(found.problems)]


@pytest.mark.parametrize(
    ("word", "is_enabled"),
    [
        *((word, True) for word in ("", "1", "TRUE", " yes ", "on")),
        *((word, False) for word in ("0", "False", "no", "off")),
    ],
)
def test_switch_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, word: str, *, is_enabled: bool
) -> None:
    monkeypatch.setenv(conf.ENABLED_VARIABLE, word)
    assert load().is_enabled == is_enabled
    assert load().is_open == is_enabled


def test_switch_in_the_settings_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(conf.ENABLED_VARIABLE, "1")
    assert not load(ENABLED=False).is_open


def test_switch_that_says_neither_shuts_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(conf.ENABLED_VARIABLE, "perhaps")
    assert not load().is_open
    assert problems() == ["ENABLED"]


def test_release_comes_from_the_environment_where_no_setting_says_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(conf.RELEASE_VARIABLE, "2026.1")
    assert load().release == "2026.1"
    assert load(RELEASE="2026.2").release == "2026.2"


# --- values --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("NODE", 7),
        ("NODE", ""),
        ("NODE", "wéb-1"),
        ("NODE", "web\n1"),
        ("APPLICATION", ["shop"]),
        ("APPLICATION", "x" * 201),
        ("CACHES", "default"),
        ("CACHES", ["default", "absent"]),
        ("SCOPES", ["default"]),
        ("SCOPES", {"default": "planet"}),
        ("SCOPES", {"default": ["host"]}),
        ("SCOPES", {"absent": "host"}),
        ("SCOPES", None),
        ("WITHHOLD", "user:*"),
        ("WITHHOLD", [1]),
        ("WITHHOLD", None),
        ("RELEASE", 3),
        ("EXPECTED_WORKERS", 0),
        ("EXPECTED_WORKERS", "4"),
        ("ENABLED", "no"),
        ("RELAY", 1),
        ("RELAY", ""),
        ("RELAY", "relative/folder"),
        ("RELAY", "/with\0zero"),
        ("COUNT_HITS", 1),
        ("BUDGET_MS", -1),
        ("BUDGET_MS", True),
        ("MAX_BODY", 1.5),
        ("MAX_BODY", float(MAX_BODY_BYTES)),
        ("MAX_KEYS", "many"),
        ("MAX_ANSWER", 0),
        ("MAX_AGE", -60),
    ],
)
def test_value_that_cannot_be_meant_shuts_the_endpoint(setting: str, value: object) -> None:
    assert problems(**{setting: value}) == [setting]
    assert not load(**{setting: value}).is_open


@pytest.mark.parametrize("value", [None, ["SECRET"], "SECRET", 7])
def test_settings_that_are_no_dictionary_shut_the_endpoint(value: object) -> None:
    with override_settings(CACHECHECK=value):
        found = conf.load()
    assert not found.is_open
    assert [problem.setting for problem in found.problems] == ["CACHECHECK"]


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert problems(NODE=7, CACHES="default", MAX_KEYS=0) == ["NODE", "CACHES", "MAX_KEYS"]


def test_none_stands_for_the_default() -> None:
    names = conf.KNOWN - {"SECRET", "SCOPES", "WITHHOLD", "WITHHOLD_NAMES"}
    assert load(**dict.fromkeys(names)) == load()


def test_release_of_the_environment_is_judged_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(conf.RELEASE_VARIABLE, "x" * 201)
    assert problems() == ["RELEASE"]


def test_good_values_are_taken() -> None:
    found = load(
        NODE="web-1",
        APPLICATION="shop",
        CACHES=["default"],
        SCOPES={"default": "host"},
        EXPECTED_WORKERS=4,
        COUNT_HITS=False,
        BUDGET_MS=10,
        MAX_AGE=300,
    )
    assert found.problems == ()
    assert (found.node, found.application, found.caches) == ("web-1", "shop", ("default",))
    assert (found.scopes, found.expected_workers) == ({"default": "host"}, 4)
    assert (found.counts_hits, found.budget_seconds, found.max_age_seconds) == (False, 0.01, 300)


# --- withheld keys -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "naming", "is_withheld"),
    [
        ("user:1", "logical", True),
        ("user:1:mail", "logical", True),
        ("users", "logical", False),
        ("shop:user:1", "logical", False),
        (":1:user:1", "stored", True),
        ("shop:2:user:1", "stored", True),
        ("a:b:c:1:user:1", "stored", True),
        (":1:users", "stored", False),
        ("pin-1", "logical", True),
        (":1:pin-1", "stored", True),
        ("user:1\nmore", "logical", True),
    ],
)
def test_withheld_key_is_known_by_either_name(
    name: str, naming: Naming, *, is_withheld: bool
) -> None:
    found = load(WITHHOLD=["user:*", "pin-?"])
    assert found.withholds(Key(name=name, naming=naming)) == is_withheld


def test_empty_list_withholds_nothing() -> None:
    assert not load(WITHHOLD=[]).withholds(Key(name="django.contrib.sessions.cache0123"))


def test_list_that_cannot_be_used_withholds_everything() -> None:
    assert load(WITHHOLD="user:*").withholds(Key(name="anything"))


# --- whatever it holds ----------------------------------------------------------------------

PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.just(10**400)
)
KEYS = st.one_of(st.text(), st.integers(), st.none(), st.sampled_from(["default", "a"]))
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner), st.tuples(inner, inner), st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=8,
)
SCOPES = st.dictionaries(KEYS, st.sampled_from(["worker", "none"]))


@given(
    st.one_of(
        VALUES, st.dictionaries(st.one_of(KEYS, st.sampled_from(sorted(conf.KNOWN))), VALUES)
    ),
    SCOPES,
)
def test_no_value_raises(held: Any, scopes: dict[Any, str]) -> None:
    for chosen in (held, {"SCOPES": scopes}):
        with override_settings(CACHECHECK=chosen):
            found = conf.load()
            checks.check_settings()
        assert repr(found.problems)


@pytest.mark.parametrize("setting", sorted(conf.MOST))
def test_numbers_have_a_most(setting: str) -> None:
    assert problems(**{setting: conf.MOST[setting]}) == []
    for value in (conf.MOST[setting] + 1, 10**400):
        (problem,) = load(**{setting: value}).problems
        assert problem.setting == setting
        assert f"at most {conf.MOST[setting]:,}" in problem.message


@pytest.mark.parametrize("setting", ["RELEASE", "APPLICATION"])
def test_text_that_cannot_be_sent_is_a_problem(setting: str) -> None:
    assert problems(**{setting: "\udc80"}) == [setting]


def test_the_bounds_are_told() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/settings.md").read_text("utf-8")
    assert not [most for most in conf.MOST.values() if f"{most:,}" not in page]
