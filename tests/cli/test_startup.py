"""What starts quickly because it leaves out what it does not need."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.redis import RedisServer


def loaded_by(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after this code."""
    printing = f"{code}\nimport sys; print('loaded:', *sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", printing],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.rpartition("loaded:")[2].split())


RUN = """
import sys
from contextlib import suppress
from cachecheck.cli.main import main
sys.argv = ["cachecheck", {arguments}]
with suppress(SystemExit):
    main()
"""

STARTED = """
from django.conf import settings
settings.configure(
    SECRET_KEY="only for tests",
    ROOT_URLCONF="cachecheck.agent.urls",
    INSTALLED_APPS=["cachecheck.agent"],
    CACHES={
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://x"},
        "memory": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    },
    CACHECHECK={"SECRET": "a-test-secret-of-forty-characters-000001"},
)
import django
django.setup()
from django.urls import resolve
resolve("/probe")
"""


@pytest.mark.parametrize("arguments", ["'--help'", "'check', '--help'", "'--version'"])
def test_help_loads_no_client_of_nodes_or_stores(arguments: str) -> None:
    loaded = loaded_by(RUN.format(arguments=arguments))
    assert "cachecheck.cli.check" in loaded
    unwanted = {"httpx", "rich", "redis", "hiredis", "pymemcache", "django", "cryptography"}
    assert not loaded & unwanted


def test_start_of_a_site_loads_no_client_and_no_cryptography() -> None:
    loaded = loaded_by(STARTED)
    assert "cachecheck.agent.views" in loaded
    unwanted = {"redis", "pymemcache", "http_message_signatures", "cryptography"}
    unwanted |= {"httpx", "typer", "rich", "tabulate"}
    assert not loaded & unwanted


def test_check_of_stores_alone_loads_no_client_of_nodes(redis_server: RedisServer) -> None:
    loaded = loaded_by(RUN.format(arguments=f"'nodes', '{redis_server.url}', '--no-progress'"))
    assert "cachecheck.stores.direct.answering" in loaded
    assert not loaded & {"httpx", "httpcore", "http_message_signatures", "pymemcache"}


def test_help_loads_nothing_that_reads_stores() -> None:
    assert "cachecheck.stores.direct" not in loaded_by(RUN.format(arguments="'check', '--help'"))
