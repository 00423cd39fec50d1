"""Which servers of a Redis Cluster serve which slots: what it says of itself. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import replace

from cachecheck.errors import StoreError
from cachecheck.model import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cachecheck.stores.direct.spec import Host

SLOTS = 16_384

_NODE_FIELDS = 8  # id, address, flags, id of the primary, three times, link

Range: TypeAlias = tuple[int, int]


class Member(Value, order=True, frozen=True, kw_only=True):
    """A server of a cluster: where it listens, and the id that it keeps.

    ``is_failed`` says that the cluster takes it for failed, and names it to no client.
    """

    host: tuple[str, int]
    id: str
    is_failed: bool = False


class Shard(Value, frozen=True, kw_only=True):
    """A primary with its replicas, and the ranges of slots that they serve."""

    slots: tuple[Range, ...]
    primary: Member
    replicas: tuple[Member, ...]

    def member(self, replica_set: int) -> Member:
        """Give the replica of this number, from 1 on; 0, or where there is none, the primary."""
        if replica_set and self.has(replica_set):
            return self.replicas[replica_set - 1]
        return self.primary

    def has(self, replica_set: int) -> bool:
        """Say whether there is a replica of this number; 0 is the primary."""
        return replica_set <= len(self.replicas)


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


def with_failed(shards: Iterable[Shard], nodes: str) -> tuple[Shard, ...]:
    """Add the replicas that have failed, from an answer to CLUSTER NODES.

    One that is connected and in no map of slots is still being filled: nobody is sent to it yet.
    """
    failed: dict[str, list[Member]] = {}
    for line in nodes.splitlines():
        fields = line.split()
        if len(fields) < _NODE_FIELDS or not _is_failed_replica(fields[2], fields[7]):
            continue
        host, _, port = fields[1].partition("@")[0].rpartition(":")
        member = Member(host=(host, int(port or 0)), id=fields[0], is_failed=True)
        failed.setdefault(fields[3], []).append(member)
    return tuple(_with_members(shard, failed.get(shard.primary.id, ())) for shard in shards)


def uncovered(shards: Iterable[Shard]) -> str | None:
    """Name the slots that no server serves; None: all are served."""
    gaps = list(_gaps(sorted(own for shard in shards for own in shard.slots)))
    return shown_slots(gaps) if gaps else None


def shown_slots(ranges: Iterable[Range]) -> str:
    """Write ranges of slots: ``0-99, 200``."""
    return ", ".join(f"{start}-{end}" if start < end else f"{start}" for start, end in ranges)


def distribution(shards: Iterable[Shard], replica_set: int = 0) -> str:
    """Digest how slots are divided into shards, and which servers a replica set is made of.

    Primaries do not count: whichever serves a shard just now has what its clients see.
    """
    divided = ";".join(
        f"{shown_slots(shard.slots)} {shard.member(replica_set).id if replica_set else ''}"
        for shard in shards
    )
    return hashlib.sha256(divided.encode()).hexdigest()[:8]


def _is_failed_replica(flags: str, link: str) -> bool:
    told = flags.split(",")
    is_lost = not {"fail", "noaddr"}.isdisjoint(told) or link != "connected"
    return is_lost and not {"slave", "replica"}.isdisjoint(told)


def _with_members(shard: Shard, failed: Iterable[Member]) -> Shard:
    known = {member.id for member in shard.replicas}
    lost = [member for member in failed if member.id not in known]
    return replace(shard, replicas=tuple(sorted([*shard.replicas, *lost])))


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
