"""The mergeable summary of a store: counts, and a coordinated sample of its keys.

The sample holds the k entries with the smallest keyed key digest (bottom-k sketch; Cohen and
Kaplan, 2007). With one seed every view prefers the same keys, so the k smallest of the union of all
samples are a uniform sample of all keys, whichever stores hold them. Summaries merge in any order
and grouping.
"""

from __future__ import annotations

from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from cachecheck.heads import MOST_PREFIXES, SeenPrefix, Weighed, added, united
from cachecheck.model import Count, Key, Value

if TYPE_CHECKING:
    from collections.abc import Iterable


class SampledKey(Value, order=True, frozen=True, kw_only=True):
    """A key with its keyed digest, by which samples are ordered."""

    digest: Annotated[str, Meta(pattern="^[0-9a-f]{32}\\Z")]
    key: Key


class Summary(Value, frozen=True, kw_only=True):
    """What one or more pages of a store held.

    ``scanned`` counts stored keys looked at; each of them is one of ``entries`` (in the view's own
    namespace and matching), ``foreign`` (outside the namespace, or not a cache value),
    ``withheld`` (by the node's ``WITHHOLD``) or ``unmatched`` (by ``--match``). Where values were
    read, it may also be ``expiring`` (before the horizon) or ``unread`` (too large, or refused),
    and ``lasting`` counts those of the entries that never expire. ``prefixes`` are those of other
    namespaces among what is foreign; where there are any, ``weighed`` tells of some own entries.
    """

    scanned: Count = 0
    entries: Count = 0
    foreign: Count = 0
    withheld: Count = 0
    unmatched: Count = 0
    expiring: Count = 0
    unread: Count = 0
    lasting: Count = 0
    prefixes: Annotated[tuple[SeenPrefix, ...], Meta(max_length=MOST_PREFIXES)] = ()
    weighed: Weighed = Weighed()
    sample: tuple[SampledKey, ...] = ()


def smallest(sampled: Iterable[SampledKey], size: int) -> tuple[SampledKey, ...]:
    """Keep the ``size`` distinct keys with the smallest digests, in order.

    Samples that are in order already, one after another, are merged in linear time (Timsort).
    """
    ordered = sorted(sampled, key=attrgetter("digest"))
    return tuple(islice({entry.digest: entry for entry in ordered}.values(), size))


def merge(summaries: Iterable[Summary], size: int) -> Summary:
    """Add summaries of disjoint parts up, keeping a sample of ``size`` keys."""
    parts = tuple(summaries)
    return Summary(
        scanned=sum(part.scanned for part in parts),
        entries=sum(part.entries for part in parts),
        foreign=sum(part.foreign for part in parts),
        withheld=sum(part.withheld for part in parts),
        unmatched=sum(part.unmatched for part in parts),
        expiring=sum(part.expiring for part in parts),
        unread=sum(part.unread for part in parts),
        lasting=sum(part.lasting for part in parts),
        prefixes=united(part.prefixes for part in parts),
        weighed=added(part.weighed for part in parts),
        sample=smallest((entry for part in parts for entry in part.sample), size),
    )


def distinct(summary: Summary, size: int) -> int:
    """Count the distinct keys of merged summaries; estimate where the sample does not hold all.

    The estimate is (k - 1) / the k-th smallest digest as a share of all digests (Beyer et al.,
    2007), off by about 1 / sqrt(k).
    """
    if len(summary.sample) < size or not summary.sample:
        return len(summary.sample)
    share = (int(summary.sample[-1].digest, 16) + 1) / float(1 << 128)
    return max(size, round((size - 1) / share))


def ceiling(summary: Summary, size: int) -> str | None:
    """Return the digest above which no further key can enter the sample; None: any still can."""
    return summary.sample[-1].digest if len(summary.sample) >= size else None
