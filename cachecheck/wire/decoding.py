"""From messages to bodies and back, strictly."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from cachecheck.errors import MalformedMessage, MessageTooLarge, ProtocolMismatch
from cachecheck.wire.answers import AnyAnswer, OneAnswer
from cachecheck.wire.messages import MAX_ANSWER_BYTES, MAX_BODY_BYTES, PROTOCOL
from cachecheck.wire.requests import AnyRequest

if TYPE_CHECKING:
    from cachecheck.wire.messages import Message


class _AnyVersion(msgspec.Struct):
    protocol: Any = None


_ENCODER = msgspec.json.Encoder()
_VERSION = msgspec.json.Decoder(_AnyVersion)


def encode(message: Message) -> bytes:
    """Encode a message as the body of a probe or of its answer."""
    return _ENCODER.encode(message)


def decode_request(body: bytes, *, limit_bytes: int = MAX_BODY_BYTES) -> AnyRequest:
    """Decode a request; raises ``WireError`` with a reason that can be sent back."""
    decoded: AnyRequest = _decode(AnyRequest, body, limit_bytes)
    return decoded


def decode_answer(body: bytes, *, limit_bytes: int = MAX_ANSWER_BYTES) -> AnyAnswer:
    """Decode an answer; raises ``WireError`` with a reason that can be shown."""
    decoded: AnyAnswer = _decode(AnyAnswer, body, limit_bytes)
    return decoded


def decode_one_answer(body: bytes, *, limit_bytes: int = MAX_ANSWER_BYTES) -> OneAnswer:
    """Decode the answer of one worker for itself, as siblings give it; raises ``WireError``."""
    decoded: OneAnswer = _decode(OneAnswer, body, limit_bytes)
    return decoded


@cache
def _decoder(wanted: Any) -> msgspec.json.Decoder[Any]:
    """Make a decoder once it is needed: each takes milliseconds, and nobody needs all of them."""
    return msgspec.json.Decoder(wanted)


def _decode(wanted: Any, body: bytes, limit_bytes: int) -> Any:
    if len(body) > limit_bytes:
        raise MessageTooLarge(limit_bytes)
    try:
        theirs = _VERSION.decode(body).protocol
        if theirs != PROTOCOL or isinstance(theirs, bool):
            raise ProtocolMismatch(theirs, PROTOCOL)
        return _decoder(wanted).decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise MalformedMessage(str(exc)) from exc
