"""What the coordinator asks of a worker."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

from cachecheck.model import MAX_STEPS, CanaryStep, Key, Nonce, ServerName
from cachecheck.sums import MAX_BUCKETS, MIN_BUCKETS, Summing
from cachecheck.wire.messages import (
    MAX_AUDIENCE,
    MAX_KEYS,
    MAX_RELAY_SECONDS,
    MAX_SAMPLE,
    MAX_VERIFIED,
    Cursor,
    Glob,
    LogicalName,
    Message,
    MostKeys,
    Name,
    Page,
    Path,
    ProbeKey,
    Seed,
)


class Request(Message, frozen=True, kw_only=True):
    """Base of all requests.

    ``run`` names the run in the node's audit log. Only a worker whose id is in ``audience``
    does the work; any other answers ``Elsewhere``. An empty audience means whoever hears it.
    ``relay_seconds`` has the worker that hears it hand it on to its siblings, wait for them so
    long, and answer ``Relayed``.
    """

    run: Name
    audience: Annotated[tuple[Name, ...], Meta(max_length=MAX_AUDIENCE)] = ()
    relay_seconds: Annotated[float, Meta(gt=0, le=MAX_RELAY_SECONDS)] | None = None


class Describe(Request, tag="describe", frozen=True, kw_only=True):
    """Who are you, and which caches do you see? ``probe_keys`` show namespace and routing.

    Workers whose ids are in ``heard`` have answered before; they answer ``Elsewhere``, cheaply.
    """

    heard: Annotated[tuple[Name, ...], Meta(max_length=MAX_AUDIENCE)] = ()
    probe_keys: Annotated[tuple[ProbeKey, ...], Meta(min_length=1, max_length=50)]


class Survey(Request, tag="survey", frozen=True, kw_only=True):
    """Sum up one page of a store, within the view's own namespace.

    ``sample`` is how many keys the sample may hold, ``match`` a glob that logical keys must match.
    ``below`` leaves out of it what cannot enter any more; ``cursor`` is the previous page's.
    ``summing`` asks for bucket sums as well, for which values are read. With ``page``, a number
    that counts up, the worker keeps the sums until ``Gather``, so that they cross the network once
    for many pages. ``with_rows`` asks who is on this side of the network for all rows beside the
    sums; a node has none for it. ``most_keys`` ends the page after about so many. ``server`` is one
    of the store's members that is to be listed by itself, and not the one that takes writes.
    """

    cache: Name
    seed: Seed
    sample: Annotated[int, Meta(ge=0, le=MAX_SAMPLE)]
    match: Glob = "*"
    below: Annotated[str, Meta(max_length=32)] | None = None
    cursor: Cursor | None = None
    summing: Summing | None = None
    page: Page | None = None
    with_rows: bool = False
    most_keys: MostKeys | None = None
    server: ServerName | None = None


class Gather(Request, tag="gather", frozen=True, kw_only=True):
    """Give the sums that this worker keeps for this run and cache; the next page begins anew."""

    cache: Name


class Collect(Request, tag="collect", frozen=True, kw_only=True):
    """List the entries of one page that are in these buckets; ``wanted`` is a bitmap of them."""

    cache: Name
    seed: Seed
    summing: Summing
    wanted: Annotated[bytes, Meta(min_length=MIN_BUCKETS // 8, max_length=MAX_BUCKETS // 8)]
    match: Glob = "*"
    cursor: Cursor | None = None
    most_keys: MostKeys | None = None


class Read(Request, tag="read", frozen=True, kw_only=True):
    """Read these keys; ``with_structure`` asks for structural digests as well.

    ``tree_under`` asks for the tree of digests below that path, the empty one being the value
    itself; it is asked for at most ``MAX_TREES`` keys, and brings the structure, too. So does
    ``with_values``, which asks for the values as text, from nodes that allow it. ``server`` is one
    of the store's members that is to be read by itself, and not the one that takes writes.
    """

    cache: Name
    seed: Seed
    keys: Annotated[tuple[Key, ...], Meta(min_length=1, max_length=MAX_KEYS)]
    with_structure: bool = False
    tree_under: Path | None = None
    with_values: bool = False
    server: ServerName | None = None

    @property
    def is_detailed(self) -> bool:
        """Whether much is asked of each value."""
        return self.with_values or self.tree_under is not None


class Canary(Request, tag="canary", frozen=True, kw_only=True):
    """Make one move of a canary: write, read, lock and count under the run's own keys.

    It must have an audience. ``move`` names the move: a worker that has made it answers a copy of
    it with what came of it then, so that nothing is counted twice.
    """

    cache: Name
    move: Nonce
    steps: Annotated[tuple[CanaryStep, ...], Meta(min_length=1, max_length=MAX_STEPS)]


class Verify(Request, tag="verify", frozen=True, kw_only=True):
    """Hold the entries under these logical keys against the site's own source of truth."""

    cache: Name
    seed: Seed
    keys: Annotated[tuple[LogicalName, ...], Meta(min_length=1, max_length=MAX_VERIFIED)]


AnyRequest: TypeAlias = Describe | Survey | Gather | Collect | Read | Canary | Verify
