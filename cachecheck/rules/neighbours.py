"""The namespaces that lie in a store beside the one that a view uses, and what they take of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.heads import Weighed
    from cachecheck.rules.observations import Contents


class Neighbour(NamedTuple):
    """A namespace beside a view's own in one store; shares are of all that the store holds.

    ``share_of_bytes`` and ``share_lasting`` (of its entries, those that never expire) are estimates
    from some entries, None where none could be weighed. ``newest_expiry`` is the last that was seen
    of them, in the coordinator's clock; ``is_told`` False: all that were asked for were no cache
    values, or not to be read.
    """

    prefix: str
    version: int
    entries: int
    share: float
    share_of_bytes: float | None
    share_lasting: float | None
    newest_expiry: float | None
    is_told: bool

    @property
    def head(self) -> str:
        """What stored keys of it begin with."""
        return f"{self.prefix}:{self.version}:"


def neighbours(one: Contents) -> Iterator[Neighbour]:
    """Give the namespaces beside a view's own, the largest first."""
    versions = [(each.prefix, version) for each in one.prefixes for version in each.versions]
    total_bytes = _bytes(one.own, one.weighed) + sum(
        _bytes(version.entries, version.weighed) for _, version in versions
    )
    for prefix, version in sorted(versions, key=lambda each: (-each[1].entries, each[0])):
        weighed = version.weighed
        is_weighed = weighed.keys > 0 and total_bytes > 0
        yield Neighbour(
            prefix=prefix,
            version=version.version,
            entries=version.entries,
            share=version.entries / one.scanned,
            share_of_bytes=_bytes(version.entries, weighed) / total_bytes if is_weighed else None,
            share_lasting=weighed.lasting / weighed.keys if weighed.keys else None,
            newest_expiry=weighed.newest_expiry,
            is_told=weighed.keys > 0 or not weighed.untold,
        )


def _bytes(entries: int, weighed: Weighed) -> float:
    return entries * weighed.weight_bytes / weighed.keys if weighed.keys else 0.0
