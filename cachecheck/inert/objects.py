"""Objects: made by a class or a call, then filled and built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.errors import InertUnreadable
from cachecheck.inert.nodes import DICT, NEW, NEW_WITH_KEYWORDS, Global, Node, Value, members

if TYPE_CHECKING:
    from cachecheck.inert.limits import Meter


def new(cls: Value, arguments: Value, keywords: Value | None = None) -> Node:
    """Give an object made by its class's ``__new__``; no keyword arguments are as none given."""
    check_callable(cls)
    arguments_of(arguments)
    if keywords is None:
        return Node(NEW, [cls, arguments])
    if type(keywords) is not Node or keywords.tag != DICT:
        raise InertUnreadable("keyword arguments that are no dict")
    if not keywords.items:
        return Node(NEW, [cls, arguments])
    return Node(NEW_WITH_KEYWORDS, [cls, arguments, keywords])


def check_callable(value: Value) -> None:
    """Refuse a call of a number, a text or the like."""
    if type(value) not in (Global, Node):
        raise InertUnreadable("a call of what cannot be called")


def arguments_of(value: Value) -> list[Value]:
    """Give the positional arguments, which must be a tuple."""
    items = members(value)
    if items is None:
        raise InertUnreadable("arguments that are no tuple")
    return items


def marked(marker: bytes, values: list[Value], width: int) -> list[Value]:
    """Put the marker before every ``width`` values: in what batches they came is left out."""
    out: list[Value] = []
    for start in range(0, len(values), width):
        out.append(marker)
        out += values[start : start + width]
    return out


def copied(items: list[Value], meter: Meter) -> list[Value]:
    """Copy what the pickle may still add to; copies of one list are how few bytes become many."""
    meter.spend(len(items) // 2)
    return items.copy()


def listed(value: Value, tag: bytes) -> list[Value] | None:
    """Give the items of a container of that kind, None for anything else."""
    return value.items if type(value) is Node and value.tag == tag else None
