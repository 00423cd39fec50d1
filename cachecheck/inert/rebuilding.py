"""Objects that protocols 0 to 3 make by a call, told as NEWOBJ and NEWOBJ_EX would tell them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from cachecheck.inert.nodes import (
    APPENDED,
    BUILT,
    BYTES,
    CALL,
    DICT,
    EMPTY_TUPLE,
    FLOAT,
    INT,
    LIST,
    LONG_INT,
    NONE,
    STORED,
    TEXT,
    Global,
    Node,
    Value,
    members,
    raw_of,
    tuple_of,
)
from cachecheck.inert.objects import copied, listed, marked, new

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.inert.limits import Meter

Rebuild: TypeAlias = "Callable[[Value, Value, Meter], Value | None]"
"""Takes the class and the value of its builtin base; None where no later protocol has the like."""


def reconstructor(items: list[Value], meter: Meter) -> Value | None:
    """Fold ``copyreg._reconstructor(cls, base, value)``, how protocols 0 and 1 make objects."""
    match items:
        case [cls, Global() as base, value]:
            rebuild = _REBUILDS.get(base.dotted)
            return rebuild(cls, value, meter) if rebuild else None
    return None


def partial_new(function: Node, meter: Meter) -> Value | None:
    """Fold ``partial(cls.__new__, cls, …)()``, protocol 2's and 3's way to say NEWOBJ_EX."""
    match function.items:
        case [Global() as maker, _, marker, Node() as state] if marker == BUILT:
            parts = members(state)
            if function.tag == CALL and maker.dotted == "functools.partial" and parts:
                return _new_of(parts, meter)
    return None


def _new_of(parts: list[Value], meter: Meter) -> Value | None:
    match parts:
        case [Global() as target, Node() as positional, Node(tag=tag) as keywords, _]:
            first, *rest = copied(members(positional) or [NONE], meter)
            if tag == DICT and type(first) is Global and target.name.endswith(".__new__"):
                return new(first, tuple_of(rest), keywords)
    return None


def _object(cls: Value, value: Value, _meter: Meter) -> Value | None:
    return new(cls, EMPTY_TUPLE) if value == NONE else None


def _scalar(*kinds: bytes) -> Rebuild:
    def rebuild(cls: Value, value: Value, _meter: Meter) -> Value | None:
        is_scalar = any(raw_of(value, kind) is not None for kind in kinds)
        return new(cls, tuple_of([value])) if is_scalar else None

    return rebuild


def _tuple(cls: Value, value: Value, _meter: Meter) -> Value | None:
    """Take the class for a namedtuple: it alone hands its members to ``__new__`` one by one."""
    return None if members(value) is None else new(cls, value)


def _container(tag: bytes, marker: bytes, width: int) -> Rebuild:
    def rebuild(cls: Value, value: Value, meter: Meter) -> Value | None:
        held = listed(value, tag)
        if held is None:
            return None
        made = new(cls, EMPTY_TUPLE)
        made.items += marked(marker, copied(held, meter), width)
        return made

    return rebuild


_REBUILDS: Final = {
    "builtins.object": _object,
    "builtins.int": _scalar(INT, LONG_INT),
    "builtins.float": _scalar(FLOAT),
    "builtins.str": _scalar(TEXT),
    "builtins.bytes": _scalar(BYTES),
    "builtins.tuple": _tuple,
    "builtins.list": _container(LIST, APPENDED, 1),
    "builtins.dict": _container(DICT, STORED, 2),
}
