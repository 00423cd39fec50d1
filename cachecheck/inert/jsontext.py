"""Reads JSON as ``json.loads`` would, into nodes, within bounds.

``json.loads`` itself has no bound on what it makes: sixteen megabytes of ``[],`` become hundreds.
Here each value counts as an operation, and nesting is a stack of our own. See ``json/decoder.py``
and ``json/scanner.py``.
"""

from __future__ import annotations

import json
import re
import struct
from json.decoder import scanstring  # type: ignore[attr-defined]  # not in typeshed
from typing import TYPE_CHECKING, Final

from cachecheck.errors import InertUndecodable, InertUnreadable
from cachecheck.inert.limits import BYTES_PER_OPERATION, CONTAINER_OPERATIONS, SLICE_OPERATIONS
from cachecheck.inert.nodes import (
    DICT,
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
from cachecheck.inert.scalars import decimal

if TYPE_CHECKING:
    from cachecheck.inert.limits import Meter

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?")
MOST_FLOAT_CHARACTERS: Final = 1_000
_WORDS: Final = {
    "n": ("null", NONE),
    "t": ("true", TRUE),
    "f": ("false", FALSE),
    "N": ("NaN", FLOAT + struct.pack(">d", float("nan"))),
    "I": ("Infinity", FLOAT + struct.pack(">d", float("inf"))),
    "-": ("-Infinity", FLOAT + struct.pack(">d", float("-inf"))),
}
_OPENED: Final = {"[": LIST, "{": DICT}
_ENDS: Final = {LIST: "]", DICT: "}"}


def read_json(payload: bytes, meter: Meter) -> Value:
    """Give what JSON in UTF-8 holds; raises InertUndecodable for anything else."""
    meter.spend(2 * len(payload) // BYTES_PER_OPERATION)
    try:
        return _Reader(payload.decode(), meter).read()
    except (UnicodeDecodeError, json.JSONDecodeError, IndexError) as exc:
        raise InertUndecodable("not JSON") from exc


class _Reader:
    __slots__ = ("_at", "_meter", "_open", "_since", "_text")

    def __init__(self, text: str, meter: Meter) -> None:
        self._text = text
        self._meter = meter
        self._at = 0
        self._since = 0
        self._open: list[Node] = []

    def read(self) -> Value:
        """Read the one value of the text."""
        value = self._value()
        while self._open:
            self._fill()
        if self._skip() != len(self._text):
            raise InertUndecodable("not JSON: more after its end")
        return value

    def _fill(self) -> None:
        """Read one more member of the innermost container, or its end."""
        container = self._open[-1]
        end = _ENDS[container.tag]
        sign = self._text[self._skip()]
        if sign == end:
            self._at += 1
            self._open.pop()
            return
        if container.items:
            self._expect(",")
        if container.tag == DICT:
            container.items.append(self._key())
        container.items.append(self._value())

    def _key(self) -> Value:
        self._expect('"')
        key = self._string()
        self._expect(":")
        return key

    def _value(self) -> Value:
        self._count(1)
        sign = self._text[self._skip()]
        if sign == '"':
            self._at += 1
            return self._string()
        tag = _OPENED.get(sign)
        if tag is not None:
            self._at += 1
            self._count(CONTAINER_OPERATIONS)
            container = Node(tag, [])
            self._open.append(container)
            return container
        word, value = _WORDS.get(sign, ("", NONE))
        if word and self._text.startswith(word, self._at):
            self._at += len(word)
            return value
        return self._number()

    def _string(self) -> Value:
        text, self._at = scanstring(self._text, self._at, True)  # noqa: FBT003  strict, positional in C
        raw = text.encode("utf-8", "surrogatepass")
        self._meter.spend_bytes(len(raw))
        return scalar(TEXT, raw)

    def _number(self) -> Value:
        found = _NUMBER.match(self._text, self._at)
        if found is None:
            raise InertUndecodable("not JSON")
        self._at = found.end()
        whole, fraction, exponent = found.groups()
        if fraction is None and exponent is None:
            return integer(decimal(whole.encode()))
        if len(found[0]) > MOST_FLOAT_CHARACTERS:
            raise InertUnreadable("a number of very many digits")
        return FLOAT + struct.pack(">d", float(found[0]))

    def _expect(self, sign: str) -> None:
        if self._text[self._skip()] != sign:
            raise InertUndecodable("not JSON")
        self._at += 1

    def _skip(self) -> int:
        found = _SPACE.match(self._text, self._at)
        assert found is not None  # noqa: S101  it matches nothing as well; for mypy
        self._at = found.end()
        return self._at

    def _count(self, operations: int) -> None:
        self._since += operations
        if self._since >= SLICE_OPERATIONS:
            self._meter.spend(self._since)
            self._since = 0
