from __future__ import annotations

import pickle
import re
from typing import Any

import pytest

from cachecheck.errors import UsageError
from cachecheck.stores.direct import StoreSpec, address, parse_store, url, with_password

PASSWORD = "hunter2-very-secret"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("redis://cache.example", {"kind": "redis", "hosts": (("cache.example", 6379),)}),
        ("REDIS://h:7000/2", {"hosts": (("h", 7000),), "db": 2, "is_tls": False}),
        ("rediss://site@h", {"kind": "redis", "is_tls": True, "username": "site"}),
        ("redis://[2001:db8::1]:7000", {"hosts": (("2001:db8::1", 7000),)}),
        ("unix:///run/re%20dis.sock?db=3", {"path": "/run/re dis.sock", "db": 3, "hosts": ()}),
        (
            "redis+sentinel://a,[::2]:26380/main/1",
            {
                "kind": "sentinel",
                "hosts": (("a", 26379), ("::2", 26380)),
                "service": "main",
                "db": 1,
            },
        ),
        ("rediss+sentinel://a/main", {"kind": "sentinel", "is_tls": True, "db": 0}),
        ("redis+cluster://a,b:7", {"kind": "cluster", "hosts": (("a", 6379), ("b", 7))}),
        ("rediss+cluster://a", {"kind": "cluster", "is_tls": True}),
        (
            "memcached://a,b:7",
            {"kind": "memcached", "hosts": (("a", 11211), ("b", 7))},
        ),
        ("redis://h?prefix=shop", {"form": "shop:1:{key}"}),
        ("redis://h?prefix=shop&version=7", {"form": "shop:7:{key}"}),
        ("redis://h?version=7", {"form": ":7:{key}"}),
        ("redis://h?form=a:{key}:z", {"form": "a:{key}:z"}),
        ("redis://h?cache=sessions&application=shop", {"cache": "sessions", "application": "shop"}),
        ("redis://h?replicas=no", {"with_replicas": False}),
        ("redis://h?password_file=/run/secret+1", {"password_file": "/run/secret+1"}),
    ],
)
def test_a_url_says_which_store_is_meant(word: str, expected: dict[str, Any]) -> None:
    spec = parse_store(word)
    assert {name: getattr(spec, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("cache.example:6379", "must begin with one of redis://"),
        ("http://h", "must begin with one of redis://"),
        ("redis://", "a host is missing"),
        ("redis:///0", "a host is missing"),
        ("redis://a,b", "one host"),
        ("redis+cluster://a,,b", "a host is missing"),
        ("redis://h:0", "from 1 to 65535"),
        ("redis://h:65536", "from 1 to 65535"),
        ("redis://h:port", "from 1 to 65535"),
        ("redis://[::1", "IPv6 in brackets"),
        ("redis://h/one", "a database is a number"),
        ("redis://h/1?db=2", "stands in the path"),
        ("redis://h?flavour=mild", "what may follow the ? is application, cache"),
        ("redis://h?cache=a&cache=b", "cache is given twice"),
        ("redis://h?cache=", "cache is empty"),
        ("redis://h?form=static", "exactly once"),
        ("redis://h?form={key}{key}", "exactly once"),
        ("redis://h?prefix={key}", "exactly once"),
        ("redis://h?prefix=a&form={key}", "one or the other"),
        ("redis://h?replicas=some", "yes or no"),
        ("redis://h\n", "no control characters"),
        ("redis://h?prefix=a%00b", "no control characters"),
        ("redis://h#fragment", "only as %20 and %23"),
        ("unix://run/redis", "third slash"),
        ("redis+sentinel://h", "the service is missing"),
        ("redis+cluster://h/1", "no numbered databases"),
        ("memcached://h/0", "no numbered databases"),
        ("memcached://site@h", "not supported"),
        ("memcached://h?password_file=f", "not supported"),
        (f"redis://{'h' * 5000}", "more than 4000 characters"),
        (f"memcached://{','.join('h' * 201)}", "at most 200 hosts"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_reason(word: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        parse_store(word)


@pytest.mark.parametrize(
    "word",
    [
        f"redis://:{PASSWORD}@h",
        f"redis://site:{PASSWORD}@h/0",
        f"redis://site%3A{PASSWORD}@h/0",
        f"redis://h?password={PASSWORD}",
        f"redis+cluster://site:{PASSWORD}@h",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(word: str) -> None:
    with pytest.raises(UsageError, match="password_file=FILE") as refused:
        parse_store(word)
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize(
    "word",
    [f"redis://h:{PASSWORD}", f"redis://h/{PASSWORD}", f"redis://h?{PASSWORD}", f"{PASSWORD}"],
)
def test_what_is_wrong_is_not_repeated_as_it_may_be_a_password(word: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_store(word)
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize(
    "word",
    [
        "redis://h:7000/2?form=shop:1:{key}",
        "rediss://[::1]:6379/0?cache=sessions&application=shop&replicas=no",
        "unix:///run/re%20dis.sock?db=3&form=a%3F{key}",
        "redis+sentinel://a:26379,b:26380/main/1",
        "rediss+cluster://a:6379,b:7",
        "memcached://a:11211,[::2]:7",
    ],
)
def test_a_store_is_written_as_it_is_read(word: str) -> None:
    assert url(parse_store(word)) == word


def test_a_store_goes_by_its_address_unless_it_is_named() -> None:
    assert parse_store("redis://site@h?prefix=shop").name == "redis://h:6379/0"
    assert parse_store("redis://h", name="left").name == "left"
    many = parse_store(f"redis+cluster://{','.join(f'host-{number}' for number in range(50))}")
    assert len(many.name) == 120


def test_certificates_are_for_stores_that_speak_tls() -> None:
    files = {"ca_file": "ca.pem", "client_cert": "us.pem"}
    secured, plain = parse_store("rediss://h", **files), parse_store("redis://h", **files)
    assert (secured.ca_file, secured.client_cert) == ("ca.pem", "us.pem")
    assert (plain.ca_file, plain.client_cert) == (None, None)


def test_the_password_is_in_nothing_that_is_shown() -> None:
    spec = with_password(parse_store("redis://site@h?password_file=/run/cache-secret"), PASSWORD)
    shown = [repr(spec), str(spec), f"{spec}", repr((spec,)), str(spec.__rich_repr__())]
    shown += [address(spec), url(spec)]
    assert not any(PASSWORD in text or "cache-secret" in text for text in shown)
    assert "'h'" in repr(spec)


def test_a_store_reaches_another_process_whole() -> None:
    spec = with_password(parse_store("redis://site@h?prefix=shop"), PASSWORD)
    assert pickle.loads(pickle.dumps(spec)) == spec


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_line_end_of_a_password_file_is_no_part_of_the_password(end: str) -> None:
    spec: StoreSpec = with_password(parse_store("redis://h"), f" {PASSWORD} {end}")
    assert spec.password == f" {PASSWORD} "
