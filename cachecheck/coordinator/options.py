"""What a run is asked to do, and where it stops: the options of ``check``, checked."""

from __future__ import annotations

from math import isfinite
from typing import Literal

from cachecheck.errors import UsageError
from cachecheck.model import LONGEST_SECONDS, Severity, Value
from cachecheck.wire import MAX_SAMPLE

Details = Literal["none", "readings", "values"]

MAX_KEY_CHARS = 250
MAX_MATCH_CHARS = 500  # as on the wire
MOST_CANARY_SETTLE = 30


class Options(Value, frozen=True, kw_only=True):
    """Durations are in seconds, ``rate`` in keys per second, ``require_coverage`` in percent.

    ``sample`` None: 1,000 keys, or none where keys are named. ``all`` compares every key instead,
    and draws a sample only where more differs than can be listed. ``caches`` empty: all. ``window``
    None: hits are compared as they were counted since each worker's start. ``details`` shows what
    each view has of the named keys, or also the values, of nodes that allow it.
    ``canary``: try what caches do by writing, too.
    """

    caches: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    match: str = "*"
    sample: int | None = None
    all: bool = False
    allow_touch: bool = False
    canary: bool = False
    max_scan: int = 200_000
    ttl_tolerance: float = 2.0
    lag_tolerance: float = 0.5
    settle: float = 10.0
    max_findings: int = 1000
    fail_on: Severity = "warning"
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    timeout: float = 5.0
    deadline: float = 50.0
    concurrency: int = 50
    rate: float | None = None
    window: float | None = None
    rollout_grace: float = 600.0
    require_coverage: float = 100.0
    redact: tuple[str, ...] = ()
    details: Details = "none"

    @property
    def sample_size(self) -> int:
        """How many keys to sample."""
        if self.sample is not None:
            return self.sample
        return 0 if self.keys and not self.all else DEFAULT_SAMPLE


DEFAULT_SAMPLE = 1000

_AT_LEAST = {
    "sample": 0,
    "max_scan": 1,
    "ttl_tolerance": 0,
    "lag_tolerance": 0,
    "settle": 0,
    "max_findings": 1,
    "timeout": 0.05,
    "deadline": 1,
    "concurrency": 1,
    "rate": 1,
    "window": 1,
    "rollout_grace": 0,
    "require_coverage": 0,
}
_AT_MOST = {"sample": MAX_SAMPLE, "concurrency": 1000, "require_coverage": 100}


def demand_sensible(options: Options) -> Options:
    """Give the options back; raises ``UsageError`` where one cannot be meant."""
    for name, least in _AT_LEAST.items():
        value = getattr(options, name)
        most = _AT_MOST.get(name)
        if value is not None and not (isfinite(value) and least <= value <= (most or value)):
            limit = f"between {least} and {most}" if most is not None else f"at least {least}"
            raise UsageError(f"--{name.replace('_', '-')} must be {limit}, not {value:g}")
    if options.all and options.sample is not None:
        raise UsageError("--all compares every key, --sample N some of them: give one of the two")
    if options.settle >= options.deadline:
        raise UsageError(
            f"--settle {options.settle:g} leaves no time within --deadline {options.deadline:g}: "
            "raise --deadline"
        )
    if options.window is not None and options.window >= options.deadline:
        raise UsageError(
            f"--window {options.window:g} leaves no time within --deadline {options.deadline:g}: "
            "raise --deadline"
        )
    if options.canary and options.settle > MOST_CANARY_SETTLE:
        raise UsageError(
            f"--settle {options.settle:g} is too long for a canary, which writes for "
            f"{LONGEST_SECONDS} s at most: {MOST_CANARY_SETTLE} is the longest"
        )
    if len(options.match) > MAX_MATCH_CHARS or not _is_text(options.match):
        raise UsageError(f"--match takes a glob of up to {MAX_MATCH_CHARS} characters in UTF-8")
    for key in options.keys:
        demand_key(key)
    return options


def _is_text(text: str) -> bool:
    """Whether a text can be sent: arguments that are not UTF-8 have surrogates in them."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def demand_key(key: str) -> None:
    """Refuse a key that no shared Django cache accepts (``memcache_key_warnings`` in Django)."""
    if not key:
        raise UsageError("a key must not be empty")
    if len(key) > MAX_KEY_CHARS:
        raise UsageError(
            f"the key {key[:40]!r}… has {len(key)} characters: {MAX_KEY_CHARS} are the most a "
            "Django cache takes"
        )
    if not _is_text(key):
        raise UsageError(f"the key {key!r} is not UTF-8")
    if any(ord(char) < 33 or ord(char) == 127 for char in key):  # noqa: PLR2004  as Django has it
        raise UsageError(
            f"the key {key!r} has spaces or control characters, which memcached refuses: "
            "give one key with each --key"
        )
