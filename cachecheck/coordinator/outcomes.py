"""What comes of a probe: an answer that holds, or none, and why. Pure."""

from __future__ import annotations

from typing import TypeAlias

from cachecheck import wire
from cachecheck.coordinator.refusals import Unsigned, compression, explain
from cachecheck.errors import ProtocolMismatch, SignatureError, WireError
from cachecheck.escaping import clean
from cachecheck.model import NodeState, Value
from cachecheck.rules.observations import Clock
from cachecheck.signing import Keyring, verify_response

_START_BYTES = 2000
_RETRYABLE_STATUS = frozenset({502, 503, 504})
_LONGEST_PAUSE_SECONDS = 5.0


class Answered(Value, frozen=True, kw_only=True):
    """An answer that holds: signed by the node, for this very probe."""

    answer: wire.Answer
    clock: Clock
    answer_bytes: int


class NoAnswer(Value, frozen=True, kw_only=True):
    """No answer that could be used, and why.

    ``clock``, ``own_name`` and ``worker`` (its id) are there where a signed refusal said them.
    """

    state: NodeState
    detail: str
    clock: Clock | None = None
    own_name: str | None = None
    worker: str | None = None
    is_worth_retrying: bool = False
    retry_after_seconds: float | None = None


Outcome: TypeAlias = Answered | NoAnswer


class Sent(Value, frozen=True, kw_only=True):
    """What an answer must be bound to, and when we asked by our clock."""

    keyring: Keyring
    headers: dict[str, str]
    request_id: str
    at: float


class Received(Value, frozen=True, kw_only=True):
    """What came back: status, headers by lower-case name, body, and the time it took in all."""

    status: int
    headers: dict[str, str]
    body: bytes
    rtt_seconds: float


def judge(sent: Sent, received: Received) -> Outcome:
    """Accept an answer that is signed for this very probe, or say what it was instead."""
    if "signature" not in received.headers:
        return _unsigned(sent, received)
    try:
        verify_response(
            keyring=sent.keyring,
            request_headers=sent.headers,
            status=received.status,
            headers=received.headers,
            body=received.body,
        )
        answer = wire.decode_answer(received.body)
    except SignatureError as exc:
        why = compression(received.headers) or f"the answer's signature does not hold: {exc}"
        return NoAnswer(state="failed", detail=why)
    except ProtocolMismatch as exc:
        return NoAnswer(state="incompatible", detail=f"{exc}: use agents of one version")
    except WireError as exc:
        return NoAnswer(state="failed", detail=f"the answer cannot be read: {exc}"[:300])
    if isinstance(answer, wire.Refused):
        return _refused(answer, _clock_of_refusal(answer, sent.at, received.rtt_seconds))
    return _accepted(answer, sent.at, received)


def unfolded(outcome: Outcome) -> tuple[Outcome, ...]:
    """Give what each worker said, where several did in one message; else the outcome alone."""
    if not isinstance(outcome, Answered) or not isinstance(outcome.answer, wire.Relayed):
        return (outcome,)
    answers = outcome.answer.answers
    size_bytes = outcome.answer_bytes // max(1, len(answers))
    return tuple(
        _refused(one, outcome.clock)
        if isinstance(one, wire.Refused)
        else Answered(answer=one, clock=outcome.clock, answer_bytes=size_bytes)
        for one in answers
    )


def _accepted(answer: wire.Answer, sent_at: float, received: Received) -> Answered:
    rtt_seconds = received.rtt_seconds
    working = max(0.0, answer.sent_at - answer.received_at)
    network = max(0.0, rtt_seconds - working)
    offset = (answer.received_at - sent_at + answer.sent_at - sent_at - rtt_seconds) / 2
    clock = Clock(offset_seconds=offset, uncertainty_seconds=network / 2, rtt_seconds=rtt_seconds)
    return Answered(answer=answer, clock=clock, answer_bytes=len(received.body))


def _clock_of_refusal(refused: wire.Refused, sent_at: float, rtt_seconds: float) -> Clock:
    return Clock(
        offset_seconds=refused.clock - sent_at - rtt_seconds / 2,
        uncertainty_seconds=rtt_seconds / 2,
        rtt_seconds=rtt_seconds,
    )


def _refused(refused: wire.Refused, clock: Clock) -> NoAnswer:
    if refused.reason == "stale":
        way = "ahead of" if clock.offset_seconds > 0 else "behind"
        detail = (
            f"refused as stale: the node's clock is {abs(clock.offset_seconds):.0f} s {way} "
            "ours, and a probe is good for 60 s; set the clocks (NTP)"
        )
    else:
        detail = f"refused as {refused.reason}: {refused.detail}"[:300]
    return NoAnswer(
        state="incompatible" if refused.reason == "bad-request" else "rejected",
        detail=detail,
        clock=clock,
        own_name=refused.node,
        worker=refused.worker.id if refused.worker else None,
        is_worth_retrying=refused.reason == "busy",
        retry_after_seconds=min(refused.retry_after_seconds or 0.0, _LONGEST_PAUSE_SECONDS) or None,
    )


def _unsigned(sent: Sent, received: Received) -> NoAnswer:
    status, headers = received.status, received.headers
    start = received.body[:_START_BYTES].decode("utf-8", "replace")
    if headers.get("content-encoding", "identity") != "identity":
        start = ""
    seen = Unsigned(
        status=status, headers=headers, start=start, now=sent.at, request_id=sent.request_id
    )
    return NoAnswer(
        state="failed" if status < 300 or status >= 500 else "rejected",  # noqa: PLR2004  HTTP
        detail=explain(seen),
        is_worth_retrying=status in _RETRYABLE_STATUS,
    )


def told(outcome: Outcome) -> str:
    """Say in a line of the log what came of a probe."""
    if isinstance(outcome, NoAnswer):
        return clean(f"{outcome.state}: {outcome.detail}")  # which a node supplies
    milliseconds = outcome.clock.rtt_seconds * 1000
    return f"{type(outcome.answer).__name__.lower()} in {milliseconds:.1f} ms"
