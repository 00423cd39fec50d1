"""Calls that only spell a plain value, folded into that value.

Protocols spell alike things differently: bytes are ``_codecs.encode(text, 'latin1')`` below
protocol 3, sets are ``set([…])`` below 4, objects ``copyreg._reconstructor(…)`` below 2. See
``pickle.py`` and ``copyreg.py``. Nothing is called: each fold knows its function by name and does
what it would have done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from cachecheck.inert.names import GLOBAL_OPERATIONS
from cachecheck.inert.nodes import (
    BYTEARRAY,
    BYTES,
    CALL,
    DICT,
    FROZENSET,
    LIST,
    MAPPED_CALL,
    SET,
    TEXT,
    Blob,
    Global,
    Node,
    Value,
    name_of,
    raw_of,
    scalar,
    tuple_of,
)
from cachecheck.inert.objects import arguments_of, check_callable, copied, listed, new
from cachecheck.inert.rebuilding import partial_new, reconstructor

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.inert.limits import Meter

Fold: TypeAlias = "Callable[[list[Value], Meter], Value | None]"
"""Takes the arguments of a call; gives None where they spell nothing that is known."""


def call(function: Value, arguments: Value, meter: Meter) -> Value:
    """Give the value that a call stands for, or the call itself."""
    check_callable(function)
    folded = _folded(function, arguments_of(arguments), meter)
    return Node(CALL, [function, arguments]) if folded is None else folded


def _folded(function: Value, items: list[Value], meter: Meter) -> Value | None:
    if type(function) is Global:
        fold = _FOLDS.get(function.dotted)
        return fold(items, meter) if fold else None
    assert type(function) is Node  # noqa: S101 - check_callable let nothing else pass; for mypy
    return None if items else partial_new(function, meter)


def _set(tag: bytes) -> Fold:
    def fold(items: list[Value], meter: Meter) -> Value | None:
        if not items:
            return Node(tag, [])
        held = listed(items[0], LIST) if len(items) == 1 else None
        return None if held is None else Node(tag, copied(held, meter))

    return fold


def _encode(items: list[Value], meter: Meter) -> Value | None:
    match items:
        case [text, codec] if name_of(codec) in ("latin1", "latin-1"):
            return _encoded_once(text, meter) if type(text) is Blob else _latin1(text)
    return None


def _encoded_once(text: Blob, meter: Meter) -> Value | None:
    """Keep the result: many calls on one long text, a few bytes each, must not make many copies."""
    if text.encoded is None:
        meter.spend_bytes(len(text.raw))
        text.encoded = _latin1(text)
    return text.encoded


def _latin1(value: Value) -> Value | None:
    raw = raw_of(value, TEXT)
    if raw is None:
        return None
    return scalar(BYTES, raw.decode("utf-8", "surrogatepass").encode("latin-1"))


def _bytes(items: list[Value], _meter: Meter) -> Value | None:
    return None if items else scalar(BYTES, b"")


def _bytearray(items: list[Value], meter: Meter) -> Value | None:
    content = items[0] if len(items) == 1 else _encode(items, meter)
    raw = b"" if not items else None if content is None else raw_of(content, BYTES)
    return None if raw is None else scalar(BYTEARRAY, raw)


def _getattr(items: list[Value], meter: Meter) -> Value | None:
    match items:
        case [Global() as holder, attribute]:
            name = name_of(attribute)
            if name and "." not in name:
                meter.spend(GLOBAL_OPERATIONS)
                return Global(holder.module, f"{holder.name}.{name}")
    return None


def _newobj(items: list[Value], meter: Meter) -> Value | None:
    return new(items[0], tuple_of(copied(items, meter)[1:])) if items else None


def _newobj_ex(items: list[Value], _meter: Meter) -> Value | None:
    match items:
        case [cls, arguments, keywords]:
            return new(cls, arguments, keywords)
    return None


def _defaultdict(items: list[Value], _meter: Meter) -> Value | None:
    """Its order is not part of its value, where that of an unknown subclass of dict may be."""
    function = Global("collections", "defaultdict")
    return Node(MAPPED_CALL, [function, tuple_of(items), Node(DICT, [])])


_FOLDS: Final[dict[str, Fold]] = {
    "_codecs.encode": _encode,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytearray,
    "builtins.set": _set(SET),
    "builtins.frozenset": _set(FROZENSET),
    "builtins.getattr": _getattr,
    "collections.defaultdict": _defaultdict,
    "copyreg.__newobj__": _newobj,
    "copyreg.__newobj_ex__": _newobj_ex,
    "copyreg._reconstructor": reconstructor,
}
