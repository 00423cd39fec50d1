"""What a node says of itself: its worker, its versions, its caches."""

from __future__ import annotations

from typing import Literal

from cachecheck.model.values import IdentityGrade, Naming, Role, Scope, Value


class Worker(Value, frozen=True, kw_only=True):
    """One process behind a node.

    ``id`` is unique over the fleet (host, pid, start and 64 random bits drawn after fork);
    ``host_id`` tells hosts apart that share a name; ``parent`` identifies the process that
    started it, so that siblings can be counted; ``listener`` is the address that it was reached
    at, as the server says it.
    """

    id: str
    host: str
    host_id: str
    pid: int
    started_at: float
    role: Role
    parent: str
    listener: str | None = None


class Versions(Value, frozen=True, kw_only=True):
    """What decides whether one worker can read what another wrote."""

    python: str
    django: str
    agent: str
    pickle_protocol: int
    clients: tuple[tuple[str, str], ...] = ()


class Namespace(Value, frozen=True, kw_only=True):
    """The rule from a logical key to a stored key, observed on one probe key.

    ``stored_probe`` is what ``make_key`` returned for the probe key; ``form`` is that with
    ``{key}`` in place of it, or None where it cannot be found in it. ``is_reversible`` says whether
    logical keys can be recovered from stored ones.
    """

    prefix: str
    version: str
    stored_probe: str
    form: str | None
    is_reversible: bool


class StoreIdentity(Value, frozen=True, kw_only=True):
    """What a view could find out of the store behind it.

    ``observed``: two equal tokens are one store, two different ones are not.
    ``suggested``: equal tokens may be one store; witnesses must confirm it.
    ``unobserved``: nothing could be found out, for ``reason``. ``none``: there is no store.
    ``member`` names the server of a replicated store that reads go to. ``address`` is for people
    and holds no credentials. ``clock_offset_seconds`` is the store's clock minus the node's.
    """

    grade: IdentityGrade
    token: str | None = None
    member: str | None = None
    address: str = ""
    reason: str | None = None
    clock_offset_seconds: float | None = None


class Capabilities(Value, frozen=True, kw_only=True):
    """What can be done with a store without disturbing it; ``reasons`` says why not."""

    can_scan: bool
    can_read: bool
    touches_recency: bool = False
    naming: Naming = "stored"
    expiry_resolution_seconds: float = 0.001
    unread_replicas: int = 0
    reasons: tuple[str, ...] = ()


class Counters(Value, frozen=True, kw_only=True):
    """Hits and misses counted since ``since``, in this process or by the server."""

    source: Literal["agent", "server"]
    hits: int
    misses: int
    since: float


class CacheDescription(Value, frozen=True, kw_only=True):
    """One cache alias as one worker sees it.

    ``settings`` is the fingerprint, each part alone and without secrets; the names that
    ``codec`` lists decide how bytes are written. ``routing`` maps probe keys to servers.
    """

    alias: str
    backend: str
    kind: str
    scope: Scope
    declared_scope: Scope | None
    identity: StoreIdentity
    capabilities: Capabilities
    namespace: Namespace
    timeout: float | None
    settings: tuple[tuple[str, str], ...] = ()
    codec: tuple[tuple[str, str], ...] = ()
    routing: tuple[tuple[str, str], ...] = ()
    is_counting: bool = False
    counters: Counters | None = None
