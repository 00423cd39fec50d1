"""What a node says of itself: its worker, its versions, its caches."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from cachecheck.model.values import Count, IdentityGrade, Moment, Naming, Role, Scope, Text, Value

ServerName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=500)]
Pairs: TypeAlias = Annotated[tuple[tuple[Text, Text], ...], Meta(max_length=300)]

MAX_KEY_GROUPS = 65
"""Key groups that one process tells apart of one cache, and the rest."""


class Worker(Value, frozen=True, kw_only=True):
    """One process behind a node.

    ``id`` is unique over the fleet (host, pid, start and 64 random bits drawn after fork);
    ``host_id`` tells hosts apart that share a name; ``parent`` identifies the process that
    started it, so that siblings can be counted; ``listener`` is the address that it was reached
    at, as the server says it.
    """

    id: Text
    host: Text
    host_id: Text
    pid: Count
    started_at: Moment
    role: Role
    parent: Text
    listener: Text | None = None


class Versions(Value, frozen=True, kw_only=True):
    """What decides whether one worker can read what another wrote.

    ``pickle_protocol`` is the highest that it reads; ``libraries`` are those, of all that codecs
    are known to take, that it could import.
    """

    python: Text
    django: Text
    agent: Text
    pickle_protocol: Count
    clients: Pairs = ()
    libraries: Annotated[tuple[Text, ...], Meta(max_length=100)] = ()


class Built(Value, frozen=True, kw_only=True):
    """What one of the site's own key builders gave when this worker called it twice.

    ``made``: ``key`` is what it gave, or a digest under the run where that must not leave the node
    or is long. ``unsteady``: its two results differed, the first is ``key``. ``failed`` and
    ``uncalled``: there is no key, for ``detail``.
    """

    name: Text
    outcome: Literal["made", "unsteady", "failed", "uncalled"]
    key: Text | None = None
    detail: Text | None = None


class Namespace(Value, frozen=True, kw_only=True):
    """The rule from a logical key to a stored key, observed on one probe key.

    ``stored_probe`` is what ``make_key`` returned for the probe key; ``form`` is that with
    ``{key}`` in place of it, or None where it cannot be found in it. ``is_reversible`` says whether
    logical keys can be recovered from stored ones. ``is_computed``: it is not what Django makes of
    ``KEY_PREFIX`` and ``VERSION``, so a key function or a subclass decides, perhaps anew each time.
    """

    prefix: Text
    version: Text
    stored_probe: Text
    form: Text | None
    is_reversible: bool
    is_computed: bool = False


class StoreIdentity(Value, frozen=True, kw_only=True):
    """What a view could find out of the store behind it.

    ``observed``: two equal tokens are one store, two different ones are not.
    ``suggested``: equal tokens may be one store; witnesses must confirm it.
    ``unobserved``: nothing could be found out, for ``reason``. ``none``: there is no store.
    ``member`` names the server of a replicated store that reads go to. ``address`` is for people
    and holds no credentials. ``clock_offset_seconds`` is the store's clock minus the node's.
    ``servers`` are those that keys are divided among, in the order in which they are listed: how
    routing calls each, and what it says of itself (empty where it was not reached).
    """

    grade: IdentityGrade
    token: Text | None = None
    member: Text | None = None
    address: Text = ""
    reason: Text | None = None
    clock_offset_seconds: Moment | None = None
    servers: Pairs = ()


class Member(Value, frozen=True, kw_only=True):
    """One server of a store that has several, as it sees itself; it is asked for by ``address``.

    ``run_id`` names the process, ``replication_id`` the history of writes that it has, and
    ``offset_bytes`` how far it has come in it. A replica ``follows`` another server; ``is_linked``
    says whether it hears that one now. ``failure``: it does not answer, and the rest is not known.
    Where ``role`` is None it answers and does not say.
    """

    address: ServerName
    takes_writes: bool
    role: Literal["primary", "replica"] | None = None
    run_id: Text | None = None
    replication_id: Text | None = None
    offset_bytes: Count | None = None
    follows: Text | None = None
    is_linked: bool | None = None
    is_read_only: bool = False
    failure: Text | None = None


class Capabilities(Value, frozen=True, kw_only=True):
    """What can be done with a store without disturbing it; ``reasons`` says why not.

    ``entries`` is about how many there are, of all namespaces; None where counting them would cost.
    ``notes`` is what to know of a comparison, though all of it can be done.
    """

    can_scan: bool
    can_read: bool
    touches_recency: bool = False
    naming: Naming = "stored"
    expiry_resolution_seconds: Annotated[float, Meta(ge=0, le=60)] = 0.001
    unread_replicas: Count = 0
    entries: Count | None = None
    reasons: Annotated[tuple[Text, ...], Meta(max_length=50)] = ()
    notes: Annotated[tuple[Text, ...], Meta(max_length=50)] = ()


class KeyGroup(Value, frozen=True, kw_only=True):
    """Looks for the keys that begin alike: ``user`` in ``user:17:profile``.

    ``name`` None is all the rest: keys without a first part, those that are withheld, and those of
    groups past the number that is told apart.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)] | None
    hits: Count
    misses: Count


class Counters(Value, frozen=True, kw_only=True):
    """What one process counted of one cache since ``since``, as the application asked.

    A hit or a miss is one key that was looked for, a set or a delete one key that was to be written
    or deleted; an error is a call that raised, and is neither. ``evictions`` are entries that the
    backend itself culled, None where the store does that. About one look in ``looks_per_grouped``
    was told apart by key group: ratios within ``groups`` are estimates where it is not 1, and their
    numbers are a sample's.
    """

    hits: Count
    misses: Count
    since: Moment
    sets: Count = 0
    deletes: Count = 0
    errors: Count = 0
    evictions: Count | None = None
    looks_per_grouped: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    groups: Annotated[tuple[KeyGroup, ...], Meta(max_length=MAX_KEY_GROUPS)] = ()


class ServerCounters(Value, frozen=True, kw_only=True):
    """What the servers behind a cache counted since ``since``, of all clients and databases.

    ``server`` names the very processes that counted; other names are other counters, and a restart
    begins anew. ``own_hits`` and ``own_misses`` are those that reads of cachecheck through the
    worker that answers have moved since that worker started: over two looks at one server, the
    differences of all its workers are to be subtracted. ``evicted`` divides ``evictions`` by what
    fills up on its own, as the slab classes of memcached do; ``limits`` are the settings that they
    follow from. None: not said.
    """

    server: Text
    hits: Count
    misses: Count
    since: Moment
    evictions: Count | None = None
    expirations: Count | None = None
    evicted: Annotated[tuple[tuple[Text, Count], ...], Meta(max_length=300)] = ()
    limits: Pairs = ()
    own_hits: Count = 0
    own_misses: Count = 0


class CacheDescription(Value, frozen=True, kw_only=True):
    """One cache alias as one worker sees it.

    ``settings`` is the fingerprint, each part alone and without secrets; the names that
    ``codec`` lists decide how bytes are written. ``routing`` maps probe keys to servers;
    ``routing_unknown`` says why it does not where there are several. ``dead_servers`` are those
    that the client of this process has given up for the time being: their keys go to others.
    ``pickle_protocol`` is that of the pickles that it writes, None where it writes none or that is
    not known; ``needs`` are libraries without which its entries cannot be read. ``failing`` says
    why the store does not answer, and ``hides_errors`` that the site then sees misses. ``members``
    are its servers where they are told apart, the one that takes writes first.
    """

    alias: Text
    backend: Text
    kind: Text
    scope: Scope
    declared_scope: Scope | None
    identity: StoreIdentity
    capabilities: Capabilities
    namespace: Namespace
    timeout: float | None
    settings: Pairs = ()
    codec: Pairs = ()
    routing: Pairs = ()
    pickle_protocol: Count | None = None
    needs: Annotated[tuple[Text, ...], Meta(max_length=100)] = ()
    failing: Text | None = None
    hides_errors: bool = False
    members: Annotated[tuple[Member, ...], Meta(max_length=50)] = ()
    routing_unknown: Text | None = None
    dead_servers: Annotated[tuple[Text, ...], Meta(max_length=300)] = ()
    is_counting: bool = False
    counters: Counters | None = None
    server_counters: ServerCounters | None = None
