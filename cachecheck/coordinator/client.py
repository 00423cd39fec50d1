"""The client: sends signed probes and accepts only answers that are bound to them.

The only importer of httpx, and the one boundary at which its exceptions become outcomes. Everything
a node can send is bounded: bytes, time to connect, time in all; redirects are not followed.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import socket
import ssl
import time
from typing import TYPE_CHECKING, Self, TypeAlias

import httpx

from cachecheck import wire
from cachecheck.coordinator.refusals import Unsigned, compression, explain
from cachecheck.coordinator.tls import tls_context
from cachecheck.errors import MessageTooLarge, ProtocolMismatch, SignatureError, WireError
from cachecheck.model import NodeState, Value
from cachecheck.rules.observations import Clock
from cachecheck.signing import Keyring, sign_request, verify_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from cachecheck.coordinator.fleet import Target, Transport
    from cachecheck.wire import AnyRequest

log = logging.getLogger("cachecheck.coordinator")

TRIES = 3
PER_NODE = 20
FIRST_PAUSE_SECONDS = 0.1
REQUEST_ID_HEADER = "cachecheck-request"
_START_BYTES = 2000
_FOREIGN = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    httpx.CookieConflict,
    OSError,
    UnicodeError,  # of a host name that is none
)
_RETRYABLE_STATUS = frozenset({502, 503, 504})


class Answered(Value, frozen=True, kw_only=True):
    """An answer that holds: signed by the node, for this very probe."""

    answer: wire.AnyAnswer
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


class Client:
    """Probes nodes, at most ``concurrency`` at once, until ``deadline`` on the monotonic clock.

    No node is given more than ``PER_NODE`` of them: one that hangs does not stop the others.
    ``timeout_seconds`` bounds each probe as a whole. Use it as an asynchronous context manager.
    ``transport`` replaces the network in tests.
    """

    def __init__(
        self,
        *,
        timeout_seconds: float,
        concurrency: int,
        deadline: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._deadline = deadline
        self._slots = asyncio.Semaphore(concurrency)
        self._node_slots: dict[str, asyncio.Semaphore] = {}
        self._transport = transport
        self._clients: dict[tuple[str | None, str | None], httpx.AsyncClient] = {}
        self.probes_sent = 0
        self.bytes_received = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        for client in self._clients.values():
            await client.aclose()

    @property
    def remaining_seconds(self) -> float:
        """How much of the run's deadline is left."""
        return max(0.0, self._deadline - time.monotonic())

    async def probe(self, target: Target, request: AnyRequest, seconds: float) -> Outcome:
        """Send one probe, again with growing, jittered pauses where that is worth it.

        After ``seconds`` it is not sent again.
        """
        pause, started = FIRST_PAUSE_SECONDS, time.monotonic()
        for tries_left in reversed(range(TRIES)):
            outcome = await self.probe_once(target, request)
            if isinstance(outcome, Answered) or not outcome.is_worth_retrying:
                return outcome
            wait = (outcome.retry_after_seconds or pause) * random.uniform(0.5, 1.5)  # noqa: S311  jitter
            left = min(seconds - (time.monotonic() - started), self.remaining_seconds)
            if wait > left or not tries_left:
                return outcome
            await asyncio.sleep(wait)
            pause *= 3
        raise AssertionError("unreachable")

    async def probe_once(self, target: Target, request: AnyRequest) -> Outcome:
        """Send one probe on a fresh connection, without trying again."""
        slot = self._node_slots.setdefault(target.node.name, asyncio.Semaphore(PER_NODE))
        async with slot, self._slots:
            seconds = min(self._timeout_seconds, self.remaining_seconds)
            if seconds <= 0:
                return NoAnswer(state="unreachable", detail="the run's deadline had passed")
            self.probes_sent += 1
            outcome = await self._try(target, request, seconds)
            log.debug("%s: %s", target.node.name, _told(outcome))
            return outcome

    async def _try(self, target: Target, request: AnyRequest, seconds: float) -> Outcome:
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(target, request)
        except TimeoutError:
            return _timed_out(seconds)
        except _FOREIGN as exc:
            return translate(exc)

    async def _exchange(self, target: Target, request: AnyRequest) -> Outcome:
        body = wire.encode(request)
        sent = _sign(target, body)
        started = time.perf_counter()
        async with self._client(target.node.transport).stream(
            "POST",
            target.node.probe_url,
            content=body,
            headers=_headers(target.node.transport, sent),
            extensions=_extensions(target.node.transport),
        ) as response:
            try:
                received = await _bounded(response.aiter_raw(), _limit_bytes(request))
            except MessageTooLarge as exc:
                return NoAnswer(state="failed", detail=f"the answer is too large: {exc}")
        rtt_seconds = time.perf_counter() - started
        self.bytes_received += len(received)
        return _judge(sent, response, received, rtt_seconds)

    def _client(self, transport: Transport) -> httpx.AsyncClient:
        key = (transport.ca_file, transport.client_cert)
        if key not in self._clients:
            self._clients[key] = httpx.AsyncClient(
                transport=self._transport,
                verify=tls_context(*key),
                follow_redirects=False,
                trust_env=False,
                timeout=self._timeout_seconds,
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            )
        return self._clients[key]


def translate(exc: Exception) -> NoAnswer:
    """Turn every exception of httpx into an outcome: an unreachable node, with the reason."""
    if isinstance(exc, httpx.TimeoutException):
        return NoAnswer(state="unreachable", detail="timed out", is_worth_retrying=True)
    if isinstance(exc, httpx.ConnectError | OSError):
        return _not_connected(tuple(_causes(exc)))
    text = str(exc.__cause__ or exc) or type(exc).__name__
    if isinstance(exc, httpx.RemoteProtocolError):
        detail = f"no proper HTTP answer: {text[:160]}"
        return NoAnswer(state="failed", detail=detail, is_worth_retrying=True)
    if isinstance(exc, httpx.NetworkError):
        detail = f"the connection broke: {text[:160]}"
        return NoAnswer(state="unreachable", detail=detail, is_worth_retrying=True)
    return NoAnswer(state="failed", detail=f"{type(exc).__name__}: {text[:160]}")


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """Give an exception and what led to it; a group's members are the tries at each address."""
    yield exc
    members = exc.exceptions if isinstance(exc, BaseExceptionGroup) else ()
    for cause in (*members, exc.__cause__ or exc.__context__):
        if cause is not None:
            yield from _causes(cause)


def _not_connected(causes: tuple[BaseException, ...]) -> NoAnswer:
    """Say why, by the types of the causes: texts are the system's, in its language."""
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return NoAnswer(state="unreachable", detail=f"TLS: {str(cause)[:160]}")
        if isinstance(cause, socket.gaierror):
            return NoAnswer(
                state="unreachable",
                detail=f"DNS: {str(cause)[:160]}",
                is_worth_retrying=cause.errno == socket.EAI_AGAIN,
            )
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        detail = "connection refused: nothing listens there"
    else:
        detail = str(causes[-1])[:160] or type(causes[-1]).__name__
    return NoAnswer(state="unreachable", detail=detail, is_worth_retrying=True)


def _told(outcome: Outcome) -> str:
    if isinstance(outcome, NoAnswer):
        return f"{outcome.state}: {outcome.detail}"
    milliseconds = outcome.clock.rtt_seconds * 1000
    return f"{type(outcome.answer).__name__.lower()} in {milliseconds:.1f} ms"


def _timed_out(seconds: float) -> NoAnswer:
    detail = f"timed out: no whole answer within {seconds:.1f} s"
    return NoAnswer(state="unreachable", detail=detail, is_worth_retrying=True)


class _Sent(Value, frozen=True, kw_only=True):
    """What an answer must be bound to, and when we asked by our clock."""

    keyring: Keyring
    headers: dict[str, str]
    request_id: str
    at: float


def _sign(target: Target, body: bytes) -> _Sent:
    now = time.time()
    headers = sign_request(
        keyring=target.keyring,
        node=target.node.name,
        body=body,
        now=now,
        nonce=secrets.token_hex(16),
    )
    return _Sent(keyring=target.keyring, headers=headers, request_id=secrets.token_hex(8), at=now)


def _judge(sent: _Sent, response: httpx.Response, body: bytes, rtt_seconds: float) -> Outcome:
    headers = {name.lower(): value for name, value in response.headers.items()}
    if "signature" not in headers:
        return _unsigned(response.status_code, headers, body, sent)
    try:
        verify_response(
            keyring=sent.keyring,
            request_headers=sent.headers,
            status=response.status_code,
            headers=headers,
            body=body,
        )
        answer = wire.decode_answer(body)
    except SignatureError as exc:
        why = compression(headers) or f"the answer's signature does not hold: {exc}"
        return NoAnswer(state="failed", detail=why)
    except ProtocolMismatch as exc:
        return NoAnswer(state="incompatible", detail=f"{exc}: use agents of one version")
    except WireError as exc:
        return NoAnswer(state="failed", detail=f"the answer cannot be read: {exc}"[:300])
    return _accepted(answer, len(body), sent.at, rtt_seconds)


def _accepted(
    answer: wire.AnyAnswer, answer_bytes: int, sent_at: float, rtt_seconds: float
) -> Outcome:
    if isinstance(answer, wire.Refused):
        return _refused(answer, sent_at, rtt_seconds)
    working = max(0.0, answer.sent_at - answer.received_at)
    network = max(0.0, rtt_seconds - working)
    offset = (answer.received_at - sent_at + answer.sent_at - sent_at - rtt_seconds) / 2
    clock = Clock(offset_seconds=offset, uncertainty_seconds=network / 2, rtt_seconds=rtt_seconds)
    return Answered(answer=answer, clock=clock, answer_bytes=answer_bytes)


def _refused(refused: wire.Refused, sent_at: float, rtt_seconds: float) -> NoAnswer:
    clock = Clock(
        offset_seconds=refused.clock - sent_at - rtt_seconds / 2,
        uncertainty_seconds=rtt_seconds / 2,
        rtt_seconds=rtt_seconds,
    )
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
        retry_after_seconds=min(refused.retry_after_seconds or 0.0, 5.0) or None,
    )


def _unsigned(status: int, headers: dict[str, str], body: bytes, sent: _Sent) -> NoAnswer:
    start = body[:_START_BYTES].decode("utf-8", "replace")
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


def _limit_bytes(request: AnyRequest) -> int:
    """Bound an answer; descriptions are kept for the whole run, one for each worker."""
    is_description = isinstance(request, wire.Describe)
    return wire.MAX_DESCRIPTION_BYTES if is_description else wire.MAX_ANSWER_BYTES


async def _bounded(chunks: AsyncIterator[bytes], limit_bytes: int) -> bytes:
    received = bytearray()
    async for chunk in chunks:
        received += chunk
        if len(received) > limit_bytes:
            raise MessageTooLarge(limit_bytes)
    return bytes(received)


def _headers(transport: Transport, sent: _Sent) -> dict[str, str]:
    headers = {"accept-encoding": "identity", "connection": "close", "user-agent": "cachecheck"}
    headers |= {name.lower(): value for name, value in transport.headers}
    if transport.host_header:
        headers["host"] = transport.host_header
    return headers | sent.headers | {REQUEST_ID_HEADER: sent.request_id}


def _extensions(transport: Transport) -> dict[str, str]:
    if not transport.host_header:
        return {}
    return {"sni_hostname": transport.host_header.rpartition(":")[0] or transport.host_header}
