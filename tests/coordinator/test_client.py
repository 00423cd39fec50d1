"""The client: every way in which a probe can fail is an outcome, and everything is bounded."""

import asyncio
import errno
import logging
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import msgspec
import pytest

from cachecheck import wire
from cachecheck.coordinator.client import TRIES, Client, translate
from cachecheck.coordinator.fleet import Target, Transport, parse_node
from cachecheck.coordinator.outcomes import Answered, NoAnswer
from cachecheck.model import NodeState, Versions, Worker
from cachecheck.signing import Keyring, authenticate_request, secret_from_text, sign_response

KEYRING = Keyring((secret_from_text("a-test-secret-of-forty-characters-000001"),))
TARGET = Target(node=parse_node("web-1=web-1:8000", Transport()), keyring=KEYRING)
DESCRIBE = wire.Describe(run="run-1", probe_keys=("probe",))
WORKER = Worker(
    id="a:1", host="a", host_id="h", pid=1, started_at=0.0, role="web", parent="0", listener=None
)

Handler = Callable[[httpx.Request], Awaitable[httpx.Response]]


def run(
    handler: Handler,
    work: Callable[[Client], Awaitable[Any]],
    *,
    timeout_seconds: float = 5.0,
    deadline_seconds: float = 20.0,
    concurrency: int = 50,
) -> Any:
    async def running() -> Any:
        async with Client(
            timeout_seconds=timeout_seconds,
            concurrency=concurrency,
            deadline=time.monotonic() + deadline_seconds,
            transport=httpx.MockTransport(handler),
        ) as client:
            return await work(client)

    return asyncio.run(running())


def probe(handler: Handler, **limits: Any) -> Any:
    return run(handler, lambda client: client.probe(TARGET, DESCRIBE, 20.0), **limits)


def signed(request: httpx.Request, answer: wire.Message, status: int = 200) -> httpx.Response:
    """Answer as an agent does."""
    verified = authenticate_request(keyring=KEYRING, method="POST", headers=request.headers)
    body = wire.encode(answer)
    headers = sign_response(
        keyring=KEYRING, request=verified, status=status, body=body, now=time.time()
    )
    return httpx.Response(status, headers=headers, stream=Chunks(body))


class Chunks(httpx.AsyncByteStream):
    """A body in one piece, which is read as it comes from a network."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> Any:
        for chunk in self._chunks:
            yield chunk


def elsewhere(clock_offset_seconds: float = 0.0, working_seconds: float = 0.0) -> wire.Elsewhere:
    now = time.time() + clock_offset_seconds
    return wire.Elsewhere(worker=WORKER, received_at=now, sent_at=now + working_seconds)


def refused(reason: wire.RefusalReason, **options: Any) -> wire.Refused:
    return wire.Refused(reason=reason, detail="because", clock=time.time(), **options)


# --- every exception of httpx --------------------------------------------------------------

REQUEST = httpx.Request("POST", "http://web-1/")
STATES: dict[type[Exception], tuple[NodeState, bool]] = {
    httpx.HTTPError: ("failed", False),
    httpx.RequestError: ("failed", False),
    httpx.TransportError: ("failed", False),
    httpx.TimeoutException: ("unreachable", True),
    httpx.ConnectTimeout: ("unreachable", True),
    httpx.ReadTimeout: ("unreachable", True),
    httpx.WriteTimeout: ("unreachable", True),
    httpx.PoolTimeout: ("unreachable", True),
    httpx.NetworkError: ("unreachable", True),
    httpx.ConnectError: ("unreachable", True),
    httpx.ReadError: ("unreachable", True),
    httpx.WriteError: ("unreachable", True),
    httpx.CloseError: ("unreachable", True),
    httpx.ProxyError: ("failed", False),
    httpx.UnsupportedProtocol: ("failed", False),
    httpx.ProtocolError: ("failed", False),
    httpx.LocalProtocolError: ("failed", False),
    httpx.RemoteProtocolError: ("failed", True),
    httpx.DecodingError: ("failed", False),
    httpx.TooManyRedirects: ("failed", False),
    httpx.HTTPStatusError: ("failed", False),
    httpx.InvalidURL: ("failed", False),
    httpx.CookieConflict: ("failed", False),
    httpx.StreamError: ("failed", False),
    httpx.StreamConsumed: ("failed", False),
    httpx.StreamClosed: ("failed", False),
    httpx.ResponseNotRead: ("failed", False),
    httpx.RequestNotRead: ("failed", False),
}


def exceptions_of_httpx() -> Iterator[type[Exception]]:
    for value in vars(httpx).values():
        if isinstance(value, type) and issubclass(value, Exception):
            yield value


def made(kind: type[Exception]) -> Exception:
    if issubclass(kind, httpx.HTTPStatusError):
        return kind("no good", request=REQUEST, response=httpx.Response(500))
    try:
        return kind("no good")
    except TypeError:
        return kind()


def test_every_exception_of_httpx_has_its_place() -> None:
    assert set(exceptions_of_httpx()) == STATES.keys()


@pytest.mark.parametrize("kind", STATES, ids=lambda kind: kind.__name__)
def test_exception_becomes_an_outcome(kind: type[Exception]) -> None:
    outcome = translate(made(kind))
    assert (outcome.state, outcome.is_worth_retrying) == STATES[kind]
    assert outcome.detail


@pytest.mark.parametrize("kind", STATES, ids=lambda kind: kind.__name__)
def test_exception_does_not_leave_the_client(kind: type[Exception]) -> None:
    async def fail(_request: httpx.Request) -> httpx.Response:
        raise made(kind)

    outcome = run(fail, lambda client: client.probe_once(TARGET, DESCRIBE))
    assert (outcome.state, outcome.is_worth_retrying) == STATES[kind]


NO_ROUTE = OSError(errno.EHOSTUNREACH, "No route to host")
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
BOTH = ExceptionGroup("multiple connection attempts failed", [NO_ROUTE, REFUSED])


@pytest.mark.parametrize(
    ("cause", "detail", "is_worth_retrying"),
    [
        (REFUSED, "connection refused", True),
        (BOTH, "connection refused", True),
        (NO_ROUTE, "[Errno 113] No route to host", True),
        (OSError(), "OSError", True),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "DNS: ", False),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "DNS: ", True),
        (ssl.SSLCertVerificationError(1, "self-signed certificate"), "TLS: ", False),
        (ssl.SSLError(1, "wrong version number"), "TLS: ", False),
    ],
)
def test_connection_that_is_not_made_says_why(
    cause: Exception, detail: str, *, is_worth_retrying: bool
) -> None:
    between, last = OSError("All connection attempts failed"), httpx.ConnectError("failed")
    between.__cause__, last.__cause__ = cause, between
    for exc in (cause, last) if isinstance(cause, OSError) else (last,):
        outcome = translate(exc)
        assert outcome.state == "unreachable"
        assert outcome.detail.startswith(detail)
        assert outcome.is_worth_retrying == is_worth_retrying


# --- trying again --------------------------------------------------------------------------


class InTurn:
    """Gives one answer after another, the last one for ever; remembers when it was asked."""

    def __init__(self, *answers: Callable[[httpx.Request], httpx.Response]) -> None:
        self._answers = answers
        self.asked_at: list[float] = []
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked_at.append(time.monotonic())
        self.requests.append(request)
        return self._answers[min(len(self.asked_at), len(self._answers)) - 1](request)

    @property
    def pauses(self) -> list[float]:
        return [after - before for before, after in zip(self.asked_at, self.asked_at[1:])]  # noqa: B905


def down(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def status(code: int) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _request: httpx.Response(code, stream=Chunks(b"nothing"))


def test_node_that_comes_back_is_asked_again() -> None:
    handler = InTurn(down, status(503), lambda request: signed(request, elsewhere()))
    assert isinstance(probe(handler), Answered)
    assert len(handler.asked_at) == 3


def test_pauses_grow_and_have_jitter() -> None:
    handlers = [InTurn(down) for _ in range(6)]
    for handler in handlers:
        assert probe(handler).state == "unreachable"
    firsts = [handler.pauses[0] for handler in handlers]
    seconds = [handler.pauses[1] for handler in handlers]
    assert {len(handler.asked_at) for handler in handlers} == {TRIES}
    assert all(0.05 <= pause < 0.35 for pause in firsts)
    assert all(0.15 <= pause < 0.65 for pause in seconds)
    assert max(firsts) - min(firsts) > 0.001


def test_each_try_has_a_nonce_and_a_request_id_of_its_own() -> None:
    handler = InTurn(down)
    probe(handler)
    sent = [request.headers for request in handler.requests]
    assert len({headers["signature-input"] for headers in sent}) == TRIES
    assert len({headers["cachecheck-request"] for headers in sent}) == TRIES


@pytest.mark.parametrize("code", [200, 204, 301, 400, 401, 403, 404, 413, 500])
def test_answer_that_would_not_change_is_not_asked_for_again(code: int) -> None:
    handler = InTurn(status(code))
    assert isinstance(probe(handler), NoAnswer)
    assert len(handler.asked_at) == 1


def test_busy_node_says_when_to_ask_again() -> None:
    handler = InTurn(
        lambda request: signed(request, refused("busy", retry_after_seconds=0.4)),
        lambda request: signed(request, elsewhere()),
    )
    assert isinstance(probe(handler), Answered)
    assert 0.2 <= handler.pauses[0] < 1.0


def test_what_a_node_says_does_not_rule_the_terminal_that_the_log_goes_to(
    caplog: pytest.LogCaptureFixture,
) -> None:
    odd = msgspec.structs.replace(refused("withheld"), detail="no\x1b]0;owned\x07")
    with caplog.at_level(logging.DEBUG, "cachecheck"):
        probe(InTurn(lambda request: signed(request, odd)))
    assert "owned" in caplog.text
    assert "\x1b" not in caplog.text


def test_node_is_not_waited_for_beyond_the_deadline() -> None:
    handler = InTurn(lambda request: signed(request, refused("busy", retry_after_seconds=60.0)))
    started = time.monotonic()
    assert probe(handler, deadline_seconds=1.0).state == "rejected"
    assert time.monotonic() - started < 1.5
    assert len(handler.asked_at) == 1


# --- bounds --------------------------------------------------------------------------------


async def hang(_request: httpx.Request) -> httpx.Response:
    await asyncio.sleep(60)
    raise AssertionError("unreachable")


def test_probe_ends_with_its_timeout() -> None:
    started = time.monotonic()
    outcome = run(hang, lambda client: client.probe_once(TARGET, DESCRIBE), timeout_seconds=0.1)
    assert (outcome.state, outcome.is_worth_retrying) == ("unreachable", True)
    assert outcome.detail == "timed out: no whole answer within 0.1 s"
    assert time.monotonic() - started < 2


def test_probe_ends_with_the_run() -> None:
    started = time.monotonic()
    assert probe(hang, timeout_seconds=30.0, deadline_seconds=0.2).state == "unreachable"
    assert time.monotonic() - started < 2


def test_body_that_drips_does_not_outlast_the_timeout() -> None:
    class Drip(httpx.AsyncByteStream):
        async def __aiter__(self) -> Any:
            while True:
                await asyncio.sleep(0.01)
                yield b" "

    async def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Drip())

    outcome = run(answer, lambda client: client.probe_once(TARGET, DESCRIBE), timeout_seconds=0.2)
    assert "timed out" in outcome.detail


def test_after_the_deadline_nothing_is_sent() -> None:
    handler = InTurn(status(404))
    outcome = probe(handler, deadline_seconds=-1.0)
    assert (outcome.state, outcome.detail) == ("unreachable", "the run's deadline had passed")
    assert handler.asked_at == []


@pytest.mark.parametrize("bound", [1, 3])
def test_no_more_probes_than_allowed_are_sent_at_once(bound: int) -> None:
    active, most = 0, 0

    async def count(request: httpx.Request) -> httpx.Response:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(0.01)
        active -= 1
        return signed(request, elsewhere())

    async def ask_ten(client: Client) -> list[object]:
        return await asyncio.gather(*(client.probe_once(TARGET, DESCRIBE) for _ in range(10)))

    outcomes = run(count, ask_ten, concurrency=bound)
    assert all(isinstance(outcome, Answered) for outcome in outcomes)
    assert most == bound


def test_answer_of_the_largest_size_is_the_last_that_is_read() -> None:
    read = 0

    class Flood(httpx.AsyncByteStream):
        async def __aiter__(self) -> Any:
            nonlocal read
            while True:
                read += 1 << 20
                yield b" " * (1 << 20)

    async def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Flood())

    outcome = probe(answer)
    assert outcome.state == "failed"
    assert "too large" in outcome.detail
    assert read <= wire.MAX_ANSWER_BYTES + (2 << 20)


def test_redirect_is_not_followed() -> None:
    handler = InTurn(
        lambda _request: httpx.Response(
            302, headers={"Location": "http://elsewhere/"}, stream=Chunks()
        )
    )
    assert probe(handler).state == "rejected"
    assert [request.url.host for request in handler.requests] == ["web-1"]


# --- what is sent, and what is made of the answer ------------------------------------------


def test_request_asks_for_a_fresh_connection_and_no_compression() -> None:
    handler = InTurn(status(404))
    transport = Transport(
        host_header="shop.example", headers=(("X-Forwarded-Proto", "https"), ("Signature", "mine"))
    )
    target = Target(node=parse_node("web-1=10.0.0.1", transport), keyring=KEYRING)
    run(handler, lambda client: client.probe_once(target, DESCRIBE))
    (request,) = handler.requests
    assert str(request.url) == "http://10.0.0.1/cachecheck/probe"
    assert request.headers["host"] == "shop.example"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["connection"] == "close"
    assert request.headers["x-forwarded-proto"] == "https"
    authenticate_request(keyring=KEYRING, method="POST", headers=request.headers)


def test_clock_of_the_node_is_taken_from_the_middle_of_the_exchange() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.1)
        return signed(request, elsewhere(30.0, working_seconds=0.0))

    clock = probe(answer).clock
    assert clock.offset_seconds == pytest.approx(30.0, abs=clock.uncertainty_seconds + 0.001)
    assert 0.05 <= clock.uncertainty_seconds < 0.5


def test_stale_refusal_tells_whose_clock_is_how_far_off() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        refusal = wire.Refused(reason="stale", detail="", clock=time.time() - 600)
        return signed(request, refusal)

    outcome = probe(answer)
    assert outcome.state == "rejected"
    assert "600 s behind ours" in outcome.detail
    assert outcome.clock.offset_seconds == pytest.approx(-600, abs=1)


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("too-large", "rejected"),
        ("unknown-cache", "rejected"),
        ("not-allowed", "rejected"),
        ("wrong-node", "rejected"),
        ("bad-request", "incompatible"),
    ],
)
def test_refusal_says_why(reason: wire.RefusalReason, state: str) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        return signed(request, refused(reason, node="web-2", worker=WORKER))

    outcome = probe(answer)
    assert (outcome.state, outcome.own_name, outcome.worker) == (state, "web-2", "a:1")
    assert outcome.detail == f"refused as {reason}: because"


def test_status_is_part_of_what_was_signed() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        held = signed(request, elsewhere())
        return httpx.Response(203, headers=held.headers, stream=held.stream)

    assert probe(answer).state == "failed"


def test_versions_are_not_read_from_what_nobody_signed() -> None:
    async def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Chunks(wire.encode(elsewhere())))

    outcome = probe(answer)
    assert isinstance(outcome, NoAnswer)
    assert "no signature" in outcome.detail


def test_answer_of_the_described_kind_is_given_whole() -> None:
    described = wire.Described(
        worker=WORKER,
        received_at=time.time(),
        sent_at=time.time(),
        node="web-1",
        application="shop",
        release=None,
        versions=Versions(python="3.12.1", django="6.1", agent="0.1.0", pickle_protocol=5),
        workers_expected=1,
        expected_by="siblings",
        caches=(),
    )

    async def answer(request: httpx.Request) -> httpx.Response:
        return signed(request, described)

    assert probe(answer).answer == described


def test_no_cookie_ties_us_to_a_worker() -> None:
    told: list[str | None] = []

    def handler(request: httpx.Request) -> httpx.Response:
        told.append(request.headers.get("cookie"))
        return httpx.Response(503, headers={"set-cookie": "worker=1; Path=/"}, text="busy")

    async def twice(client: Client) -> None:
        for _ in range(2):
            await client.probe_once(TARGET, DESCRIBE)

    run(handler, twice)
    assert told == [None, None]
