"""Options are shown so that nodes can be compared, and no secret leaves with them."""

from __future__ import annotations

import pytest

from cachecheck.agent.backends.shown import shown_options

SECRET = "hunter2"


@pytest.mark.parametrize(
    "options",
    [
        {name: SECRET}
        for name in ("encryption_key", "signing_key", "pw", "PASSWORD", "anything", "key", "url")
    ]
    + [
        {"dsn": f"user=app password={SECRET} host=x"},
        {"url": f"redis://app:{SECRET}@host:1/0"},
        {"anything": SECRET.encode()},
        {"anything": [SECRET, {"deep": [SECRET]}]},
        {"anything": {"deep": {"deeper": SECRET}}},
        {"anything": [{"password": SECRET}]},
        {"sentinels": [("h", 1), {"password": SECRET}]},
        {"client_name": f"redis://app:{SECRET}@host:1/0"},
        {7: {"x": SECRET}},
        {"anything": {SECRET[:0]: SECRET}},
    ],
)
def test_no_secret_is_shown(options: dict[str, object]) -> None:
    assert SECRET not in repr(shown_options(options))


def test_numbers_are_secret_under_names_that_look_it() -> None:
    options = {"pin": 4711, "encryption_key": 4711, "auth": {"number": 4711, "list": [4711]}}
    assert "4711" not in repr(shown_options(options))


def test_text_of_an_unknown_option_is_told_to_be_there() -> None:
    assert shown_options({"a": "x", "b": "", "c": None, "d": ["x", 1]}) == (
        ("a", "set"),
        ("b", "not set"),
        ("c", "None"),
        ("d", "set, 1"),
    )


def test_what_decides_behaviour_is_shown() -> None:
    options = {
        "socket_timeout": 1.5,
        "max_connections": 7,
        "retry_on_timeout": True,
        "pool_class": "redis.BlockingConnectionPool",
        "ssl_cert_reqs": "required",
        "CLIENT_CLASS": "django_redis.client.DefaultClient",
        "SENTINELS": [("10.0.0.1", 26379)],
        "key_prefix": b"shop",
        "hasher": dict,
        "nested": {"db": "3", 7: 1},
    }
    assert dict(shown_options(options, "O.")) == {
        "O.socket_timeout": "1.5",
        "O.max_connections": "7",
        "O.retry_on_timeout": "True",
        "O.pool_class": "redis.BlockingConnectionPool",
        "O.ssl_cert_reqs": "required",
        "O.CLIENT_CLASS": "django_redis.client.DefaultClient",
        "O.SENTINELS": "10.0.0.1, 26379",
        "O.key_prefix": "shop",
        "O.hasher": "builtins.dict",
        "O.nested.db": "3",
        "O.nested.7": "1",
    }
