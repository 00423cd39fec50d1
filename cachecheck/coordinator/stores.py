"""Find out which views share a store: from graded identities, confirmed by witnesses. Pure.

An identity that was observed settles it, both ways. One that is only suggested counts where
witnesses agree, and among views of one host that use one address. Where nothing was observed,
witnesses stand in for it: keys whose entries are equal through both views in digest and in expiry
(or in memcached's number of the write), which two stores that were filled separately do not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from cachecheck.coordinator.views import courses_of
from cachecheck.model import Present, Value
from cachecheck.rules.observations import SharedStore, StoreMap

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from cachecheck.coordinator.views import SeenView
    from cachecheck.model import Reading
    from cachecheck.rules.observations import View

STRONG_WITNESSES = 3

Testimony: TypeAlias = "Mapping[View, Sequence[Sequence[Reading]]]"
"""For each view the looks, each with one reading for each witness key, in the same order."""

Agreement = Literal["agree", "weak", "disagree", "unknown"]


class Kinship(Value, frozen=True, kw_only=True):
    """How two views are related, and how that is known."""

    is_same: bool | None
    identity: str


def needs_witnesses(views: Sequence[SeenView]) -> bool:
    """Whether identities alone leave open which of these views share a store.

    Stores that are read directly are each read by itself, whatever they may have in common.
    """
    of_nodes = {anchor(seen) for seen in views if not seen.is_direct}
    if not of_nodes or len({anchor(seen) for seen in views}) == 1:
        return False
    are_observed = all(seen.cache.identity.grade == "observed" for seen in views)
    return not (are_observed and (len(of_nodes) == 1 or views[0].cache.scope == "worker"))


def anchor(seen: SeenView) -> Hashable:
    """Give what views have in common that are surely of one store; else the view itself.

    That is an observed identity, or a suggested one at one address of one host: servers that were
    started together, each on a host of its own, are alike in all but the host. Where there is no
    store, views have that in common. Those whose clients have given up different servers do not.
    """
    identity, dead = seen.cache.identity, seen.cache.dead_servers
    match identity.grade:
        case "observed" | "none":
            return (identity.grade, identity.token, dead)
        case "suggested":
            return (identity.token, identity.address, seen.host_id, dead)
        case "unobserved":
            return seen.view


def map_stores(
    cache: str,
    views: Sequence[SeenView],
    testimony: Testimony,
    *,
    differed_twice: bool,
) -> StoreMap:
    """Divide the views of one alias and kind into distinct stores.

    ``differed_twice`` says that identities which differ did so in two looks.
    """
    clusters: list[list[SeenView]] = []
    known: list[str] = []
    unknown = False
    courses = courses_of(views)
    for seen in views:
        for number, cluster in enumerate(clusters):
            if _are_routed_apart(seen, cluster[0], courses):
                continue  # the same servers or not, they find keys in different places
            kinship = relate(cluster[0], seen, testimony)
            unknown = unknown or kinship.is_same is None
            if kinship.is_same:
                cluster.append(seen)
                known[number] = kinship.identity
                break
        else:
            clusters.append([seen])
            known.append(seen.cache.identity.grade)
    stores = tuple(
        _store(number, cluster, identity, is_known=not unknown)
        for number, (cluster, identity) in enumerate(zip(clusters, known, strict=True), 1)
    )
    of_nodes = [cluster for cluster in clusters if not all(seen.is_direct for seen in cluster)]
    are_several = _are_several(of_nodes, courses) and not unknown
    undecided = _why_undecided(views) if unknown else None
    if are_several and not differed_twice:
        undecided = "its views named different stores, and a second look did not confirm it"
    return StoreMap(
        cache=cache,
        application=views[0].application,
        stores=stores,
        is_split=are_several and differed_twice,
        undecided=undecided,
    )


def _are_several(clusters: Sequence[Sequence[SeenView]], courses: Mapping[View, object]) -> bool:
    """Whether several stores are shared where one was meant.

    The same servers among which keys are divided in different ways are not: that is B004.
    """
    firsts = [next(seen for seen in cluster if not seen.is_direct) for cluster in clusters]
    return any(
        one.cache.scope != "worker"
        and not (
            one.cache.identity.token == other.cache.identity.token
            and _are_routed_apart(one, other, courses)
        )
        for number, one in enumerate(firsts)
        for other in firsts[number + 1 :]
    )


def _are_routed_apart(one: SeenView, other: SeenView, courses: Mapping[View, object]) -> bool:
    """Whether the clients of both views look for some key on different servers.

    Where their namespaces differ, the same key is stored under two names, and nothing is known.
    """
    probes = {seen.cache.namespace.stored_probe for seen in (one, other)}
    if one.is_direct or other.is_direct or len(probes) > 1:
        return False  # no client divides keys where a store is read directly
    courses_known = {courses[one.view], courses[other.view]} - {None}
    return len(courses_known) > 1


def relate(one: SeenView, other: SeenView, testimony: Testimony) -> Kinship:
    """Say whether two views share a store; None: it cannot be known."""
    first, second = one.cache.identity, other.cache.identity
    witnesses = agreement(testimony.get(one.view, ()), testimony.get(other.view, ()))
    if anchor(one) == anchor(other):
        is_suggested = first.grade == "suggested"
        return Kinship(is_same=True, identity="confirmed" if is_suggested else first.grade)
    if one.is_direct or other.is_direct:
        return _related_directly(one, other, witnesses)
    are_graded = "unobserved" not in {first.grade, second.grade}
    if are_graded and first.token == second.token:
        is_same = {"agree": True, "weak": True, "disagree": False, "unknown": None}[witnesses]
        return Kinship(is_same=is_same, identity="confirmed")
    if are_graded:
        # equal witnesses outweigh different identities only as far as to leave it open: a copy
        # of a store has them too
        is_open = witnesses in _outweighing(one, other)
        return Kinship(is_same=None if is_open else False, identity=first.grade)
    if witnesses == "agree":
        return Kinship(is_same=True, identity="witnessed")
    return Kinship(is_same=None, identity="unobserved")


def _related_directly(one: SeenView, other: SeenView, witnesses: Agreement) -> Kinship:
    """Relate a store that is read directly: two that are not surely one are read as two.

    Nothing is lost by that: if they are one after all, they agree.
    """
    first, second = one.cache.identity, other.cache.identity
    are_both = one.is_direct and other.is_direct
    if are_both or witnesses not in {"agree", "weak"}:
        return Kinship(is_same=False, identity=first.grade)
    if first.token is not None and first.token == second.token:
        return Kinship(is_same=True, identity="confirmed")
    is_open = "unobserved" in {first.grade, second.grade} and witnesses == "agree"
    return Kinship(is_same=is_open, identity="witnessed" if is_open else first.grade)


def _outweighing(one: SeenView, other: SeenView) -> tuple[Agreement, ...]:
    """Say which witnesses could outweigh identities that differ.

    Two addresses may be one database, so its constants count as well. A memcached that lists its
    keys is no proxy, so it said its own process; two that were filled alike are equal in all that
    could be witnessed, down to the numbers of the writes.
    """
    if one.cache.identity.grade == other.cache.identity.grade == "observed":
        return ("agree",)
    caches = (one.cache, other.cache)
    if all(cache.kind == "memcached" and cache.capabilities.can_scan for cache in caches):
        return ()
    return ("agree", "weak")


def agreement(one: Sequence[Sequence[Reading]], other: Sequence[Sequence[Reading]]) -> Agreement:
    """Compare what two views testified, look by look.

    A witness agrees where any look found it equal, weakly where it has neither an expiry nor a
    number of the write; it disagrees where it stood still in both views and was never equal; one
    that moved says nothing.
    """
    per_key = [
        _witness(first, second) for first, second in zip(_by_key(one), _by_key(other), strict=False)
    ]
    if "disagree" in per_key:
        return "disagree"
    said = [word for word in per_key if word != "unknown"]
    if not said:
        return "unknown"
    return "agree" if said.count("strong") >= min(STRONG_WITNESSES, len(said)) else "weak"


def _by_key(looks: Sequence[Sequence[Reading]]) -> list[tuple[Reading, ...]]:
    return list(zip(*looks, strict=False))


def _witness(one: tuple[Reading, ...], other: tuple[Reading, ...]) -> str:
    pairs = list(zip(one, other, strict=False))
    if any(_is_strong(first, second) for first, second in pairs):
        return "strong"
    if any(_is_equal(first, second) for first, second in pairs):
        return "weak"
    first, second = ({_mark(reading) for reading in readings} for readings in (one, other))
    is_still = len(first) == len(second) == 1
    can_say = all(reading_can_say(reading) for pair in pairs for reading in pair)
    is_apart = first != second  # what is in neither view is no difference between them
    return "disagree" if is_still and is_apart and can_say and len(pairs) > 1 else "unknown"


def _is_equal(one: Reading, other: Reading) -> bool:
    return isinstance(one, Present) and isinstance(other, Present) and _mark(one) == _mark(other)


def _is_strong(one: Reading, other: Reading) -> bool:
    """Equal in a way that separately filled stores are not."""
    return (
        _is_equal(one, other)
        and isinstance(one, Present)
        and (one.cas is not None or one.expires_at is not None)
    )


def _mark(reading: Reading) -> object:
    if not isinstance(reading, Present):
        return type(reading).__name__
    expiry = reading.expires_at if reading.cas is None else None
    return (reading.digest, reading.cas, None if expiry is None else round(expiry, 3))


def reading_can_say(reading: Reading) -> bool:
    """Whether a reading says something of the entry: present or not."""
    return type(reading).__name__ != "Failed"


def _store(number: int, cluster: list[SeenView], identity: str, *, is_known: bool) -> SharedStore:
    first = cluster[0].cache
    return SharedStore(
        id=f"{first.kind}-{number}",
        kind=first.kind,
        scope=first.scope,
        identity=_grade(identity, is_known=is_known),
        address=first.identity.address,
        views=tuple(seen.view for seen in cluster),
    )


def _grade(identity: str, *, is_known: bool) -> str:
    if identity == "suggested":
        return "confirmed" if is_known else "unobserved"
    return identity


def _why_undecided(views: Sequence[SeenView]) -> str:
    identities = [seen.cache.identity for seen in views]
    tokens = {identity.token for identity in identities}
    if None not in tokens and len(tokens) > 1:
        return (
            "its views name different stores, and yet what was looked at is equal in them to the "
            "last detail: a proxy stands before one store, or one is a copy of the other"
        )
    reasons = sorted({seen.cache.identity.reason for seen in views if seen.cache.identity.reason})
    because = f" ({'; '.join(reasons[:3])})" if reasons else ""
    return (
        "whether its views share one store could not be observed, and there were too few common "
        f"keys to witness it{because}"
    )
