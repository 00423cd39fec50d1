"""Two stores that hold the same entries, but for faults that are known."""

import pickle
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from redis.client import Pipeline

from harness.memcached import MemcachedServer
from harness.redis import RedisServer

BATCH = 2000


@dataclass(frozen=True)
class Entry:
    """An entry by its logical name; `expires_ms` None never expires."""

    name: str
    value: bytes
    expires_ms: int | None


Pair = tuple[Entry | None, Entry | None]
"""An entry as two stores hold it."""


@dataclass
class Faults:
    """How many entries of the second store are at fault in each way; `named` tells which."""

    missing: int = 30
    extra: int = 30
    changed: int = 30
    resized: int = 30
    drifted: int = 30
    persistent: int = 10
    named: dict[str, set[str]] = field(default_factory=dict)

    @property
    def by_code(self) -> dict[str, set[str]]:
        """The keys that each finding must name."""
        named = self.named
        return {
            "V001": named["changed"] | named["resized"],
            "V002": named["missing"] | named["extra"],
            "T001": named["drifted"],
            "T002": named["persistent"],
        }


def pairs(
    count: int, faults: Faults | None, *, lasts_seconds: float = 7200, seed: int = 1
) -> Iterator[Pair]:
    """Give `count` entries as the first and the second store hold them, values of 80 to 400 bytes.

    Values are pickles, as a Django cache stores them; expiries are whole seconds.
    """
    chance = random.Random(seed)
    soonest = int(time.time() + lasts_seconds) * 1000
    kinds = iter(_kinds(faults, count, chance))
    for number in range(count):
        kind = next(kinds)
        name = f"catalogue:item:{number:07}"
        value = pickle.dumps(chance.randbytes(chance.randint(64, 384)), protocol=4)
        entry = Entry(name, value, soonest + chance.randint(0, 3600) * 1000)
        yield _pair(kind, entry)
        if faults is not None and kind != "none":
            faults.named.setdefault(kind, set()).add(name)


def fill_redis(
    first: RedisServer, second: RedisServer, entries: Iterable[Pair], *, form: str = "{}"
) -> None:
    """Store pairs of entries in two Redis servers, under the stored form of their names."""
    with first.client() as one, second.client() as other:
        _fill(entries, (one.pipeline(transaction=False), other.pipeline(transaction=False)), form)


def fill_memcached(
    first: MemcachedServer, second: MemcachedServer, entries: Iterable[Pair], *, form: str = "{}"
) -> None:
    """Store pairs of entries in two memcached servers, as pickles (flag 1 of pymemcache)."""
    from pymemcache import Client  # noqa: PLC0415 - only tests of memcached need it

    with closing(Client(first.address)) as one, closing(Client(second.address)) as other:
        for pair in entries:
            for client, entry in zip((one, other), pair, strict=True):
                if entry is not None:
                    expire = 0 if entry.expires_ms is None else entry.expires_ms // 1000
                    client.set(form.format(entry.name), entry.value, expire=expire, flags=1)


def _fill(entries: Iterable[Pair], pipelines: Sequence[Pipeline], form: str) -> None:
    for number, pair in enumerate(entries, 1):
        for pipeline, entry in zip(pipelines, pair, strict=True):
            if entry is not None:
                expiry = () if entry.expires_ms is None else ("PXAT", entry.expires_ms)
                pipeline.execute_command("SET", form.format(entry.name), entry.value, *expiry)
        if number % BATCH == 0:
            for pipeline in pipelines:
                pipeline.execute()
    for pipeline in pipelines:
        pipeline.execute()


def _kinds(faults: Faults | None, count: int, chance: random.Random) -> list[str]:
    kinds = ["none"] * count
    if faults is None:
        return kinds
    wanted = [
        kind
        for kind in ("missing", "extra", "changed", "resized", "drifted", "persistent")
        for _ in range(getattr(faults, kind))
    ]
    for place, kind in zip(chance.sample(range(count), len(wanted)), wanted, strict=True):
        kinds[place] = kind
    return kinds


def _pair(kind: str, entry: Entry) -> Pair:
    if kind == "extra":
        return None, entry
    return entry, None if kind == "missing" else _other(kind, entry)


def _other(kind: str, entry: Entry) -> Entry:
    """Give the entry as the second store has it."""
    match kind:
        case "changed":
            changed = entry.value[:-3] + bytes([entry.value[-3] ^ 1]) + entry.value[-2:]
            return replace(entry, value=changed)
        case "resized":
            longer = pickle.dumps(pickle.loads(entry.value) + b"!", protocol=4)
            return replace(entry, value=longer)
        case "drifted":
            return replace(entry, expires_ms=entry.expires_ms + 600_000)
        case "persistent":
            return replace(entry, expires_ms=None)
        case _:
            return entry
