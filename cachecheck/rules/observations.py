"""What rules are given: the fleet as it was observed, in frozen values."""

from __future__ import annotations

from cachecheck.heads import SeenPrefix, Weighed
from cachecheck.model import (
    Built,
    CacheDescription,
    ExpectedBy,
    Finding,
    HeardBy,
    Key,
    Member,
    NodeState,
    Reading,
    Scope,
    Value,
    Versions,
    Worker,
)


class Clock(Value, frozen=True, kw_only=True):
    """A node's clock minus ours, known to ± ``uncertainty_seconds`` (half the round trip)."""

    offset_seconds: float
    uncertainty_seconds: float
    rtt_seconds: float


class Again(Value, frozen=True, kw_only=True):
    """What a worker said when it was asked again, after the settle time."""

    caches: tuple[CacheDescription, ...]
    builders: tuple[Built, ...]


class ObservedWorker(Value, frozen=True, kw_only=True):
    """A worker that described itself. ``label`` names it in the report: node and pid.

    ``again`` is there where something had to be confirmed, and the worker was heard.
    """

    label: str
    node: str
    worker: Worker
    application: str
    release: str | None
    versions: Versions
    caches: tuple[CacheDescription, ...]
    builders: tuple[Built, ...] = ()
    truths: tuple[str, ...] = ()
    again: Again | None = None


class ObservedNode(Value, frozen=True, kw_only=True):
    """A node of the fleet and what came of asking it.

    ``detail`` says, for a node that did not answer, why, in words for people.
    ``workers_expected`` None: nobody could say; ``expected_by`` is how it is known. ``heard_by``
    says how its workers were reached, and ``relay_off`` why it was not through the relay, where
    that was told. ``own_names`` are the names that its agents go by. ``restarted`` are labels of
    workers that were gone at the end of the run.
    A store that the coordinator reads by itself has no workers, so rules leave it be: ``store`` is
    what it sees of it, ``member`` which replica it is, None for the one that was named.
    """

    name: str
    url: str
    state: NodeState
    detail: str | None = None
    clock: Clock | None = None
    workers: tuple[ObservedWorker, ...] = ()
    workers_expected: int | None = None
    expected_by: ExpectedBy | None = None
    heard_by: HeardBy | None = None
    relay_off: str | None = None
    own_names: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    store: ObservedWorker | None = None
    member: str | None = None

    @property
    def onlookers(self) -> tuple[ObservedWorker, ...]:
        """Whoever looks at caches here: the workers, or the coordinator itself."""
        return self.workers if self.store is None else (self.store,)


class Fleet(Value, frozen=True, kw_only=True):
    """All nodes of a run; ``now`` is the coordinator's clock, seconds since the epoch."""

    nodes: tuple[ObservedNode, ...]
    now: float

    @property
    def workers(self) -> tuple[ObservedWorker, ...]:
        """All workers heard, node by node; stores that are read directly have none."""
        return tuple(worker for node in self.nodes for worker in node.workers)

    @property
    def stores(self) -> tuple[ObservedWorker, ...]:
        """All stores that are read directly, as the coordinator sees them."""
        return tuple(node.store for node in self.nodes if node.store is not None)

    @property
    def aliases(self) -> tuple[str, ...]:
        """All cache aliases that anybody has, sorted."""
        onlookers = (*self.workers, *self.stores)
        return tuple(sorted({cache.alias for one in onlookers for cache in one.caches}))


class View(Value, frozen=True, kw_only=True, order=True):
    """One worker looking through one cache alias; what is compared."""

    node: str
    worker: str
    cache: str


class SharedStore(Value, frozen=True, kw_only=True):
    """Views of one alias that were found to look at one store.

    ``identity`` says how that is known: ``observed`` (its own identity), ``confirmed`` (suggested
    and witnessed), ``witnessed`` (witnesses alone), ``unobserved`` (nothing is known: each view
    stands for itself) or ``none`` (there is no store).
    """

    id: str
    kind: str
    scope: Scope
    identity: str
    address: str
    views: tuple[View, ...]


class StoreMap(Value, frozen=True, kw_only=True):
    """The distinct stores of one alias of one application.

    ``is_split`` is the confirmed statement that there are several where one was meant: identities
    differed in two looks and the witnesses disagreed. ``undecided`` says, where nothing could be
    known of who shares what, why.
    """

    cache: str
    application: str
    stores: tuple[SharedStore, ...]
    is_split: bool = False
    undecided: str | None = None


class Spot(Value, frozen=True, kw_only=True):
    """A place at which values differ: the steps that lead there, and how, in words.

    ``how`` None: another value. None of its steps: the whole value.
    """

    steps: tuple[str, ...]
    how: str | None = None


class Located(Value, frozen=True, kw_only=True):
    """Where values differ, and how many more places there are."""

    spots: tuple[Spot, ...]
    left_out: int = 0


class KeyOutcome(Value, frozen=True, kw_only=True):
    """What was finally known of one suspect key, after looking again.

    ``readings`` are the last ones, one per view or, where views proved to share a store, one per
    store under its first view; ``stand_for`` counts and names the views behind each reading.
    ``verdict`` is one of ``divergent``, ``flapping``, ``expiry-drift``, ``persistence-drift``,
    ``missing``, ``encoding``, ``unreadable`` and ``unknown-structure``; ``is_named`` marks keys
    that were asked for by name, ``is_audited`` those of stores of which every key was;
    ``is_meant_apart`` says that the site declared these stores to be separate. ``servers`` names
    the server of a cluster that each view had the key from, ``located`` where its values differ.
    ``is_codec_drift`` says that views of one store were configured with another codec.
    ``expires_at`` values are corrected to the coordinator's clock, and may be
    ``tolerance_seconds`` apart.
    """

    cache: str
    key: Key
    verdict: str
    is_named: bool
    is_audited: bool = False
    is_apart: bool
    is_meant_apart: bool = False
    are_stores_distinct: bool
    readings: tuple[tuple[View, Reading], ...]
    stand_for: tuple[tuple[View, ...], ...]
    looked: int
    persisted_seconds: float
    tolerance_seconds: float
    servers: tuple[tuple[View, str], ...] = ()
    located: Located | None = None
    is_codec_drift: bool = False


class StaleOutcome(Value, frozen=True, kw_only=True):
    """An entry that was not what the source of truth gave, whenever it was looked at.

    ``views`` see it; ``digest`` and ``kind`` tell its value apart, ``true_kind`` is of the true
    one, None where there is no such object. ``expires_at`` is in the coordinator's clock,
    ``expires_in_seconds`` counts from the last look; ``timeout`` is the alias's own.
    """

    cache: str
    key: Key
    views: tuple[View, ...]
    digest: str
    size_bytes: int
    kind: str | None
    true_kind: str | None
    is_gone: bool = False
    expires_at: float | None
    expires_in_seconds: float | None
    timeout: float | None
    looked: int
    persisted_seconds: float

    @property
    def age_seconds(self) -> float | None:
        """How old the entry is, if it was set with the alias's own timeout; None: it was not."""
        if self.timeout is None or self.expires_in_seconds is None:
            return None
        age = self.timeout - self.expires_in_seconds
        return age if age >= 0 else None


class Contents(Value, frozen=True, kw_only=True):
    """What a survey saw in one store, through a view of one alias of one application.

    ``store`` is the same for one store whoever looks at it; ``scanned`` counts the keys looked at,
    of which ``own`` are in the view's namespace; where there are ``prefixes`` beside it,
    ``weighed`` tells of some of them. Of ``expiring_known`` own entries ``lasting`` never expire;
    ``is_exact`` says that these are all, and no sample. ``timeouts`` are the default ones of the
    views that look at the store; ``sample`` are the keyed digests of the keys that it sampled.
    Expiries are in the coordinator's clock. ``is_used_by_nodes``: some of those views are workers',
    whose namespaces are known; ``is_computed``: some of these are not Django's own.
    """

    cache: str
    application: str
    store: str
    view: View
    scanned: int
    own: int
    is_complete: bool
    prefixes: tuple[SeenPrefix, ...] = ()
    weighed: Weighed = Weighed()
    expiring_known: int = 0
    lasting: int = 0
    is_exact: bool = False
    timeouts: tuple[float | None, ...] = ()
    sample: tuple[str, ...] = ()
    is_computed: bool = False
    is_used_by_nodes: bool = True


class ReplicaOutcome(Value, frozen=True, kw_only=True):
    """What was found of a replica beside the server that takes writes, through one worker.

    Both are as they were first described; ``through`` is the label of the worker that read them,
    ``configured_by`` those of all that read from this replica. ``differing`` are keys that stood
    through the settle time, with the verdict on each; ``caught_up`` counts those that differed and
    then agreed, within ``caught_up_seconds``.
    """

    cache: str
    application: str
    through: str
    primary: Member
    replica: Member
    configured_by: tuple[str, ...]
    keys_compared: int
    differing: tuple[tuple[Key, str], ...] = ()
    caught_up: int = 0
    caught_up_seconds: float = 0.0


Findings = tuple[Finding, ...]
