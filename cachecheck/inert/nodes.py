"""What a pickle is read into: tokens, blobs and globals at the leaves, nodes for what holds others.

A token is bytes that tell where they end (``i12;``, ``s2:hi``), so tokens in a row can be read in
one way only, and equal rows mean equal values. Nothing here compares or hashes by content what it
holds.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from cachecheck.errors import InertTooLarge

INLINE_BYTES: Final = 64
"""Longer text and bytes become blobs, which are hashed once however often they are referred to."""

MAX_NAME_BYTES: Final = 512
"""Of a global's module and name together, and of every text that is used as a name."""

NONE: Final = b"N"
TRUE: Final = b"T"
FALSE: Final = b"F"
EMPTY_TUPLE: Final = b"()"

INT: Final = b"i"
LONG_INT: Final = b"j"
FLOAT: Final = b"f"
TEXT: Final = b"s"
BYTES: Final = b"b"
BYTEARRAY: Final = b"y"

TUPLE: Final = b"("
LIST: Final = b"["
DICT: Final = b"{"
SET: Final = b"<"
FROZENSET: Final = b">"
EXTENSION: Final = b"x"
"""A type of an application's own in MessagePack: its code, its bytes."""
STATE: Final = b"="
"""The dict that an object is built with."""
CALL: Final = b"!"
"""Items: what is called, its arguments, then what is done to the result."""
MAPPED_CALL: Final = b"%"
"""A call whose result is a dict in all but name; the third item is that dict."""
NEW: Final = b"*"
"""Items: a class, the positional arguments of its ``__new__``, then what is done to the object."""
NEW_WITH_KEYWORDS: Final = b"&"
"""As NEW, with the keyword arguments as the third item."""

OBJECTS: Final = (CALL, MAPPED_CALL, NEW, NEW_WITH_KEYWORDS)

APPENDED: Final = b"+a"
STORED: Final = b"+k"
ADDED: Final = b"+m"
BUILT: Final = b"+b"

UNSEEN: Final = b""
OPEN: Final = b"?"


class Global:
    """A module's attribute, by name only; ``dotted`` is how people write it."""

    __slots__ = ("dotted", "module", "name", "token")

    def __init__(self, module: str, name: str) -> None:
        """Raise InertTooLarge for names that no module of Python has."""
        parts = [part.encode("utf-8", "surrogatepass") for part in (module, name)]
        if sum(map(len, parts)) > MAX_NAME_BYTES:
            raise InertTooLarge(f"a name of more than {MAX_NAME_BYTES:,} bytes")
        self.module = module
        self.name = name
        self.dotted = f"{module}.{name}"
        self.token = b"g" + b"".join(b"%d:%b" % (len(part), part) for part in parts)


class Blob:
    """A long text, byte string or integer; ``token`` is its digest once it was taken."""

    __slots__ = ("encoded", "kind", "raw", "token")

    def __init__(self, kind: bytes, raw: bytes) -> None:
        self.kind = kind
        self.raw = raw
        self.token = UNSEEN
        self.encoded: Value | None = None


class Node:
    """A container or an object; ``token`` is UNSEEN, OPEN or its digest.

    ``index``, ``low``, ``height`` and ``looped`` belong to the search for cycles (digesting.py).
    """

    __slots__ = ("height", "index", "items", "looped", "low", "tag", "token")

    index: int
    low: int
    height: int
    looped: bool

    def __init__(self, tag: bytes, items: list[Value]) -> None:
        self.tag = tag
        self.items = items
        self.token = UNSEEN


Value: TypeAlias = bytes | Blob | Global | Node


def token_of(value: Value) -> bytes:
    """Give the token of what was digested: equal for equal values."""
    return value if isinstance(value, bytes) else value.token


def scalar(kind: bytes, raw: bytes) -> bytes | Blob:
    """Give text, bytes or a long integer as a token, or as a blob when it is long."""
    if len(raw) > INLINE_BYTES:
        return Blob(kind, raw)
    return b"%b%d:%b" % (kind, len(raw), raw)


def integer(value: int) -> bytes | Blob:
    """Give an integer in the one form it has here, however the pickle spelled it."""
    if -(2**63) <= value < 2**63:
        return b"i%d;" % value
    return scalar(LONG_INT, value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


def raw_of(value: Value, kind: bytes) -> bytes | None:
    """Give the bytes of a scalar of that kind, None for anything else."""
    if type(value) is Blob:
        return value.raw if value.kind == kind else None
    if type(value) is bytes and value[:1] == kind:
        return value.partition(b":")[2]
    return None


def name_of(value: Value) -> str | None:
    """Give a text that is short enough for a name, None for anything else.

    A few bytes can refer to one long text again and again; decoding it each time is not for free.
    """
    raw = raw_of(value, TEXT)
    if raw is None or len(raw) > MAX_NAME_BYTES:
        return None
    return raw.decode("utf-8", "surrogatepass")


def tuple_of(items: list[Value]) -> Value:
    """Give a tuple; the empty one has one form, whichever opcode made it."""
    return Node(TUPLE, items) if items else EMPTY_TUPLE


def members(value: Value) -> list[Value] | None:
    """Give the members of a tuple, None for anything else."""
    if type(value) is Node and value.tag == TUPLE:
        return value.items
    return [] if value == EMPTY_TUPLE else None
