"""What a run is asked to do, and where it stops: the options of ``check``, checked."""

from __future__ import annotations

from cachecheck.errors import UsageError
from cachecheck.model import Severity, Value
from cachecheck.wire import MAX_SAMPLE

MAX_KEY_CHARS = 250


class Options(Value, frozen=True, kw_only=True):
    """Durations are in seconds, ``rate`` in keys per second, ``require_coverage`` in percent.

    ``sample`` None: 1,000 keys, or none where keys are named. ``caches`` empty: all.
    """

    caches: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    match: str = "*"
    sample: int | None = None
    max_scan: int = 200_000
    ttl_tolerance: float = 2.0
    settle: float = 10.0
    max_findings: int = 1000
    fail_on: Severity = "warning"
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    timeout: float = 5.0
    deadline: float = 50.0
    concurrency: int = 50
    rate: float | None = None
    rollout_grace: float = 600.0
    require_coverage: float = 100.0
    redact: tuple[str, ...] = ()

    @property
    def sample_size(self) -> int:
        """How many keys to sample."""
        if self.sample is not None:
            return self.sample
        return 0 if self.keys else DEFAULT_SAMPLE


DEFAULT_SAMPLE = 1000

_AT_LEAST = {
    "sample": 0,
    "max_scan": 1,
    "ttl_tolerance": 0,
    "settle": 0,
    "max_findings": 1,
    "timeout": 0.05,
    "deadline": 1,
    "concurrency": 1,
    "rate": 1,
    "rollout_grace": 0,
    "require_coverage": 0,
}
_AT_MOST = {"sample": MAX_SAMPLE, "concurrency": 1000, "require_coverage": 100}


def demand_sensible(options: Options) -> Options:
    """Give the options back; raises ``UsageError`` where one cannot be meant."""
    for name, least in _AT_LEAST.items():
        value = getattr(options, name)
        most = _AT_MOST.get(name)
        if value is not None and (value < least or (most is not None and value > most)):
            limit = f"between {least} and {most}" if most is not None else f"at least {least}"
            raise UsageError(f"--{name.replace('_', '-')} must be {limit}, not {value:g}")
    if options.settle >= options.deadline:
        raise UsageError(
            f"--settle {options.settle:g} leaves no time within --deadline {options.deadline:g}: "
            "raise --deadline"
        )
    for key in options.keys:
        demand_key(key)
    return options


def demand_key(key: str) -> None:
    """Refuse a key that no shared Django cache accepts (``memcache_key_warnings`` in Django)."""
    if not key:
        raise UsageError("a key must not be empty")
    if len(key) > MAX_KEY_CHARS:
        raise UsageError(
            f"the key {key[:40]!r}… has {len(key)} characters: {MAX_KEY_CHARS} are the most a "
            "Django cache takes"
        )
    if any(ord(char) < 33 or ord(char) == 127 for char in key):  # noqa: PLR2004  as Django has it
        raise UsageError(
            f"the key {key!r} has spaces or control characters, which memcached refuses: "
            "give one key with each --key"
        )
