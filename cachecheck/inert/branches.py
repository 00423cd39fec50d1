"""What a value holds, one place after the other, each under the key by which people know it.

An object shows its attributes, a container its members, a namedtuple its fields by number. Values
that are one thing to people (an enum's member, a date, a decimal) hold nothing.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, assert_never

from cachecheck.inert.django_states import without_release
from cachecheck.inert.kinds import MODEL_UNPICKLE
from cachecheck.inert.nodes import (
    ADDED,
    APPENDED,
    BUILT,
    CALL,
    DICT,
    FROZENSET,
    LIST,
    MAPPED_CALL,
    NEW,
    NEW_WITH_KEYWORDS,
    SET,
    STATE,
    STORED,
    TEXT,
    TUPLE,
    Global,
    Node,
    Value,
    members,
    scalar,
    token_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OPENED_STDLIB: Final = frozenset({"collections", "types"})
_STATE_NAME: Final = scalar(TEXT, b"state")


class Index(NamedTuple):
    """The place of a member in a sequence, or of an argument."""

    at: int
    is_argument: bool = False


class Name(NamedTuple):
    """The key of an item, or the name of an attribute."""

    key: Value
    is_attribute: bool


class Member(NamedTuple):
    """A place in a set: the member itself."""

    value: Value


Place: TypeAlias = Index | Name | Member
Branch: TypeAlias = "tuple[Place, Value]"


def key_of(place: Place) -> bytes:
    """Give what two places have in common that are the same place of two values."""
    match place:
        case Index(at=at):
            return b"%d" % at
        case Name(key=key):
            return token_of(key)
        case Member(value=value):
            return token_of(value)
        case _:
            assert_never(place)


def branches(value: Value) -> list[Branch]:
    """Give the places that a value holds directly; those of a digested value alone are asked."""
    return list(each_branch(value))


def each_branch(value: Value) -> Iterator[Branch]:
    """Give the same one after the other."""
    if type(value) is not Node:
        return iter(())
    held = _CONTAINERS.get(value.tag)
    return held(value.items) if held else _object(value)


def _sequence(items: list[Value]) -> Iterator[Branch]:
    return ((Index(at), item) for at, item in enumerate(items))


def _mapping(items: list[Value]) -> Iterator[Branch]:
    pairs = zip(items[::2], items[1::2], strict=True)
    return ((Name(key, is_attribute=False), value) for key, value in pairs)


def _set(items: list[Value]) -> Iterator[Branch]:
    return ((Member(item), item) for item in items)


def _attributes(items: list[Value]) -> Iterator[Branch]:
    """Give what a state holds, without what only says which release wrote it."""
    tokens = [(token_of(key), token_of(value)) for key, value in _pairs(items)]
    kept = set(without_release(tokens))
    for (key, value), token in zip(_pairs(items), tokens, strict=True):
        if token in kept:
            yield Name(key, is_attribute=True), value


def _pairs(items: list[Value]) -> Iterator[tuple[Value, Value]]:
    return zip(items[::2], items[1::2], strict=True)


_CONTAINERS: Final[dict[bytes, Callable[[list[Value]], Iterator[Branch]]]] = {
    TUPLE: _sequence,
    LIST: _sequence,
    DICT: _mapping,
    STATE: _attributes,
    SET: _set,
    FROZENSET: _set,
}

# --- objects -------------------------------------------------------------------------------


def _object(node: Node) -> Iterator[Branch]:
    maker, arguments, *rest = node.items
    if _is_one_thing(maker):
        return
    if node.tag in (MAPPED_CALL, NEW_WITH_KEYWORDS):
        inner, *rest = rest
        assert type(inner) is Node  # noqa: S101 - made so by the machine; for mypy
        yield from _mapping(inner.items)
    if not (node.tag == CALL and _is_plain_call(maker, arguments, rest)):
        is_argument = node.tag != NEW
        for at, item in enumerate(members(arguments) or []):
            yield Index(at, is_argument=is_argument), item
    yield from _effects(rest)


def _is_one_thing(maker: Value) -> bool:
    """Whether the standard library made it: a date, a decimal, a path, an exception."""
    if type(maker) is not Global:
        return False
    top = maker.module.partition(".")[0]
    return top in sys.stdlib_module_names and top not in _OPENED_STDLIB


def _is_plain_call(maker: Value, arguments: Value, rest: list[Value]) -> bool:
    """Whether the arguments only say which object it is: an enum's member, a model's class."""
    if type(maker) is Global and maker.dotted == MODEL_UNPICKLE:
        return True
    return not rest and all(type(item) is not Node for item in members(arguments) or [])


def _effects(rest: list[Value]) -> Iterator[Branch]:
    at = count = 0
    while at < len(rest):
        marker, first = rest[at], rest[at + 1]
        match marker:
            case _ if marker == APPENDED:
                yield Index(count), first
                count += 1
            case _ if marker == STORED:
                yield Name(first, is_attribute=False), rest[at + 2]
                at += 1
            case _ if marker == ADDED:
                yield Member(first), first
            case _ if marker == BUILT:
                yield from _built(first)
        at += 2


def _built(state: Value) -> Iterator[Branch]:
    parts = members(state)
    if parts is not None and len(parts) == 2 and any(map(_is_dict, parts)):  # noqa: PLR2004  state and slots
        for part in parts:
            yield from _built(part) if _is_dict(part) else ()
    elif type(state) is Node and _is_dict(state):
        yield from _attributes(state.items)
    elif parts != []:
        yield Name(_STATE_NAME, is_attribute=True), state


def _is_dict(value: Value) -> bool:
    return type(value) is Node and value.tag in (DICT, STATE)
