"""The wire: what one side encodes the other decodes, and nothing else gets in."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachecheck import wire
from cachecheck.errors import MalformedMessage, MessageTooLarge, ProtocolMismatch, WireError
from cachecheck.model import MAX_KEY_CHARS, Expired, Failed, Missing, Present, Worker

SEED = "0123456789abcdef" * 2
WORKER = Worker(
    id="w", host="h", host_id="i", pid=1, started_at=1.0, role="web", parent="1:1", listener=None
)


def read(**changes: object) -> dict[str, object]:
    return {
        "type": "read",
        "protocol": 1,
        "run": "r",
        "cache": "default",
        "seed": SEED,
        "keys": [{"name": "k"}],
        **changes,
    }


def decode(message: object) -> object:
    return wire.decode_request(msgspec.json.encode(message))


@given(
    readings=st.lists(
        st.one_of(
            st.builds(
                Present,
                digest=st.text(),
                size_bytes=st.integers(0, 2**40),
                expires_at=st.none() | st.floats(0, 2e9),
                structure=st.none() | st.text(),
                cas=st.none() | st.integers(0, 2**62),
            ),
            st.just(Missing()),
            st.builds(Expired, expires_at=st.floats(0, 2e9)),
            st.builds(Failed, reason=st.sampled_from(["error", "withheld"]), detail=st.text()),
        )
    )
)
def test_readings_arrive_as_they_were_sent(readings: list[object]) -> None:
    sent = wire.Readings(
        worker=WORKER, received_at=1.0, sent_at=2.0, readings=tuple(readings), unread=3
    )
    assert wire.decode_answer(wire.encode(sent)) == sent


def test_another_protocol_version_is_told_apart_from_garbage() -> None:
    with pytest.raises(ProtocolMismatch) as caught:
        decode({"protocol": 2, "type": "conjure", "new": [1]})
    assert caught.value.theirs == 2


@pytest.mark.parametrize("theirs", [None, "1", True, [1], 1.5])
def test_a_version_that_is_no_number_is_another_version(theirs: object) -> None:
    with pytest.raises(ProtocolMismatch):
        decode(read(protocol=theirs))


@pytest.mark.parametrize(
    "message",
    [
        read(type="conjure"),
        read(extra=1),
        read(cache=7),
        read(cache=""),
        read(seed="xyz"),
        read(keys=[]),
        read(keys=[{"name": "k"}] * (wire.MAX_KEYS + 1)),
        read(keys=[{"name": ""}]),
        read(keys=[{"name": "k" * (MAX_KEY_CHARS + 1)}]),
        read(keys=[{"name": "k", "naming": "guessed"}]),
        read(run="r" * 201),
        [1, 2, 3],
        "text",
        None,
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(message: object) -> None:
    with pytest.raises(WireError) as caught:
        decode(message)
    assert str(caught.value)


def test_times_and_counts_that_no_clock_or_server_has_are_refused() -> None:
    """A node that lies must not be able to break the arithmetic of the whole run."""
    for reading in (
        {"state": "present", "digest": "d", "size_bytes": -1, "expires_at": None},
        {"state": "present", "digest": "d", "size_bytes": 1, "expires_at": 1e300},
        {"state": "expired", "expires_at": -1e300},
        {"state": "failed", "reason": "error", "detail": "x" * 20_000},
    ):
        sent = wire.Readings(worker=WORKER, received_at=1.0, sent_at=2.0, readings=())
        raw = msgspec.json.decode(wire.encode(sent)) | {"readings": [reading]}
        with pytest.raises(MalformedMessage):
            wire.decode_answer(msgspec.json.encode(raw))


def test_a_message_over_the_limit_is_not_decoded() -> None:
    with pytest.raises(MessageTooLarge):
        wire.decode_request(b" " * 11, limit_bytes=10)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"protocol":1}'])
def test_garbage_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        wire.decode_answer(body)


@given(st.binary(max_size=300))
def test_no_bytes_at_all_raise_anything_else(body: bytes) -> None:
    for decode_bytes in (wire.decode_request, wire.decode_answer):
        with pytest.raises(WireError):
            decode_bytes(body)
