"""What the pages say of stores that are read directly, and of every key, against the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cachecheck.coordinator.audit import scheme
from cachecheck.stores.direct import parse_store, parsing
from harness.planting import Faults, fill_redis, pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.process import Finished
    from harness.redis import RedisServer

DOCS = Path(__file__).parents[2] / "docs"
CLI = (DOCS / "reference" / "cli.md").read_text("utf-8")
DIRECT = (DOCS / "how-to" / "read-stores-directly.md").read_text("utf-8")
EVERY_KEY = (DOCS / "how-to" / "compare-every-key.md").read_text("utf-8")
SUMS = (DOCS / "explanation" / "every-key.md").read_text("utf-8")
STORES = CLI.partition("### Stores\n")[2].partition("\n### ")[0]

SCHEME = re.compile(r"(?:rediss?(?:\+\w+)?|unix|memcached)://[^\s'\"`|]+")
ADMIN = "user default on nopass ~* +@all"


def told_parameters() -> set[str]:
    table = STORES.partition("| parameter |")[2]
    return set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def test_parameters_told_are_those_that_a_url_takes() -> None:
    assert told_parameters() == parsing._PARAMETERS  # noqa: SLF001


def test_schemes_told_are_those_that_a_url_takes() -> None:
    schemes = {url.partition("://")[0] for url in SCHEME.findall(STORES + DIRECT)}
    assert schemes == parsing._SCHEMES.keys() - {"rediss+sentinel", "rediss+cluster"}  # noqa: SLF001


@pytest.mark.parametrize("url", sorted(set(SCHEME.findall(DIRECT + EVERY_KEY))))
def test_every_url_shown_can_be_read(url: str) -> None:
    assert parse_store(url.rstrip(".,"))


def test_forms_told_of_prefix_and_version_are_those_of_a_url() -> None:
    table = dict(re.findall(r"^\| `([^`]+)` \| `([^`]+)…` \|$", DIRECT, re.MULTILINE))
    assert table
    for parameters, stored in table.items():
        assert parse_store(f"redis://cache-1/0?{parameters}").form == f"{stored}{{key}}"


def test_numbers_of_an_audit_are_those_of_the_code() -> None:
    assert f"Past {scheme.MOST_DIFFERENCES:,} keys" in EVERY_KEY
    assert f"more than {scheme.MOST_DIFFERENCES:,} entries" in SUMS


def rights_shown() -> str:
    (rules,) = re.findall(r"^ACL SETUSER (reader .+?)^```", DIRECT, re.MULTILINE | re.DOTALL)
    return " ".join(rules.split())


@pytest.mark.parametrize("without", ["+client|no-touch", "+client|no-touch +getrange +pexpiretime"])
def test_rights_shown_are_enough_to_compare_every_key(
    without: str,
    start_redis: Callable[..., RedisServer],
    run_cli: Callable[..., Finished],
    tmp_path: Path,
) -> None:
    """Without the right that came with Redis 7.2, and without those that can be done without."""
    rules = " ".join(word for word in rights_shown().split() if word not in without.split())
    servers = [start_redis(users=[ADMIN, f"user {rules}"]) for _ in range(2)]
    faults = Faults()
    fill_redis(*servers, pairs(500, faults), form="shop:1:{}")
    secret = tmp_path / "password"
    secret.write_text("password\n")
    words = [
        f"redis://reader@{server.address}/0?prefix=shop&password_file={secret}"
        for server in servers
    ]
    done = run_cli("check", "--all", "--settle", "0", *words)
    assert done.exit_code == 1, done
    assert "500 of 500" in done.stdout, done
    assert "Not seen" not in done.stdout
