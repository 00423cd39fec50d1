"""The messages of the probe protocol, version 1: strictly decoded, with limits.

Requests and answers are tagged unions (``"type"``) in JSON. The protocol version is read leniently
first, so that another version is answered as such; all else is strict: unknown types and fields,
wrong types and values over a limit raise ``MalformedMessage``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from cachecheck.errors import MalformedMessage, MessageTooLarge, ProtocolMismatch
from cachecheck.model import (
    MAX_KEY_CHARS,
    MAX_STEPS,
    Built,
    CacheDescription,
    CanaryResult,
    CanaryStep,
    Count,
    ExpectedBy,
    Key,
    Moment,
    Nonce,
    Reading,
    Role,
    ServerName,
    Step,
    Text,
    TruthCheck,
    Value,
    Versions,
    Worker,
)
from cachecheck.sums import MAX_BUCKETS, MIN_BUCKETS, Listed, Summing, Sums
from cachecheck.survey import Summary

PROTOCOL = 1
CONTENT_TYPE = "application/json"

MAX_BODY_BYTES = 1 << 20
MAX_ANSWER_BYTES = 8 << 20
MAX_DESCRIPTION_BYTES = 1 << 20
MAX_KEYS = 1000
MAX_AUDIENCE = 4000
MAX_SAMPLE = 100_000
MAX_SIBLINGS = 256
MAX_RELAY_SECONDS = 10.0
MAX_BUILDERS = 50
MAX_TREES = 20
MAX_TRUTHS = 50
MAX_VERIFIED = 50
MAX_PATH_STEPS = 200

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
Seed: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
Cursor: TypeAlias = Annotated[str, Meta(max_length=2000)]
Glob: TypeAlias = Annotated[str, Meta(max_length=500)]
Page: TypeAlias = Annotated[int, Meta(ge=1, le=10**9)]
Path: TypeAlias = Annotated[tuple[Step, ...], Meta(max_length=MAX_PATH_STEPS)]
MostKeys: TypeAlias = Annotated[int, Meta(ge=1, le=10**7)]
LogicalName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_KEY_CHARS)]
ProbeKey: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200, pattern="^[!-~]+$")]

RefusalReason = Literal[
    "stale",
    "busy",
    "too-large",
    "unknown-cache",
    "withheld",
    "not-allowed",
    "bad-request",
    "wrong-node",
]


class Message(Value, tag_field="type", frozen=True, kw_only=True):
    """Base of all messages."""

    protocol: int = PROTOCOL


# --- requests ------------------------------------------------------------------------------


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
    for many pages. ``most_keys`` ends the page after about so many. ``server`` is one of the
    store's members that is to be listed by itself, and not the one that takes writes.
    """

    cache: Name
    seed: Seed
    sample: Annotated[int, Meta(ge=0, le=MAX_SAMPLE)]
    match: Glob = "*"
    below: Annotated[str, Meta(max_length=32)] | None = None
    cursor: Cursor | None = None
    summing: Summing | None = None
    page: Page | None = None
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

# --- answers -------------------------------------------------------------------------------


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
    ``listed`` are the page's rows, from a store that the coordinator reads by itself, where they
    are few enough to be kept at once.
    """

    summary: Summary
    cursor: Text | None
    sums: Sums | None = None
    listed: Listed | None = None


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

_T = TypeVar("_T")


class _AnyVersion(msgspec.Struct):
    protocol: Any = None


_ENCODER = msgspec.json.Encoder()
_VERSION = msgspec.json.Decoder(_AnyVersion)
_REQUEST: msgspec.json.Decoder[AnyRequest] = msgspec.json.Decoder(AnyRequest)
_ANSWER: msgspec.json.Decoder[AnyAnswer] = msgspec.json.Decoder(AnyAnswer)
_ONE_ANSWER: msgspec.json.Decoder[OneAnswer] = msgspec.json.Decoder(OneAnswer)


def encode(message: Message) -> bytes:
    """Encode a message as the body of a probe or of its answer."""
    return _ENCODER.encode(message)


def decode_request(body: bytes, *, limit_bytes: int = MAX_BODY_BYTES) -> AnyRequest:
    """Decode a request; raises ``WireError`` with a reason that can be sent back."""
    return _decode(_REQUEST, body, limit_bytes)


def decode_answer(body: bytes, *, limit_bytes: int = MAX_ANSWER_BYTES) -> AnyAnswer:
    """Decode an answer; raises ``WireError`` with a reason that can be shown."""
    return _decode(_ANSWER, body, limit_bytes)


def decode_one_answer(body: bytes, *, limit_bytes: int = MAX_ANSWER_BYTES) -> OneAnswer:
    """Decode the answer of one worker for itself, as siblings give it; raises ``WireError``."""
    return _decode(_ONE_ANSWER, body, limit_bytes)


def _decode(decoder: msgspec.json.Decoder[_T], body: bytes, limit_bytes: int) -> _T:
    if len(body) > limit_bytes:
        raise MessageTooLarge(limit_bytes)
    try:
        theirs = _VERSION.decode(body).protocol
        if theirs != PROTOCOL or isinstance(theirs, bool):
            raise ProtocolMismatch(theirs, PROTOCOL)
        return decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise MalformedMessage(str(exc)) from exc
