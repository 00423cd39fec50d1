"""Which servers of a Redis Cluster serve which slots: what ``CLUSTER SLOTS`` says. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, TypeAlias

from cachecheck.errors import StoreError
from cachecheck.model import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cachecheck.stores.direct.spec import Host

SLOTS = 16_384

Range: TypeAlias = tuple[int, int]


class Member(Value, order=True, frozen=True, kw_only=True):
    """A server of a cluster: where it listens, and the id that it keeps."""

    host: tuple[str, int]
    id: str


class Shard(Value, frozen=True, kw_only=True):
    """A primary with its replicas, and the ranges of slots that they serve."""

    slots: tuple[Range, ...]
    primary: Member
    replicas: tuple[Member, ...]

    def member(self, replica_set: int) -> Member:
        """Give the replica of this number, from 1 on; 0, or where there is none, the primary."""
        if 1 <= replica_set <= len(self.replicas):
            return self.replicas[replica_set - 1]
        return self.primary


def shards_of(answer: Sequence[Any], asked: Host) -> tuple[Shard, ...]:
    """Read an answer to CLUSTER SLOTS: shards by their lowest slots, replicas by their addresses.

    A server that names no host is to be found at the one that was ``asked``.
    """
    ranges: dict[Member, list[Range]] = {}
    replicas: dict[Member, set[Member]] = {}
    try:
        for start, end, *members in answer:
            primary, *others = (_member(member, asked) for member in members)
            ranges.setdefault(primary, []).append((int(start), int(end)))
            replicas.setdefault(primary, set()).update(others)
    except (TypeError, ValueError, IndexError):
        raise StoreError("CLUSTER SLOTS was answered with what is no map of slots") from None
    shards = (
        Shard(slots=tuple(sorted(own)), primary=primary, replicas=tuple(sorted(replicas[primary])))
        for primary, own in ranges.items()
    )
    return tuple(sorted(shards, key=lambda shard: shard.slots))


def uncovered(shards: Iterable[Shard]) -> str | None:
    """Name the slots that no server serves; None: all are served."""
    gaps = list(_gaps(sorted(own for shard in shards for own in shard.slots)))
    return shown_slots(gaps) if gaps else None


def shown_slots(ranges: Iterable[Range]) -> str:
    """Write ranges of slots: ``0-99, 200``."""
    return ", ".join(f"{start}-{end}" if start < end else f"{start}" for start, end in ranges)


def distribution(shards: Iterable[Shard]) -> str:
    """Digest how slots are divided into shards, whichever servers serve these just now."""
    divided = ";".join(shown_slots(shard.slots) for shard in shards)
    return hashlib.sha256(divided.encode()).hexdigest()[:8]


def _gaps(ranges: Iterable[Range]) -> Iterator[Range]:
    free = 0
    for start, end in ranges:
        if start > free:
            yield free, start - 1
        free = max(free, end + 1)
    if free < SLOTS:
        yield free, SLOTS - 1


def _member(told: Sequence[Any], asked: Host) -> Member:
    host, port, identifier = _text(told[0]), int(told[1]), _text(told[2])
    if host == "?":
        raise StoreError("a server of the cluster does not know its own address")
    return Member(host=(host or asked[0], port), id=identifier)


def _text(told: bytes | str | None) -> str:
    return told.decode() if isinstance(told, bytes) else told or ""
