"""The client: sends signed probes and accepts only answers that are bound to them.

The only importer of httpx, and the one boundary at which its exceptions become outcomes. Everything
a node can send is bounded: bytes, time to connect, time in all; redirects are not followed, and
cookies are not kept: by one of them a balancer would tie us to a single worker.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import socket
import ssl
import time
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Self

import httpx

from cachecheck import wire
from cachecheck.coordinator.outcomes import Answered, NoAnswer, Outcome, Received, Sent, judge, told
from cachecheck.coordinator.tls import tls_context
from cachecheck.errors import MessageTooLarge
from cachecheck.signing import sign_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from cachecheck.coordinator.fleet import Target, Transport
    from cachecheck.wire import AnyRequest

log = logging.getLogger("cachecheck.coordinator")

TRIES = 3
PER_NODE = 20
FIRST_PAUSE_SECONDS = 0.1
SHARE_FOR_SIBLINGS = 0.6
REQUEST_ID_HEADER = "cachecheck-request"
_FOREIGN = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    httpx.CookieConflict,
    OSError,
    UnicodeError,  # of a host name that is none
)


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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        for client in self._clients.values():
            await client.aclose()

    @property
    def remaining_seconds(self) -> float:
        """How much of the run's deadline is left."""
        return max(0.0, self._deadline - time.monotonic())

    @property
    def relay_seconds(self) -> float:
        """How long a worker may wait for its siblings, so that its answer comes in time."""
        return min(wire.MAX_RELAY_SECONDS, self._timeout_seconds * SHARE_FOR_SIBLINGS)

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
            outcome = await self._try(target, request, seconds)
            log.debug("%s: %s", target.node.name, told(outcome))
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
        client = self._client(target.node.transport)
        sent = _sign(target, body)
        started = time.perf_counter()
        async with client.stream(
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
        return judge(
            sent,
            Received(
                status=response.status_code,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=received,
                rtt_seconds=time.perf_counter() - started,
            ),
        )

    def _client(self, transport: Transport) -> httpx.AsyncClient:
        key = (transport.ca_file, transport.client_cert)
        if key not in self._clients:
            self._clients[key] = httpx.AsyncClient(
                transport=self._transport,
                verify=tls_context(*key),
                follow_redirects=False,
                trust_env=False,
                timeout=self._timeout_seconds,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
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


def _timed_out(seconds: float) -> NoAnswer:
    detail = f"timed out: no whole answer within {seconds:.1f} s"
    return NoAnswer(state="unreachable", detail=detail, is_worth_retrying=True)


def _sign(target: Target, body: bytes) -> Sent:
    headers = sign_request(
        keyring=target.keyring,
        node=target.node.name,
        body=body,
        now=time.time(),
        nonce=secrets.token_hex(16),
    )
    # the clock is read again: the first signature of a run waits for a library to be loaded
    return Sent(
        keyring=target.keyring, headers=headers, request_id=secrets.token_hex(8), at=time.time()
    )


def _limit_bytes(request: AnyRequest) -> int:
    """Bound an answer; descriptions are kept for the whole run, one for each worker."""
    is_description = isinstance(request, wire.Describe) and request.relay_seconds is None
    return wire.MAX_DESCRIPTION_BYTES if is_description else wire.MAX_ANSWER_BYTES


async def _bounded(chunks: AsyncIterator[bytes], limit_bytes: int) -> bytes:
    received = bytearray()
    async for chunk in chunks:
        received += chunk
        if len(received) > limit_bytes:
            raise MessageTooLarge(limit_bytes)
    return bytes(received)


def _headers(transport: Transport, sent: Sent) -> dict[str, str]:
    headers = {"accept-encoding": "identity", "connection": "close", "user-agent": "cachecheck"}
    headers |= {name.lower(): value for name, value in transport.headers}
    if transport.host_header:
        headers["host"] = transport.host_header
    return headers | sent.headers | {REQUEST_ID_HEADER: sent.request_id}


def _extensions(transport: Transport) -> dict[str, str]:
    if not transport.host_header:
        return {}
    return {"sni_hostname": transport.host_header.rpartition(":")[0] or transport.host_header}
