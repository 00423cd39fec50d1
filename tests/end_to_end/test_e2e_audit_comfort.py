"""`check --all` never says consistent of what it did not compare, and counts keys once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from harness.redis import RedisServer
    from harness.scenarios import Check, Launch

ALL = ("--all", "--settle", "0")


@pytest.fixture
def servers(launch: Launch) -> list[RedisServer]:
    return [launch.redis() for _ in range(2)]


def fill(servers: list[RedisServer], count: int, *, expire: int | None = None, **but: str) -> None:
    """Store keys of the shop in all servers alike, but for those named, which only differ."""
    for number, server in enumerate(servers):
        with server.client() as client:
            for place in range(count):
                value = f"value {place}"
                client.set(f"shop:1:k{place}", value, ex=expire)
            for name, value in but.items():
                client.set(f"shop:1:{name}", f"{value} {number}", ex=expire)


def test_keys_that_may_not_be_read_leave_it_undecided(
    servers: list[RedisServer], check: Check, tmp_path: Path
) -> None:
    fill(servers, 50, k1="other")
    for server in servers:
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "mon", "on", ">pass", "+@all", "~else:*")
    password = tmp_path / "password"
    password.write_text("pass")
    urls = [server.url.replace("redis://", "redis://mon@") for server in servers]
    checked = check([f"{url}?prefix=shop&password_file={password}" for url in urls], *ALL)
    assert checked.exit_code == 3
    assert any("not allowed" in line for line in checked.report["undecided"])


def test_entries_of_five_minutes_are_compared_whatever_the_deadline(
    servers: list[RedisServer], check: Check
) -> None:
    fill(servers, 50, expire=300, k1="other")
    checked = check([server.url for server in servers], *ALL, "--deadline", "600")
    assert checked.exit_code == 1
    assert checked.cache()["coverage"]["keys_compared"] == 50


def test_entries_that_expire_too_soon_are_not_called_consistent(
    servers: list[RedisServer], check: Check
) -> None:
    fill(servers, 50, expire=10, k1="other")
    checked = check([server.url for server in servers], *ALL, "--rate", "10")
    assert checked.exit_code == 3
    assert any("expire too soon" in line for line in checked.report["undecided"])


@pytest.mark.parametrize("options", [("?prefix=shp",), ("?prefix=shop", "--match", "zz*")])
def test_no_key_at_all_is_not_called_consistent(
    servers: list[RedisServer], check: Check, options: tuple[str, ...]
) -> None:
    fill(servers, 20, k1="other")
    query, *rest = options
    checked = check([f"{server.url}{query}" for server in servers], *ALL, *rest)
    assert checked.exit_code == 3
    assert any("no key was compared" in line for line in checked.report["undecided"])


def test_empty_stores_are_consistent(servers: list[RedisServer], check: Check) -> None:
    checked = check([server.url for server in servers], *ALL)
    assert (checked.exit_code, checked.codes) == (0, [])


def test_a_key_that_is_named_as_well_is_counted_once(
    servers: list[RedisServer], check: Check
) -> None:
    fill(servers, 50)
    named = ("--key", "k1", "--key", "k2", "--key", "not-there")
    checked = check([f"{server.url}?prefix=shop" for server in servers], *ALL, *named)
    cache = checked.cache()
    assert cache["coverage"]["keys_compared"] == cache["coverage"]["keys_known"] == 50
    assert cache["agreement"]["agreeing"] == 50


def test_session_keys_are_redacted_behind_a_prefix_that_nobody_told(
    servers: list[RedisServer], check: Check
) -> None:
    with servers[0].client() as client:
        client.set(":1:django.contrib.sessions.cacheabcdef", "somebody's")
    checked = check([server.url for server in servers], *ALL)
    assert checked.codes == ["V002"]
    assert checked.only("V002")["subject"].startswith("redacted:")
