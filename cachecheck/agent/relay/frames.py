"""What siblings send each other: a request as it came, and a signed answer; nothing without bounds.

A frame is its length, in four bytes, and a message in MessagePack, which carries bodies as they
are. What it holds is judged as any probe and any answer are: by its signature.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Annotated, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from cachecheck.agent.judging import REQUEST_ID_HEADER
from cachecheck.errors import MalformedMessage
from cachecheck.model import Value
from cachecheck.signing.profile import NODE_HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping

LENGTH_BYTES = 4
BESIDE_BODY_BYTES = 16 << 10
"""What a frame may have beside a body: headers."""

_HANDED_ON = (
    "content-type",
    "content-digest",
    NODE_HEADER,
    "signature-input",
    "signature",
    REQUEST_ID_HEADER,
)
_LENGTH = struct.Struct(">I")

_Headers: TypeAlias = dict[
    Annotated[str, Meta(max_length=100)], Annotated[str, Meta(max_length=2000)]
]


class Handed(Value, frozen=True, kw_only=True):
    """A request as it was signed: the headers that matter, by lower-case name, and its body."""

    headers: _Headers
    body: bytes


class Returned(Value, frozen=True, kw_only=True):
    """A signed answer."""

    status: int
    headers: _Headers
    body: bytes


_Frame = TypeVar("_Frame", Handed, Returned)

_ENCODER = msgspec.msgpack.Encoder()


def handed(headers: Mapping[str, str], body: bytes) -> Handed:
    """Take over what was signed of a request."""
    found = {name: headers.get(name, "") for name in _HANDED_ON}
    return Handed(headers={name: text for name, text in found.items() if text}, body=body)


def frame(message: Handed | Returned) -> bytes:
    """Write a frame."""
    body = _ENCODER.encode(message)
    return _LENGTH.pack(len(body)) + body


def length_of(head: bytes) -> int:
    """Read how long the message is that follows the first four bytes of a frame."""
    (length,) = _LENGTH.unpack(head)
    return int(length)


def decode(kind: type[_Frame], body: bytes) -> _Frame:
    """Read a message; raises ``MalformedMessage`` for anything else."""
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise MalformedMessage(str(exc)) from exc
