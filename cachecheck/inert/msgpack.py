"""Reads MessagePack as ``msgpack.unpackb(raw=False)`` would, into nodes, within bounds.

The format: https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, TypeAlias

from cachecheck.errors import InertUndecodable
from cachecheck.inert.limits import CONTAINER_OPERATIONS, SLICE_OPERATIONS
from cachecheck.inert.nodes import (
    BYTES,
    DICT,
    EXTENSION,
    FALSE,
    FLOAT,
    LIST,
    NONE,
    TEXT,
    TRUE,
    Node,
    Value,
    integer,
    scalar,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cachecheck.inert.limits import Meter

    _Step: TypeAlias = Callable[["_Reader"], Value]
    _Take: TypeAlias = Callable[["_Reader", int], Value]

_MAP, _ARRAY, _TEXT, _NIL = 0x80, 0x90, 0xA0, 0xC0
_NEGATIVE: Final = 0xE0


def read_msgpack(payload: bytes, meter: Meter) -> Value:
    """Give what MessagePack holds; raises InertUndecodable for anything else."""
    reader = _Reader(payload, meter)
    try:
        value = reader.read()
    except (IndexError, KeyError, UnicodeDecodeError) as exc:
        raise InertUndecodable("not MessagePack") from exc
    if reader.at != len(payload):
        raise InertUndecodable("not MessagePack: more after its end")
    return value


class _Reader:
    __slots__ = ("_meter", "_open", "_payload", "_since", "at")

    def __init__(self, payload: bytes, meter: Meter) -> None:
        self.at = 0
        self._payload = payload
        self._meter = meter
        self._since = 0
        self._open: list[tuple[Node, int]] = []

    def read(self) -> Value:
        """Read one value."""
        value = self._value()
        while self._open:
            container, count = self._open[-1]
            if len(container.items) < count:
                container.items.append(self._value())
            else:
                self._open.pop()
        return value

    def take(self, count: int) -> bytes:
        """Take that many bytes, which must be there: nothing is allocated for a claim."""
        end = self.at + count
        if end > len(self._payload):
            raise InertUndecodable("not MessagePack: a declared length reaches past the end")
        raw = self._payload[self.at : end]
        self.at = end
        return raw

    def number(self, width: int) -> int:
        """Take an unsigned big-endian number of that many bytes."""
        return int.from_bytes(self.take(width), "big")

    def text(self, count: int) -> Value:
        """Take text of that many bytes."""
        raw = self.take(count)
        raw.decode()
        self._meter.spend_bytes(count)
        return scalar(TEXT, raw)

    def container(self, tag: bytes, count: int) -> Value:
        """Open a container of that many items, which are read next."""
        if count > len(self._payload) - self.at:
            raise InertUndecodable("not MessagePack: a declared length reaches past the end")
        self._count(CONTAINER_OPERATIONS)
        node = Node(tag, [])
        self._open.append((node, count))
        return node

    def extension(self, count: int) -> Value:
        """Take an application's own type: its code, and so many bytes."""
        return Node(EXTENSION, [b"i%d;" % _signed(self.take(1)), scalar(BYTES, self.take(count))])

    def _value(self) -> Value:
        self._count(1)
        code = self._payload[self.at]
        self.at += 1
        if code < _MAP or code >= _NEGATIVE:
            return b"i%d;" % (code if code < _MAP else code - 256)
        if code < _ARRAY:
            return self.container(DICT, 2 * (code - _MAP))
        if code < _TEXT:
            return self.container(LIST, code - _ARRAY)
        if code < _NIL:
            return self.text(code - _TEXT)
        return _CODES[code](self)

    def _count(self, operations: int) -> None:
        self._since += operations
        if self._since >= SLICE_OPERATIONS:
            self._meter.spend(self._since)
            self._since = 0


def _signed(raw: bytes) -> int:
    return int.from_bytes(raw, "big", signed=True)


def _single(raw: bytes) -> Value:
    return FLOAT + struct.pack(">d", *struct.unpack(">f", raw))


def _sized(widths: Sequence[int], code: int, take: _Take) -> dict[int, _Step]:
    """Give the steps of what has its length before it, in so many bytes."""

    def step(width: int) -> _Step:
        return lambda reader: take(reader, reader.number(width))

    return {code + n: step(width) for n, width in enumerate(widths)}


def _fixed(widths: Sequence[int], code: int, take: _Take) -> dict[int, _Step]:
    """Give the steps of what has that many bytes by its code alone."""

    def step(width: int) -> _Step:
        return lambda reader: take(reader, width)

    return {code + n: step(width) for n, width in enumerate(widths)}


_1_TO_4, _1_TO_8, _1_TO_16 = (1, 2, 4), (1, 2, 4, 8), (1, 2, 4, 8, 16)

_CODES: Final[dict[int, _Step]] = {
    0xC0: lambda _: NONE,
    0xC2: lambda _: FALSE,
    0xC3: lambda _: TRUE,
    **_sized(_1_TO_4, 0xC4, lambda reader, count: scalar(BYTES, reader.take(count))),
    **_sized(_1_TO_4, 0xC7, _Reader.extension),
    0xCA: lambda reader: _single(reader.take(4)),
    0xCB: lambda reader: FLOAT + reader.take(8),
    **_fixed(_1_TO_8, 0xCC, lambda reader, width: integer(reader.number(width))),
    **_fixed(_1_TO_8, 0xD0, lambda reader, width: integer(_signed(reader.take(width)))),
    **_fixed(_1_TO_16, 0xD4, _Reader.extension),
    **_sized(_1_TO_4, 0xD9, _Reader.text),
    **_sized((2, 4), 0xDC, lambda reader, count: reader.container(LIST, count)),
    **_sized((2, 4), 0xDE, lambda reader, count: reader.container(DICT, 2 * count)),
}
"""What to do for each byte from NIL on that is no small number; 0xC1 is never used."""
