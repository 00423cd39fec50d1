"""The opcodes that hold one value: None, booleans, numbers, text and bytes."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final

from cachecheck.errors import InertTooLarge, InertUnreadable
from cachecheck.inert.nodes import (
    BYTEARRAY,
    BYTES,
    FALSE,
    FLOAT,
    NONE,
    TRUE,
    Value,
    integer,
    scalar,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.inert.machine import Machine

MAX_DIGITS: Final = 640
"""Decimals are read in quadratic time; the least bound that Python lets a site set is this."""

MAX_INTEGER_BYTES: Final = 1024 * 1024
MAX_FLOAT_CHARACTERS: Final = 64

_DECIMAL: Final = re.compile(rb"-?[0-9]+")
_SMALL_INTS: Final = tuple(integer(value) for value in range(256))


def decimal(text: bytes) -> int:
    """Read a decimal integer, without the signs, spaces and underscores that int() also takes."""
    if len(text) > MAX_DIGITS:
        raise InertTooLarge(f"a decimal of more than {MAX_DIGITS} characters")
    if not _DECIMAL.fullmatch(text):
        raise InertUnreadable("a number that is none")
    return int(text)


def _push(value: Value) -> Callable[[Machine], None]:
    def step(m: Machine) -> None:
        m.stack.append(value)

    return step


def _int_text(m: Machine) -> None:
    line = m.line()
    boolean = {b"00": FALSE, b"01": TRUE}.get(line)
    m.stack.append(integer(decimal(line)) if boolean is None else boolean)


def _long_text(m: Machine) -> None:
    m.stack.append(integer(decimal(m.line().removesuffix(b"L"))))


def _binint1(m: Machine) -> None:
    m.stack.append(_SMALL_INTS[m.payload[m.at]])
    m.at += 1


def _binint2(m: Machine) -> None:
    m.stack.append(b"i%d;" % m.number(2))


def _binint(m: Machine) -> None:
    m.stack.append(b"i%d;" % int.from_bytes(m.take(4), "little", signed=True))


def _long(width: int) -> Callable[[Machine], None]:
    def step(m: Machine) -> None:
        count = m.number(width)
        if count > MAX_INTEGER_BYTES:
            raise InertTooLarge(f"an integer of more than {MAX_INTEGER_BYTES:,} bytes")
        m.meter.spend_bytes(count)
        m.stack.append(integer(int.from_bytes(m.take(count), "little", signed=True)))

    return step


def _float_text(m: Machine) -> None:
    line = m.line()
    if len(line) > MAX_FLOAT_CHARACTERS:
        raise InertTooLarge(f"a number of more than {MAX_FLOAT_CHARACTERS} characters")
    try:
        value = float(line)
    except ValueError as exc:
        raise InertUnreadable("a number that is none") from exc
    m.stack.append(FLOAT + struct.pack(">d", value))


def _binfloat(m: Machine) -> None:
    m.stack.append(FLOAT + m.take(8))


def _unicode_text(m: Machine) -> None:
    line = m.line()
    m.meter.spend_bytes(len(line))
    m.stack.append(m.text(line.decode("raw-unicode-escape").encode("utf-8", "surrogatepass")))


def _short_text(m: Machine) -> None:
    count = m.payload[m.at]
    m.at += 1
    m.stack.append(m.text(m.take(count)))


def _text(width: int) -> Callable[[Machine], None]:
    def step(m: Machine) -> None:
        m.stack.append(m.text(m.take(m.number(width))))

    return step


def _raw(kind: bytes, width: int) -> Callable[[Machine], None]:
    def step(m: Machine) -> None:
        m.stack.append(scalar(kind, m.take(m.number(width))))

    return step


SCALARS: Final[dict[bytes, Callable[[Machine], None]]] = {
    b"N": _push(NONE),
    b"\x88": _push(TRUE),
    b"\x89": _push(FALSE),
    b"I": _int_text,
    b"L": _long_text,
    b"K": _binint1,
    b"M": _binint2,
    b"J": _binint,
    b"\x8a": _long(1),
    b"\x8b": _long(4),
    b"F": _float_text,
    b"G": _binfloat,
    b"V": _unicode_text,
    b"\x8c": _short_text,
    b"X": _text(4),
    b"\x8d": _text(8),
    b"C": _raw(BYTES, 1),
    b"B": _raw(BYTES, 4),
    b"\x8e": _raw(BYTES, 8),
    b"\x96": _raw(BYTEARRAY, 8),
}
"""What to do for each of these opcodes, by its byte."""
