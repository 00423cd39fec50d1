"""What `manage.py check` says of the agent's settings, and `--deploy` of the caches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.core import checks as django_checks
from django.test import override_settings

from cachecheck.agent import checks, conf
from cachecheck.agent.relay import starting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.redis import RedisServer

SECRET = "a-test-secret-of-forty-characters-000001"
SITE_SECRET = "the-secret-key-of-the-site-with-fifty-characters-and"
BACKENDS = "django.core.cache.backends"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (conf.SECRET_VARIABLE, conf.ENABLED_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def found(**cachecheck: Any) -> list[django_checks.CheckMessage]:
    with override_settings(CACHECHECK={"SECRET": SECRET, **cachecheck}):
        return checks.check_settings()


def ids(messages: list[django_checks.CheckMessage]) -> list[str]:
    return [str(message.id).removeprefix("cachecheck.") for message in messages]


def deployed(caches: dict[str, Any], **cachecheck: Any) -> list[django_checks.CheckMessage]:
    with override_settings(CACHES=caches, CACHECHECK={"SECRET": SECRET, **cachecheck}):
        return checks.check_deployment()


def test_good_settings_are_silent() -> None:
    assert found() == []


def test_both_checks_are_registered() -> None:
    registered = django_checks.registry.registry.get_checks(include_deployment_checks=True)
    assert {checks.check_settings, checks.check_deployment} <= set(registered)
    always = django_checks.registry.registry.get_checks()
    assert checks.check_settings in always
    assert checks.check_deployment not in always


def test_unknown_settings_are_errors() -> None:
    messages = found(SECRETS=["x"], max_keys=1)
    assert ids(messages) == ["E001", "E001"]
    assert all(message.level == django_checks.ERROR for message in messages)
    assert "'SECRETS'" in messages[0].msg
    assert "MAX_KEYS" in str(messages[0].hint)


def test_name_that_is_no_text_is_an_unknown_setting() -> None:
    assert ids(found(NODE="web-1")) == []
    with override_settings(CACHECHECK={"SECRET": SECRET, 7: "x", None: "y"}):
        assert ids(checks.check_settings()) == ["E001", "E001"]


def test_bad_value_is_an_error_that_says_what_is_right() -> None:
    (message,) = found(MAX_KEYS="many")
    assert ids([message]) == ["E002"]
    assert "CACHECHECK['MAX_KEYS'] must be a positive whole number" in message.msg
    assert "404" in str(message.hint)


def test_settings_that_are_no_dictionary_are_an_error() -> None:
    with override_settings(CACHECHECK=["SECRET"]):
        assert "E002" in ids(checks.check_settings())


def test_missing_secret_is_a_warning() -> None:
    (message,) = found(SECRET=None)
    assert ids([message]) == ["W001"]
    assert message.level == django_checks.WARNING
    assert conf.SECRET_VARIABLE in str(message.hint)


def test_secret_of_the_site_is_a_warning() -> None:
    with override_settings(SECRET_KEY=SITE_SECRET):
        assert ids(found(SECRET=SITE_SECRET)) == ["W002"]
        assert ids(found(SECRET=[("new", SECRET), ("old", SITE_SECRET)])) == ["W002"]


def test_short_secret_is_a_warning_that_does_not_show_it() -> None:
    (message,) = found(SECRET="swordfish")
    assert ids([message]) == ["W003"]
    assert message.level == django_checks.WARNING
    assert "9 bytes" in message.msg
    assert "swordfish" not in f"{message.msg} {message.hint}"


def test_agent_that_is_switched_off_says_so() -> None:
    (message,) = found(ENABLED=False)
    assert (ids([message]), message.level) == (["I001"], django_checks.INFO)


@pytest.mark.parametrize(
    ("backend", "id_", "scope"),
    [("locmem.LocMemCache", "W004", "worker"), ("dummy.DummyCache", "W005", "none")],
)
def test_cache_that_production_should_not_have_is_a_warning_unless_declared(
    backend: str, id_: str, scope: str
) -> None:
    caches = {"default": {"BACKEND": f"{BACKENDS}.{backend}"}}
    (message,) = deployed(caches)
    assert ids([message]) == [id_]
    assert f"{{'default': '{scope}'}}" in str(message.hint)
    assert deployed(caches, SCOPES={"default": scope}) == []
    assert ids(deployed(caches, SCOPES={"default": "host"})) == [id_]
    assert deployed(caches, CACHES=[]) == []


def test_shared_cache_without_a_prefix_is_a_warning_where_others_use_it_too(
    redis_server: RedisServer,
) -> None:
    redis = {"BACKEND": f"{BACKENDS}.redis.RedisCache", "LOCATION": redis_server.url}
    with redis_server.client() as client:
        client.set(":1:ours", "1")
        assert deployed({"default": redis}) == []
        client.set("queue:of:others", "1")
        (message,) = deployed({"default": redis})
        assert ids([message]) == ["W006"]
        assert "KEY_PREFIX" in str(message.hint)
        assert deployed({"default": {**redis, "KEY_PREFIX": "shop"}}) == []


def test_store_that_is_down_or_a_backend_that_is_broken_breaks_no_check() -> None:
    down = {"BACKEND": f"{BACKENDS}.redis.RedisCache", "LOCATION": "redis://127.0.0.1:9/0"}
    assert deployed({"default": down}) == []
    absent = {"BACKEND": "no.such.Cache", "LOCATION": "x"}
    local = {"BACKEND": f"{BACKENDS}.locmem.LocMemCache"}
    assert ids(deployed({"default": local, "broken": absent})) == ["W004"]


def test_settings_are_checked_without_a_look_at_any_cache(
    monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer
) -> None:
    monkeypatch.setattr(settings, "CACHES", {"default": {"BACKEND": "no.such.Cache"}})
    assert found() == []
    with redis_server.client() as client:
        assert "cmdstat_scan" not in client.info("commandstats")


def test_checks_run_by_the_site_s_own_command(
    make_cache: Callable[..., object],
) -> None:
    del make_cache  # Django is configured
    with override_settings(CACHECHECK={"SECRET": SECRET, "NODES": 1}):
        messages = django_checks.run_checks(tags=["cachecheck"])
    assert ids(messages) == ["E001"]


# --- key builders --------------------------------------------------------------------------


def test_builder_that_cannot_be_imported_is_an_error_that_names_it() -> None:
    good = {"name": f"{__name__}.test_good_settings_are_silent"}
    assert found(KEY_BUILDERS=good) == []
    bad = {"here": f"{__name__}.nowhere", "module": "nowhere.at_all", "text": f"{__name__}.SECRET"}
    messages = found(KEY_BUILDERS=bad)
    assert ids(messages) == ["E003"] * 3
    told = [message.msg for message in messages]
    assert "'module': nowhere.at_all cannot be loaded: ModuleNotFoundError" in told[1]
    assert "TypeError" in told[2]


def test_a_relay_that_cannot_work_is_a_warning_and_one_that_is_not_wanted_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(starting, "_state", starting._State())  # noqa: SLF001  a process that is new
    (message,) = found(RELAY=str(tmp_path / "absent"))
    assert ids([message]) == ["W007"]
    assert str(tmp_path / "absent") in message.msg
    assert found(RELAY=str(tmp_path)) == found(RELAY=False) == []


def test_source_of_truth_that_cannot_be_imported_is_an_error_that_names_it() -> None:
    assert found(TRUTH={"a:*": f"{__name__}.test_good_settings_are_silent"}) == []
    messages = found(TRUTH={"a:*": f"{__name__}.nowhere", "b:*": "nowhere.at_all"})
    assert ids(messages) == ["E003"] * 2
    assert "'b:*': nowhere.at_all cannot be loaded: ModuleNotFoundError" in messages[1].msg


@pytest.mark.parametrize("truth", [["a"], {"a": "article"}, {"a": 1}, {"": "a.b"}, {"a": "a b.c"}])
def test_source_of_truth_of_another_form_shuts_the_endpoint(truth: object) -> None:
    (message,) = found(TRUTH=truth)
    assert message.id == "cachecheck.E002"
    assert "key patterns to dotted paths" in message.msg
