"""What a value holds as text, for those who may see it: bounded, printable, and not for reading in.

It looks like Python where Python has a literal for it. Objects show their class and what they were
built with; nothing is called, so what a class would make of that is not known.
"""

from __future__ import annotations

import struct
from datetime import date, datetime, time
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from cachecheck.inert.branches import Index, Member, Name, each_branch
from cachecheck.inert.kinds import kind_of
from cachecheck.inert.naming import hides
from cachecheck.inert.nodes import (
    BYTEARRAY,
    BYTES,
    DICT,
    EMPTY_TUPLE,
    FALSE,
    FLOAT,
    FROZENSET,
    INT,
    LIST,
    LONG_INT,
    NONE,
    SET,
    STATE,
    TEXT,
    TRUE,
    TUPLE,
    Blob,
    Global,
    Node,
    Value,
    members,
    name_of,
    raw_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cachecheck.inert.branches import Branch
    from cachecheck.inert.naming import IsWithheld

MOST_CHARACTERS: Final = 4_000
DEEPEST: Final = 12
WITHHELD: Final = "<withheld>"
_MORE: Final = "…"
_T = TypeVar("_T")

_PLAIN: Final = {NONE: "None", TRUE: "True", FALSE: "False", EMPTY_TUPLE: "()"}
_BRACKETS: Final = {TUPLE: "()", LIST: "[]", SET: "{}", FROZENSET: "{}", DICT: "{}", STATE: "{}"}


def show(root: Value, is_withheld: IsWithheld) -> str:
    """Show a value in at most ``MOST_CHARACTERS``, and a sign where there is more.

    What stands under a name that ``is_withheld`` names is left out. Deeper than ``DEEPEST``, and so
    within itself, a value shows as the sign.
    """
    shown: list[str] = []
    room = MOST_CHARACTERS
    for piece in _Showing(is_withheld).pieces(root, 0):
        shown.append(piece if len(piece) <= room else piece[:room] + _MORE)
        room -= len(piece)
        if room < 0:
            break
    return "".join(shown)


class _Showing:
    def __init__(self, is_withheld: IsWithheld) -> None:
        self._is_withheld = is_withheld

    def pieces(self, value: Value, depth: int) -> Iterator[str]:
        """Give the text of a value, piece by piece, each of which has at least one character."""
        if isinstance(value, Node):
            yield from self._node(value, depth) if depth < DEEPEST else (_MORE,)
        elif isinstance(value, Global):
            yield value.dotted if value.dotted.isprintable() else ascii(value.dotted)
        else:
            yield _scalar(value)

    def _node(self, node: Node, depth: int) -> Iterator[str]:
        brackets = _BRACKETS.get(node.tag)
        if brackets is None:
            yield from self._object(node, depth)
            return
        if node.tag == FROZENSET:
            yield "frozenset("
        yield brackets[0]
        if node.tag in (DICT, STATE):
            pairs = zip(node.items[::2], node.items[1::2], strict=True)
            yield from _joined(pairs, lambda pair: self._item(*pair, ": ", depth + 1))
        else:
            yield from _joined(node.items, lambda item: self.pieces(item, depth + 1))
        if node.tag == TUPLE and len(node.items) == 1:
            yield ","
        yield brackets[1]
        if node.tag == FROZENSET:
            yield ")"

    def _item(self, key: Value, value: Value, sign: str, depth: int) -> Iterator[str]:
        name = name_of(key)
        if sign == "=" and name is not None and name.isidentifier():
            yield name
        else:
            yield from self.pieces(key, depth)
        yield sign
        if hides(key, self._is_withheld):
            yield WITHHELD
        else:
            yield from self.pieces(value, depth)

    def _object(self, node: Node, depth: int) -> Iterator[str]:
        moment = _moment(node)
        if moment is not None:
            yield moment
            return
        kind = kind_of(node)
        yield kind if kind.isprintable() else ascii(kind)
        yield "("
        held = list(islice(each_branch(node), MOST_CHARACTERS))  # each has a character at least
        if held:
            yield from _joined(held, lambda branch: self._branch(branch, depth + 1))
        else:  # one thing to people, whose arguments say which
            arguments = members(node.items[1]) or []
            yield from _joined(arguments, lambda item: self.pieces(item, depth + 1))
        yield ")"

    def _branch(self, branch: Branch, depth: int) -> Iterator[str]:
        place, value = branch
        match place:
            case Name(key=key, is_attribute=is_attribute):
                yield from self._item(key, value, "=" if is_attribute else ": ", depth)
            case Index() | Member():
                yield from self.pieces(value, depth)


def _joined(items: Iterable[_T], show_one: Callable[[_T], Iterator[str]]) -> Iterator[str]:
    for number, item in enumerate(items):
        if number:
            yield ", "
        yield from show_one(item)


# --- scalars -------------------------------------------------------------------------------


def _scalar(value: bytes | Blob) -> str:
    if isinstance(value, bytes) and value in _PLAIN:
        return _PLAIN[value]
    kind = value.kind if isinstance(value, Blob) else value[:1]
    if kind == INT and isinstance(value, bytes):
        return value[1:-1].decode()
    if kind == FLOAT and isinstance(value, bytes):
        return repr(struct.unpack(">d", value[1:9])[0])
    raw = (raw_of(value, kind) or b"")[: 4 * MOST_CHARACTERS]
    return _TEXTS[kind](raw)


def _text(raw: bytes) -> str:
    return repr(raw.decode("utf-8", "replace"))


def _long(raw: bytes) -> str:
    return hex(int.from_bytes(raw, "little", signed=True))


_TEXTS: Final[dict[bytes, Callable[[bytes], str]]] = {
    TEXT: _text,
    BYTES: repr,
    BYTEARRAY: lambda raw: f"bytearray({raw!r})",
    LONG_INT: _long,
}


def _moment(node: Node) -> str | None:
    """Show dates and times, which a pickle holds as bytes (Modules/_datetimemodule.c)."""
    maker, arguments = node.items[0], members(node.items[1])
    if not isinstance(maker, Global) or not arguments:
        return None
    unpack = _MOMENTS.get(maker.dotted)
    raw = raw_of(arguments[0], BYTES)
    try:
        told = unpack(raw) if unpack and raw else None
    except (ValueError, struct.error):
        return None
    zoned = ", …" if told and len(arguments) > 1 else ""
    return f"{maker.dotted}({told}{zoned})" if told else None


def _date(raw: bytes) -> str:
    return date(*struct.unpack(">HBB", raw)).isoformat()


def _time(raw: bytes) -> str:
    hour, minute, second, high, low = struct.unpack(">BBBBH", raw)
    return time(hour, minute, second, high << 16 | low).isoformat()


def _datetime(raw: bytes) -> str:
    year, month, day, hour, minute, second, high, low = struct.unpack(">HBBBBBBH", raw)
    moment = datetime(year, month & 0x7F, day, hour, minute, second, high << 16 | low)  # noqa: DTZ001
    return moment.isoformat()


_MOMENTS: Final[dict[str, Callable[[bytes], str]]] = {
    "datetime.date": _date,
    "datetime.time": _time,
    "datetime.datetime": _datetime,
}
