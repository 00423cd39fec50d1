"""From messages to bodies and back, strictly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from cachecheck.errors import MalformedMessage, MessageTooLarge, ProtocolMismatch
from cachecheck.wire.answers import AnyAnswer, OneAnswer
from cachecheck.wire.messages import MAX_ANSWER_BYTES, MAX_BODY_BYTES, PROTOCOL
from cachecheck.wire.requests import AnyRequest

if TYPE_CHECKING:
    from cachecheck.wire.messages import Message

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
