"""docs/reference/backends.md lists the backends that the agent knows, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from cachecheck.agent import caches
from cachecheck.agent.backends import libmemcached

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "backends.md").read_text("utf-8")


def test_every_backend_that_is_known_is_listed() -> None:
    listed = re.findall(r"^\| `([\w.]+)` \|", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(caches._BY_BASE_CLASS)  # noqa: SLF001


def test_what_is_known_of_libmemcached_is_listed() -> None:
    (row,) = re.findall(r"^\| PyLibMCCache \| the list \|.*$", PAGE, re.MULTILINE)
    known = {*libmemcached._HASHES, *libmemcached._DISTRIBUTIONS}  # noqa: SLF001
    assert set(re.findall(r"`([^`]+)`", row)) == known
