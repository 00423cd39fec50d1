"""The state of the pickle machine: where it is, its stack, its marks and its memo."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Final

from cachecheck.errors import InertTooLarge, InertUndecodable, InertUnreadable
from cachecheck.inert.nodes import (
    DICT,
    MAPPED_CALL,
    OBJECTS,
    STATE,
    TEXT,
    Blob,
    Node,
    Value,
    members,
    scalar,
    tuple_of,
)

if TYPE_CHECKING:
    from cachecheck.inert.limits import Meter

CHECK_BYTES: Final = 256 * 1024
STATE_AND_SLOTS: Final = 2


class Machine:
    """What the steps work on; its methods raise InertUnreadable where a pickle is malformed.

    Taking from an empty stack, reading past the end and asking for what is not in the memo raise
    IndexError and KeyError, which ``reading.read`` translates: a check of each would cost every
    step.
    """

    __slots__ = ("at", "marked", "memo", "meter", "payload", "protocol", "stack", "states")

    def __init__(self, payload: bytes, meter: Meter) -> None:
        self.payload = payload
        self.meter = meter
        self.at = 0
        self.protocol = 0
        self.stack: list[Value] = []
        self.marked: list[list[Value]] = []
        self.memo: dict[int, Value] = {}
        self.states: dict[int, Node] = {}

    def take(self, count: int) -> bytes:
        """Take that many bytes, which must be there: nothing is allocated for a claim."""
        end = self.at + count
        if count < 0 or end > len(self.payload):
            raise InertUndecodable("a declared length reaches past the end")
        raw = self.payload[self.at : end]
        self.at = end
        return raw

    def number(self, width: int) -> int:
        """Take an unsigned little-endian number of that many bytes."""
        return int.from_bytes(self.take(width), "little")

    def line(self) -> bytes:
        """Take the bytes up to the next newline."""
        end = self.payload.find(b"\n", self.at)
        if end < 0:
            raise InertUndecodable("a line that does not end")
        raw = self.payload[self.at : end]
        self.at = end + 1
        return raw

    def text(self, raw: bytes) -> bytes | Blob:
        """Give text from UTF-8, in which pickles may hold lone surrogates."""
        if not raw.isascii():
            self._check_utf8(raw)
        return scalar(TEXT, raw)

    def _check_utf8(self, raw: bytes) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
        for start in range(0, len(raw), CHECK_BYTES):
            piece = raw[start : start + CHECK_BYTES]
            decoder.decode(piece, final=start + CHECK_BYTES >= len(raw))
            self.meter.spend_bytes(len(piece))

    def since_mark(self) -> list[Value]:
        """Take everything above the last mark, and the mark."""
        values = self.stack
        self.stack = self.marked.pop()
        return values

    def put(self, index: int) -> None:
        """Remember the top of the stack.

        Picklers count from 0. A far index would be a cheap way to many keys that collide, so it is
        refused.
        """
        if index < 0:
            raise InertUnreadable("a memo index below 0")
        if index > len(self.payload):
            raise InertTooLarge("a memo index beyond what the payload can hold")
        self.memo[index] = self.stack[-1]

    def target(self, builtin: bytes) -> Node:
        """Give the container or object on top of the stack, which members are to go into."""
        top = self.stack[-1]
        if type(top) is Node and (top.tag == builtin or top.tag in OBJECTS):
            return top
        raise InertUnreadable("members for what is no container")

    def mapping(self) -> Node:
        """Give the dict or object on top of the stack, which items are to go into."""
        top = self.target(DICT)
        if top.tag != MAPPED_CALL:
            return top
        inner = top.items[2]
        assert type(inner) is Node  # noqa: S101 - made so in folding.py; for mypy
        return inner

    def state(self, value: Value) -> Value:
        """Give what an object is built with; the dict in it is known as such from here on."""
        parts = members(value)
        if parts is not None and len(parts) == STATE_AND_SLOTS:
            return tuple_of([self._state_dict(parts[0]), parts[1]])
        return self._state_dict(value)

    def _state_dict(self, value: Value) -> Value:
        """Give the same dict with another tag, once per dict, however many objects share it."""
        if type(value) is not Node or value.tag != DICT:
            return value
        # The shared list of items stays alive in the node kept here, so its id stays its own.
        return self.states.setdefault(id(value.items), Node(STATE, value.items))
