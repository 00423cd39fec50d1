"""What an end-to-end scenario is written in: a fleet to start, and what a check of it came to."""

import os
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.balancer import Balancer
from harness.memcached import MemcachedServer, start_memcached
from harness.nodes import Node, start_node
from harness.redis import RedisServer, start_redis

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
FILES = "django.core.cache.backends.filebased.FileBasedCache"
DATABASE = "django.core.cache.backends.db.DatabaseCache"
DUMMY = "django.core.cache.backends.dummy.DummyCache"
REDIS = "django.core.cache.backends.redis.RedisCache"
MEMCACHED = "django.core.cache.backends.memcached.PyMemcacheCache"
PYLIBMC = "django.core.cache.backends.memcached.PyLibMCCache"
DISKCACHE = "diskcache.DjangoCache"
DJANGO_REDIS = "django_redis.cache.RedisCache"


class Launch:
    """Starts servers and nodes, and ends them together."""

    def __init__(self, tmp: Path, started: ExitStack) -> None:
        self.tmp = tmp
        self._started = started

    def redis(self, **options: Any) -> RedisServer:
        return self._started.enter_context(start_redis(self.tmp, **options))

    def memcached(self, **options: Any) -> MemcachedServer:
        return self._started.enter_context(start_memcached(self.tmp, **options))

    def balancer(self, *behind: Node | RedisServer) -> Balancer:
        return self._started.enter_context(Balancer([each.port for each in behind]))

    def nodes(self, *each: dict[str, Any], **common: Any) -> tuple[Node, ...]:
        """Start nodes web-1, web-2, … at once; `each` has what is one node's own."""
        started = tuple(
            self._started.enter_context(
                start_node(self.tmp, wait=False, **{"name": f"web-{number}"} | common | own)
            )
            for number, own in enumerate(each, 1)
        )
        self._started.callback(_ask_to_end, started)
        for node in started:
            node.wait_until_booted()
        return started


@dataclass(frozen=True, kw_only=True, repr=False)
class Checked:
    """What a check came to: its exit code and its report."""

    exit_code: int
    report: dict[str, Any]

    def __repr__(self) -> str:
        told = [f"{one['code']} {one['severity']} {one['message']}" for one in self.findings]
        return "\n  ".join([f"exit {self.exit_code}", *told, *self.report["undecided"]])

    @property
    def findings(self) -> list[dict[str, Any]]:
        return list(self.report["findings"])

    @property
    def codes(self) -> list[str]:
        """The codes of all findings, one for each."""
        return [finding["code"] for finding in self.findings]

    @property
    def beyond_info(self) -> list[str]:
        """The codes of all findings that are more than information."""
        return [one["code"] for one in self.findings if one["severity"] != "info"]

    @property
    def codes_by_cache(self) -> dict[str, list[str]]:
        """The codes of the findings on each cache that was checked."""
        return {
            cache["alias"]: [one["code"] for one in self.findings if one["cache"] == cache["alias"]]
            for cache in self.report["caches"]
        }

    def only(self, code: str) -> dict[str, Any]:
        """Return the finding of this code, of which there must be one."""
        (found,) = (one for one in self.findings if one["code"] == code)
        return found

    def cache(self, alias: str = "default") -> dict[str, Any]:
        (found,) = (one for one in self.report["caches"] if one["alias"] == alias)
        return found

    def views_by_store(self, alias: str = "default") -> list[int]:
        """Return how many views each store of an alias has."""
        return [len(store["views"]) for store in self.cache(alias)["stores"]]


class Check(Protocol):
    """Checks nodes, or addresses, with these options."""

    def __call__(self, fleet: Iterable[Node | str], *options: str) -> Checked: ...


def _ask_to_end(nodes: Iterable[Node]) -> None:
    """Let nodes end at once; each is waited for in its turn."""
    for node in nodes:
        if node.is_running:
            os.kill(node.pid, node.stop_signal)


def caches(*aliases: str) -> list[str]:
    """Return the options that check these aliases and no others."""
    return [word for alias in aliases for word in ("--cache", alias)]


def outliers(finding: dict[str, Any]) -> set[str]:
    """Return the views outside the largest group of a finding."""
    return {view for group in finding["groups"][1:] for view in group["views"]}


def views_of(*nodes: Node) -> set[str]:
    """Return the names that a report gives to all views of nodes."""
    return {f"{node.address}:{pid}" for node in nodes for pid in node.worker_pids()}
