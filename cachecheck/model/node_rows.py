"""Nodes, as a report shows them."""

from __future__ import annotations

from cachecheck.model.values import ExpectedBy, HeardBy, NodeState, Role, Value


class WorkerRow(Value, frozen=True, kw_only=True):
    """A worker as the report shows it; ``id`` is its label, unique within the report.

    ``has_ended`` says that its process ended during the run: what it said does not count.
    """

    id: str
    host: str
    pid: int
    role: Role
    started_at: str
    python: str
    django: str
    release: str | None
    application: str
    has_ended: bool = False


class ReadStoreRow(Value, frozen=True, kw_only=True):
    """What is read of a store directly, and as which cache.

    ``member`` is the replica that it is, None for what was named; ``form`` says how stored keys are
    made, None: keys are compared as they are stored. ``entries`` is about how many there are, of
    all namespaces, where that is known without counting.
    """

    kind: str
    cache: str
    member: str | None
    form: str | None
    entries: int | None


class NodeRow(Value, frozen=True, kw_only=True):
    """A node, whether it answered, and who was heard behind it.

    ``store`` is there where the node is a store that the coordinator reads by itself.
    ``workers_expected`` counts processes that serve requests, those of other roles come on top;
    ``relay_off`` says why workers were not heard through the relay, where a worker told it.
    """

    name: str
    url: str
    state: NodeState
    detail: str | None
    workers_expected: int | None
    clock_offset_seconds: float | None
    rtt_seconds: float | None
    workers: tuple[WorkerRow, ...] = ()
    store: ReadStoreRow | None = None
    workers_expected_by: ExpectedBy | None = None
    workers_heard_by: HeardBy | None = None
    relay_off: str | None = None
