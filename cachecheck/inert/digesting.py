"""Digests of nodes, each taken once, from the leaves up.

The order is found by Tarjan's algorithm for strongly connected components (Tarjan, "Depth-First
Search and Linear Graph Algorithms", 1972), with a stack of its own, so no input decides how deep
Python calls itself. A component of one node is the usual case; the others are cycles (cycles.py).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final, TypeAlias

from cachecheck.errors import InertTooLarge
from cachecheck.inert.combining import preimage
from cachecheck.inert.cycles import settle_cycle
from cachecheck.inert.django_states import VERSION_KEY
from cachecheck.inert.kinds import model_label
from cachecheck.inert.limits import BYTES_PER_OPERATION
from cachecheck.inert.nodes import (
    CALL,
    OPEN,
    STATE,
    UNSEEN,
    Blob,
    Global,
    Node,
    Value,
    name_of,
    token_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cachecheck.inert.limits import Meter

DIGEST_BYTES: Final = 16
HASHED_AT_ONCE: Final = 256 * BYTES_PER_OPERATION

INLINE_BYTES: Final = 32

NODE_OPERATIONS: Final = 4
"""Digesting a small node takes about as long as this many opcodes."""

ITEMS_PER_OPERATION: Final = 4

MOST_ON_THE_WAY: Final = 10_000
"""Around cycles the way may be longer than a value is deep; each step of it takes 200 bytes."""

Visit: TypeAlias = "tuple[Node, Iterator[Node]]"


class Digester:
    """Digests one value under one seed.

    On the way it finds the ``globals``, labels of Django ``models`` and the ``django_version``.
    """

    __slots__ = ("_base", "_component", "_entered", "_meter", "django_version", "globals", "models")

    def __init__(self, seed: bytes, meter: Meter) -> None:
        # A seed may have any length, the key of BLAKE2b has at most 64 bytes.
        key = blake2b(seed, digest_size=32, person=b"cachecheck inert").digest()
        self._base = blake2b(key=key, digest_size=DIGEST_BYTES)
        self._meter = meter
        self._entered = 0
        self._component: list[Node] = []
        self.globals: set[tuple[str, str]] = set()
        self.models: set[str] = set()
        self.django_version: str | None = None

    def digest(self, root: Value) -> bytes:
        """Give the digest of a value; raises InertTooLarge past the meter's limits."""
        if isinstance(root, Node):
            self._walk(root)
        elif not isinstance(root, bytes):
            self._settle_leaf(root)
        return self.hashed(b"." + token_of(root))

    def hashed(self, content: bytes) -> bytes:
        """Give the keyed digest of bytes."""
        state = self._base.copy()
        state.update(content)
        return state.digest()

    def _walk(self, root: Node) -> None:
        first = self._enter(root)
        path = [] if first is None else [first]
        while path:
            node, rest = path[-1]
            deeper = self._next_visit(node, rest)
            if deeper is not None:
                if len(path) >= MOST_ON_THE_WAY:
                    raise InertTooLarge(f"a way of more than {MOST_ON_THE_WAY:,} containers")
                path.append(deeper)
                continue
            path.pop()
            if node.low == node.index:
                self._settle(node)
            if path:
                self._note(path[-1][0], node)

    def _next_visit(self, node: Node, rest: Iterator[Node]) -> Visit | None:
        for child in rest:
            if child.token == UNSEEN:
                visit = self._enter(child)
                if visit is not None:
                    return visit
            self._note(node, child)
        return None

    def _enter(self, node: Node) -> Visit | None:
        """Start on a node; one that holds no other node is done with at once."""
        self._meter.work(NODE_OPERATIONS + len(node.items) // ITEMS_PER_OPERATION)
        if node.tag == STATE:
            self._note_version(node)
        elif node.tag == CALL and (label := model_label(node)):
            self.models.add(label)
        node.height = 1
        nested = self._nested(node)
        if not nested:
            self._settle_single(node)
            return None
        self._entered += 1
        node.index = node.low = self._entered
        node.looped = False
        node.token = OPEN
        self._component.append(node)
        return node, iter(nested)

    def _nested(self, node: Node) -> list[Node]:
        """Give the nodes among a node's items, and settle the leaves that need it."""
        found = []
        for item in node.items:
            if isinstance(item, Node):
                found.append(item)
            elif not isinstance(item, bytes):
                self._settle_leaf(item)
        return found

    @staticmethod
    def _note(node: Node, child: Node) -> None:
        """Learn of a child that was seen: a settled one adds height, an open one closes a cycle."""
        if child.token != OPEN:
            if child.height >= node.height:
                node.height = child.height + 1
            return
        node.low = min(node.low, child.low)
        node.looped = node.looped or node is child

    def _settle(self, root: Node) -> None:
        """Digest the component that a node was the first of to be entered."""
        component = [self._component.pop()]
        if component[0] is root and not root.looped:
            self._settle_single(root)
            return
        while component[-1] is not root:
            component.append(self._component.pop())
        height = max(node.height for node in component)
        self._meter.check_depth(height)
        settle_cycle(component, self.hashed, self._meter)
        for node in component:
            node.height = height

    def _settle_single(self, node: Node) -> None:
        self._meter.check_depth(node.height)
        content = preimage(node)
        # Few enough bytes stand for themselves: like all tokens, they tell where they end.
        node.token = content if len(content) <= INLINE_BYTES else b"#" + self.hashed(content)

    def _settle_leaf(self, leaf: Blob | Global) -> None:
        if isinstance(leaf, Global):
            self.globals.add((leaf.module, leaf.name))
        elif leaf.token == UNSEEN:
            leaf.token = b"#" + self._hash_blob(leaf)

    def _hash_blob(self, blob: Blob) -> bytes:
        state = self._base.copy()
        state.update(b"%b%d:" % (blob.kind, len(blob.raw)))
        with memoryview(blob.raw) as raw:
            for start in range(0, len(raw), HASHED_AT_ONCE):
                piece = raw[start : start + HASHED_AT_ONCE]
                state.update(piece)
                self._meter.spend_bytes(len(piece))
        return state.digest()

    def _note_version(self, state: Node) -> None:
        keys = state.items[::2]
        if self.django_version is None and VERSION_KEY in keys:
            self.django_version = name_of(state.items[2 * keys.index(VERSION_KEY) + 1])
