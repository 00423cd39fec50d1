"""The transport: one connection for one request, over sockets and TLS that are real."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest

from cachecheck.coordinator.connection import MAX_HEAD_BYTES, FreshConnections
from harness.certificates import make_certificates
from harness.process import LOOPBACK

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers every connection with the same bytes, then closes it; remembers what it was sent."""

    def __init__(self, answer: bytes, *, reads_first: bool = True) -> None:
        self.received: list[bytes] = []
        self.saw_end: list[bool] = []
        self._answer = answer
        self._reads_first = reads_first

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._reads_first:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            self.received.append(head + await reader.readexactly(length))
        writer.write(self._answer)
        await writer.drain()
        if self._answer is OK:
            self.saw_end.append(await reader.read() == b"")
        writer.close()


def ask(
    serve: Serve,
    *,
    tls: dict[str, str] | None = None,
    trusted: str | None = None,
    times: int = 1,
    body: bytes = b"{}",
    extensions: dict[str, Any] | None = None,
) -> tuple[int, bytes]:
    """Ask a server that ends with the question; give status and body of the last answer."""

    async def asking() -> tuple[int, bytes]:
        server = await asyncio.start_server(serve, LOOPBACK, 0, ssl=_serving(tls))
        async with server:
            port = server.sockets[0].getsockname()[1]
            url = f"http{'s' if tls else ''}://{LOOPBACK}:{port}/cachecheck/probe"
            transport = FreshConnections(ssl.create_default_context(cafile=trusted))
            for _ in range(times):
                request = httpx.Request("POST", url, content=body, extensions=extensions or {})
                response = await transport.handle_async_request(request)
                async with aclosing(response):
                    read = b"".join([chunk async for chunk in response.aiter_raw()])
            await asyncio.sleep(0.05)
            return response.status_code, read

    return asyncio.run(asyncio.wait_for(asking(), 20))


def _serving(tls: dict[str, str] | None) -> ssl.SSLContext | None:
    if tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls["server"])
    return context


def test_a_request_is_sent_whole_and_every_one_over_a_connection_of_its_own() -> None:
    server = Server(OK)
    assert ask(server, times=3, body=b"x" * 300_000) == (200, b"{}")
    assert len(server.received) == 3
    assert server.received[0].startswith(b"POST /cachecheck/probe HTTP/1.1\r\n")
    assert server.received[0].endswith(b"\r\n\r\n" + b"x" * 300_000)
    assert server.saw_end == [True] * 3


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde",
        b"HTTP/1.0 200 OK\r\n\r\nabcde",
        b"HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
    ],
    ids=["chunked", "until the end", "an old server", "after an interim answer"],
)
def test_a_body_is_read_however_it_is_delimited(answer: bytes) -> None:
    assert ask(Server(answer)) == (200, b"abcde")


def test_a_server_that_answers_before_it_has_read_is_heard() -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"
    assert ask(Server(refusal, reads_first=False)) == (413, b"big")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "complete message body"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "chunk"),
        (b"\x16\x03\x01 no http at all\r\n\r\n", "status line"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n", "."),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * (2 * MAX_HEAD_BYTES), "."),
    ],
    ids=["nothing", "cut short", "bad chunk", "garbage", "another protocol", "endless head"],
)
def test_what_is_no_proper_answer_is_an_error_of_the_protocol(answer: bytes, told: str) -> None:
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError), match=told):
        ask(Server(answer))


def test_a_port_where_nobody_listens_is_refused_with_the_systems_reason() -> None:
    async def asking() -> None:
        server = await asyncio.start_server(Server(OK), LOOPBACK, 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        transport = FreshConnections(ssl.create_default_context())
        await transport.handle_async_request(httpx.Request("POST", f"http://{LOOPBACK}:{port}/"))

    with pytest.raises(httpx.ConnectError) as caught:
        asyncio.run(asking())
    assert isinstance(caught.value.__cause__.__cause__, ConnectionRefusedError)


def test_tls_is_spoken_with_those_whom_the_given_authority_vouches_for(tmp_path: Path) -> None:
    written = make_certificates(tmp_path)
    assert ask(Server(OK), tls=written, trusted=written["ca"]) == (200, b"{}")


def test_a_certificate_of_nobody_we_trust_ends_the_connection(tmp_path: Path) -> None:
    with pytest.raises(httpx.ConnectError) as caught:
        ask(Server(OK), tls=make_certificates(tmp_path))
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


def test_a_certificate_must_be_for_the_name_that_is_asked_for(tmp_path: Path) -> None:
    written = make_certificates(tmp_path)
    named = {"sni_hostname": "shop.example"}
    with pytest.raises(httpx.ConnectError, match=r"shop\.example"):
        ask(Server(OK), tls=written, trusted=written["ca"], extensions=named)
