"""A word for people: what a pickle holds."""

from __future__ import annotations

from typing import Final

from cachecheck.inert.nodes import (
    BYTEARRAY,
    BYTES,
    DICT,
    EXTENSION,
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
)

MODEL_UNPICKLE: Final = "django.db.models.base.model_unpickle"

_WORDS: Final = {
    NONE: "None",
    TRUE: "bool",
    FALSE: "bool",
    INT: "int",
    LONG_INT: "int",
    FLOAT: "float",
    TEXT: "str",
    BYTES: "bytes",
    BYTEARRAY: "bytearray",
    TUPLE: "tuple",
    LIST: "list",
    DICT: "dict",
    STATE: "dict",
    SET: "set",
    FROZENSET: "frozenset",
    EXTENSION: "extension",
}


def kind_of(value: Value) -> str:
    """Name the kind of a value: a builtin type, or the class or function an object is made by.

    A Django model reads as ``app.Model``, which is all that its pickle says of the class.
    """
    match value:
        case Global():
            return "global"
        case Blob():
            return _WORDS[value.kind]
        case Node():
            return _WORDS.get(value.tag) or _made_by(value)
        case _:
            return _WORDS[value[:1]]


def _made_by(node: Node) -> str:
    maker = node.items[0]
    if type(maker) is not Global:
        return "object"
    return model_label(node) or maker.dotted


def model_label(node: Node) -> str | None:
    """Give ``app.Model`` where a node is a Django model, whose class its pickle does not name."""
    maker, arguments, *_ = node.items
    if type(maker) is not Global or maker.dotted != MODEL_UNPICKLE:
        return None
    return _label(arguments)


def _label(arguments: Value) -> str | None:
    """Read ``((app_label, object_name),)`` as django.db.models.base.Model.__reduce__ writes it."""
    match members(arguments):
        case [pair]:
            match [name_of(part) for part in members(pair) or []]:
                case [str(app), str(model)]:
                    return f"{app}.{model}"
    return None


def printable(text: str) -> str:
    """Escape a name that holds control characters or lone surrogates: people and JSON see it."""
    return text if text.isprintable() else ascii(text)[1:-1]
