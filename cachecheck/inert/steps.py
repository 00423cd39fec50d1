"""The opcodes that hold and move values: containers, memo, marks, globals and objects.

Their meaning is that of ``pickle.py``; scalars are in ``scalars.py``. What reaches outside the
payload (extension codes, persistent ids, out-of-band buffers) is refused with its reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from cachecheck.errors import InertUndecodable, InertUnreadable
from cachecheck.inert.folding import call
from cachecheck.inert.names import GLOBAL_OPERATIONS, find_global
from cachecheck.inert.nodes import (
    ADDED,
    APPENDED,
    BUILT,
    DICT,
    EMPTY_TUPLE,
    FROZENSET,
    LIST,
    OBJECTS,
    SET,
    STORED,
    Node,
    Value,
    name_of,
    tuple_of,
)
from cachecheck.inert.objects import marked, new
from cachecheck.inert.scalars import SCALARS, decimal

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.inert.machine import Machine

Step: TypeAlias = "Callable[[Machine], None]"

NEWEST_PROTOCOL: Final = 5

NODE_OPERATIONS: Final = 1
"""What is added for a container or object: one byte can make one, which takes 170."""


def _proto(m: Machine) -> None:
    m.protocol = m.number(1)
    if m.protocol > NEWEST_PROTOCOL:
        raise InertUndecodable(f"pickle protocol {m.protocol}, which no Python knows yet")


def _frame(m: Machine) -> None:
    if m.number(8) > len(m.payload) - m.at:
        raise InertUndecodable("a frame that reaches past the end")


def _mark(m: Machine) -> None:
    m.marked.append(m.stack)
    m.stack = []


def _pop(m: Machine) -> None:
    if m.stack:
        m.stack.pop()
    else:
        m.since_mark()


def _pop_mark(m: Machine) -> None:
    m.since_mark()


def _dup(m: Machine) -> None:
    m.stack.append(m.stack[-1])


def _memoize(m: Machine) -> None:
    m.memo[len(m.memo)] = m.stack[-1]


def _put(m: Machine) -> None:
    m.put(decimal(m.line()))


def _binput(m: Machine) -> None:
    m.memo[m.payload[m.at]] = m.stack[-1]
    m.at += 1


def _long_binput(m: Machine) -> None:
    m.put(m.number(4))


def _get(m: Machine) -> None:
    m.stack.append(m.memo[decimal(m.line())])


def _binget(m: Machine) -> None:
    m.stack.append(m.memo[m.payload[m.at]])
    m.at += 1


def _long_binget(m: Machine) -> None:
    m.stack.append(m.memo[m.number(4)])


def _empty(tag: bytes) -> Step:
    def step(m: Machine) -> None:
        m.meter.spend(2 * NODE_OPERATIONS)
        m.stack.append(Node(tag, []))

    return step


def _from_mark(tag: bytes) -> Step:
    def step(m: Machine) -> None:
        values = m.since_mark()
        m.meter.spend(NODE_OPERATIONS)
        m.stack.append(Node(tag, values))

    return step


def _dict(m: Machine) -> None:
    m.meter.spend(NODE_OPERATIONS)
    m.stack, items = m.marked.pop(), m.stack
    m.stack.append(Node(DICT, []))
    _store(m, items)


def _empty_tuple(m: Machine) -> None:
    m.stack.append(EMPTY_TUPLE)


def _tuple(m: Machine) -> None:
    m.meter.spend(NODE_OPERATIONS)
    values = m.since_mark()
    m.stack.append(tuple_of(values))


def _short_tuple(width: int) -> Step:
    def step(m: Machine) -> None:
        stack = m.stack
        if len(stack) < width:
            raise InertUnreadable("more taken than was there")
        m.meter.spend(NODE_OPERATIONS)
        stack[-width:] = [tuple_of(stack[-width:])]

    return step


def _append(m: Machine) -> None:
    _extend(m, [m.stack.pop()])


def _appends(m: Machine) -> None:
    _extend(m, m.since_mark())


def _extend(m: Machine, values: list[Value]) -> None:
    target = m.target(LIST)
    target.items += values if target.tag == LIST else marked(APPENDED, values, 1)


def _additems(m: Machine) -> None:
    values = m.since_mark()
    target = m.target(SET)
    target.items += values if target.tag == SET else marked(ADDED, values, 1)


def _setitem(m: Machine) -> None:
    value = m.stack.pop()
    _store(m, [m.stack.pop(), value])


def _setitems(m: Machine) -> None:
    _store(m, m.since_mark())


def _store(m: Machine, items: list[Value]) -> None:
    if len(items) % 2:
        raise InertUnreadable("a key without a value")
    target = m.mapping()
    target.items += items if target.tag == DICT else marked(STORED, items, 2)


def _global(m: Machine) -> None:
    _find(m, m.line().decode(), m.line().decode())


def _stack_global(m: Machine) -> None:
    name, module = name_of(m.stack.pop()), name_of(m.stack.pop())
    if name is None or module is None:
        raise InertUnreadable("a global whose name is no short text")
    _find(m, module, name)


def _find(m: Machine, module: str, name: str) -> None:
    m.meter.spend(GLOBAL_OPERATIONS)
    m.stack.append(find_global(module, name, m.protocol))


def _reduce(m: Machine) -> None:
    m.meter.spend(NODE_OPERATIONS)
    arguments, function = m.stack.pop(), m.stack.pop()
    m.stack.append(call(function, arguments, m.meter))


def _newobj(m: Machine) -> None:
    arguments, cls = m.stack.pop(), m.stack.pop()
    m.stack.append(new(cls, arguments))


def _newobj_ex(m: Machine) -> None:
    keywords, arguments, cls = m.stack.pop(), m.stack.pop(), m.stack.pop()
    m.stack.append(new(cls, arguments, keywords))


def _build(m: Machine) -> None:
    state = m.stack.pop()
    target = m.stack[-1]
    if type(target) is not Node or target.tag not in OBJECTS:
        raise InertUnreadable("a state for what is no object")
    target.items += (BUILT, m.state(state))


def _refuse(reason: str) -> Step:
    def step(_m: Machine) -> None:
        raise InertUnreadable(reason)

    return step


_EXTENSION: Final = _refuse("an extension code, whose meaning is outside the payload")
_PERSISTENT: Final = _refuse("a persistent id, whose meaning is outside the payload")
_BUFFER: Final = _refuse("an out-of-band buffer, which is outside the payload")
_PYTHON_2: Final = _refuse("a string or class instance of Python 2")

_CODES: Final[dict[bytes, Step]] = {
    **SCALARS,
    b"\x80": _proto,
    b"\x95": _frame,
    b"(": _mark,
    b"0": _pop,
    b"1": _pop_mark,
    b"2": _dup,
    b"\x94": _memoize,
    b"p": _put,
    b"q": _binput,
    b"r": _long_binput,
    b"g": _get,
    b"h": _binget,
    b"j": _long_binget,
    b"]": _empty(LIST),
    b"}": _empty(DICT),
    b"\x8f": _empty(SET),
    b"\x91": _from_mark(FROZENSET),
    b"l": _from_mark(LIST),
    b"d": _dict,
    b")": _empty_tuple,
    b"t": _tuple,
    b"\x85": _short_tuple(1),
    b"\x86": _short_tuple(2),
    b"\x87": _short_tuple(3),
    b"a": _append,
    b"e": _appends,
    b"\x90": _additems,
    b"s": _setitem,
    b"u": _setitems,
    b"c": _global,
    b"\x93": _stack_global,
    b"R": _reduce,
    b"\x81": _newobj,
    b"\x92": _newobj_ex,
    b"b": _build,
    b"\x82": _EXTENSION,
    b"\x83": _EXTENSION,
    b"\x84": _EXTENSION,
    b"P": _PERSISTENT,
    b"Q": _PERSISTENT,
    b"\x97": _BUFFER,
    b"\x98": _BUFFER,
    b"S": _PYTHON_2,
    b"T": _PYTHON_2,
    b"U": _PYTHON_2,
    b"i": _PYTHON_2,
    b"o": _PYTHON_2,
}


def _no_opcode(_m: Machine) -> None:
    raise InertUndecodable("not a pickle: a byte that is no opcode")


STEPS: Final[tuple[Step, ...]] = tuple(_CODES.get(bytes([code]), _no_opcode) for code in range(256))
"""What to do for each opcode, by its byte; STOP is the reading's own."""
