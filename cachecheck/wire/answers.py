"""What a worker answers."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

from cachecheck.model import (
    MAX_STEPS,
    Built,
    CacheDescription,
    CanaryResult,
    Count,
    ExpectedBy,
    Moment,
    Reading,
    Role,
    Text,
    TruthCheck,
    Value,
    Versions,
    Worker,
)
from cachecheck.sums import Kept, Listed, Sums
from cachecheck.survey import Summary
from cachecheck.wire.messages import (
    MAX_BUILDERS,
    MAX_KEYS,
    MAX_SIBLINGS,
    MAX_TRUTHS,
    MAX_VERIFIED,
    Message,
    Name,
    Page,
    RefusalReason,
)


class Answer(Message, frozen=True, kw_only=True):
    """Base of all answers: who answers, and the node's clock when the request came and went."""

    worker: Worker
    received_at: Moment
    sent_at: Moment


class Described(Answer, tag="described", frozen=True, kw_only=True):
    """The answer to ``Describe``.

    ``workers_expected`` is configured or counted among siblings (``expected_by`` says how), or
    None where it is not known. ``builders`` are what the site's own key builders gave.
    ``truths`` are the patterns of logical keys of which it has a source of truth.
    """

    node: Text | None
    application: Text
    release: Text | None
    versions: Versions
    workers_expected: Count | None
    expected_by: ExpectedBy
    caches: Annotated[tuple[CacheDescription, ...], Meta(max_length=200)]
    builders: Annotated[tuple[Built, ...], Meta(max_length=MAX_BUILDERS)] = ()
    truths: Annotated[tuple[Name, ...], Meta(max_length=MAX_TRUTHS)] = ()


class Surveyed(Answer, tag="surveyed", frozen=True, kw_only=True):
    """The answer to ``Survey``: one page summed up; ``cursor`` None means it was the last.

    Where sums were asked for, ``sums`` are the page's, or None: the worker keeps them.
    ``kept`` are the page's rows, from a store that the coordinator reads by itself, where they are
    few enough to be kept at once.
    """

    summary: Summary
    cursor: Text | None
    sums: Sums | None = None
    kept: Kept | None = None


class Gathered(Answer, tag="gathered", frozen=True, kw_only=True):
    """The answer to ``Gather``: all that the worker kept, over ``pages``, in order.

    There are no sums, and no pages, where it kept nothing: it was restarted, or too long ago.
    """

    sums: Sums | None
    pages: tuple[Page, ...]


class Collected(Answer, tag="collected", frozen=True, kw_only=True):
    """The answer to ``Collect``: one page of entries; ``cursor`` None means it was the last."""

    listed: Listed
    scanned: Count
    cursor: Text | None


class Readings(Answer, tag="readings", frozen=True, kw_only=True):
    """The answer to ``Read``: one reading per key, in order.

    Where the work budget ended before the last key, the readings stop there and ``unread``
    counts the keys that are left to be asked again. ``servers`` names, in the same order, the
    server that each came from, where a store has one for each part of its keys.
    """

    readings: tuple[Reading, ...]
    unread: Count = 0
    servers: Annotated[tuple[Text, ...], Meta(max_length=MAX_KEYS)] = ()


class Canaried(Answer, tag="canaried", frozen=True, kw_only=True):
    """The answer to ``Canary``: what came of the steps for this worker, in order.

    Where the work budget ended before the last of them, ``undone`` counts those that are left.
    """

    results: Annotated[tuple[CanaryResult, ...], Meta(max_length=MAX_STEPS)]
    undone: Count = 0


class Verified(Answer, tag="verified", frozen=True, kw_only=True):
    """The answer to ``Verify``: one check per key, in order; ``unread`` counts those that are left.

    ``is_spent``: the process may not call the site's functions any more for the moment.
    """

    checks: Annotated[tuple[TruthCheck, ...], Meta(max_length=MAX_VERIFIED)]
    unread: Count = 0
    is_spent: bool = False


class Elsewhere(Answer, tag="elsewhere", frozen=True, kw_only=True):
    """This worker was not meant; it says who it is and does nothing else."""


class Refused(Message, tag="refused", frozen=True, kw_only=True):
    """No answer, and why; ``clock`` is the node's, ``node`` the name it goes by, if it has one."""

    reason: RefusalReason
    detail: Text
    clock: Moment
    retry_after_seconds: float | None = None
    node: Text | None = None
    worker: Worker | None = None


OneAnswer: TypeAlias = (
    Described
    | Surveyed
    | Gathered
    | Collected
    | Readings
    | Canaried
    | Verified
    | Elsewhere
    | Refused
)


class Unheard(Value, frozen=True, kw_only=True):
    """A process that should have been heard through the relay, and why it was not.

    ``worker`` is its id where the audience named it.
    """

    pid: Count
    role: Role
    reason: Text
    worker: Text | None = None


class Relayed(Answer, tag="relayed", frozen=True, kw_only=True):
    """What ``worker`` and its siblings answer to one request, in one message.

    Its own answer is among them, unless it was not meant. ``off`` says why no sibling was asked,
    where the relay does not work in this worker.
    """

    answers: Annotated[tuple[OneAnswer, ...], Meta(max_length=MAX_SIBLINGS + 1)]
    unheard: Annotated[tuple[Unheard, ...], Meta(max_length=MAX_SIBLINGS)] = ()
    off: Text | None = None


AnyAnswer: TypeAlias = OneAnswer | Relayed
