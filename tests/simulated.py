"""A fleet that exists in memory: nodes that sign as agents do and say what a test lets them say."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import msgspec

from cachecheck import wire
from cachecheck.coordinator import run as running
from cachecheck.coordinator.client import Client
from cachecheck.coordinator.fleet import Target, Transport, parse_node
from cachecheck.coordinator.judge import report_of
from cachecheck.coordinator.options import Options
from cachecheck.coordinator.progress import Silent
from cachecheck.digest import entry_digest, key_digest
from cachecheck.model import Key, Missing, Present, Reading, StoreIdentity
from cachecheck.signing import Keyring, authenticate_request, secret_from_text, sign_response
from cachecheck.survey import SampledKey, Summary
from observed import cache, worker

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from cachecheck.coordinator.audit import Ledger
    from cachecheck.model import Report

KEYRING = Keyring((secret_from_text("a-test-secret-of-forty-characters-000001"),))


class SimulatedNode:
    """A node of one worker with a store of its own, ``values`` by logical key.

    ``lies`` replaces fields of its capabilities, ``seen`` of its cache; ``pause_seconds`` is how
    long each read takes, and ``per_read`` how many keys it reads at once.
    """

    def __init__(
        self,
        name: str,
        values: Mapping[str, str | Reading],
        *,
        pause_seconds: float = 0.0,
        per_read: int = 1000,
        lies: Mapping[str, Any] | None = None,
        seen: Mapping[str, Any] | None = None,
        born_at: float | None = None,
    ) -> None:
        self.name = name
        self.values = values
        self.pause_seconds = pause_seconds
        self.per_read = per_read
        self.reads = 0
        self._lies = dict(lies or {})
        self.seen = dict(seen or {})
        self._described = worker(name, 1)
        born = {} if born_at is None else {"started_at": born_at}
        self._worker = msgspec.structs.replace(
            self._described.worker, id=f"{name}:1", host=name, host_id=name, **born
        )

    async def answer(self, request: wire.AnyRequest) -> wire.Message:
        """Answer as an agent would, apart from what it was told to do."""
        now = time.time()
        said: dict[str, Any] = {"worker": self._worker, "received_at": now}
        if request.audience and self._worker.id not in request.audience:
            return wire.Elsewhere(**said, sent_at=now)
        match request:
            case wire.Describe():
                return self._describe(request, said)
            case wire.Read():
                return await self._read(request, said)
            case wire.Survey():
                return wire.Surveyed(**said, sent_at=now, summary=self._sum(request), cursor=None)

    def _sum(self, request: wire.Survey) -> Summary:
        seed = bytes.fromhex(request.seed)
        sample = sorted(
            SampledKey(digest=key_digest(seed, name), key=Key(name=name)) for name in self.values
        )[: request.sample]
        return Summary(scanned=len(self.values), entries=len(self.values), sample=tuple(sample))

    def _describe(self, request: wire.Describe, said: dict[str, Any]) -> wire.Message:
        if self._worker.id in request.heard:
            return wire.Elsewhere(**said, sent_at=time.time())
        seen = cache()
        own = StoreIdentity(grade="observed", token=f"redis:{self.name}/0")
        capabilities = msgspec.structs.replace(seen.capabilities, **self._lies)
        described = msgspec.structs.replace(
            seen, **{"identity": own, "capabilities": capabilities, **self.seen}
        )
        return wire.Described(
            **said,
            sent_at=time.time(),
            node=None,
            application=self._described.application,
            release=None,
            versions=self._described.versions,
            workers_expected=1,
            expected_by="configured",
            caches=(described,),
        )

    async def _read(self, request: wire.Read, said: dict[str, Any]) -> wire.Readings:
        self.reads += 1
        await asyncio.sleep(self.pause_seconds)
        asked = request.keys[: self.per_read]
        return wire.Readings(
            **said,
            sent_at=time.time(),
            readings=tuple(self._reading(key, request) for key in asked),
            unread=len(request.keys) - len(asked),
        )

    def _reading(self, key: Key, request: wire.Read) -> Reading:
        value = self.values.get(key.name.rpartition(":")[2], Missing())
        if not isinstance(value, str):
            return value
        return present(value, bytes.fromhex(request.seed))


def present(value: str, seed: bytes = b"0" * 16, expires_at: float | None = None) -> Present:
    """Make the reading of a value as an agent would."""
    digest = entry_digest(seed, value.encode())
    return Present(
        digest=digest,
        structure=digest,
        size_bytes=len(value),
        expires_at=time.time() + 3600 if expires_at is None else expires_at,
    )


def check(
    nodes: list[SimulatedNode],
    monkeypatch: pytest.MonkeyPatch,
    *,
    ledger: Ledger | None = None,
    **options: Any,
) -> Report:
    """Check a simulated fleet through the whole coordinator."""
    by_host = {node.name: node for node in nodes}

    async def handle(request: httpx.Request) -> httpx.Response:
        asked = wire.decode_request(request.content)
        answer = await by_host[urlsplit(str(request.url)).hostname or ""].answer(asked)
        return _signed(request, wire.encode(answer))

    chosen = Options(**{"settle": 0.3, "deadline": 15.0, **options})
    monkeypatch.setattr(
        running,
        "_client",
        lambda options: Client(
            timeout_seconds=options.timeout,
            concurrency=options.concurrency,
            deadline=time.monotonic() + options.deadline,
            transport=httpx.MockTransport(handle),
        ),
    )
    targets = [
        Target(node=parse_node(f"{node.name}=http://{node.name}/", Transport()), keyring=KEYRING)
        for node in nodes
    ]
    return report_of(asyncio.run(running.observe(targets, chosen, Silent(), ledger=ledger)), chosen)


class _Body(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> Any:
        yield self._body


def _signed(request: httpx.Request, body: bytes) -> httpx.Response:
    verified = authenticate_request(keyring=KEYRING, method="POST", headers=request.headers)
    headers = sign_response(
        keyring=KEYRING, request=verified, status=200, body=body, now=time.time()
    )
    return httpx.Response(200, headers=headers, stream=_Body(body))
