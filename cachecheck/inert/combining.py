"""The bytes that a node's digest is taken of: its kind, how many items, and their tokens."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final, TypeAlias

from cachecheck.inert.django_states import without_release
from cachecheck.inert.nodes import DICT, FROZENSET, SET, STATE, Node

if TYPE_CHECKING:
    from collections.abc import Callable

Order: TypeAlias = "Callable[[tuple[bytes, bytes]], bytes]"

BY_KEY: Final[Order] = itemgetter(0)
"""Order of a dict's items. Equal keys (of two objects, or a forgery) stay as they were."""


JOINED_AT_ONCE: Final = 4096


def preimage(node: Node, order: Order = BY_KEY) -> bytes:
    """Give the bytes to digest; equal for equal values, different for different ones.

    All items must have their tokens.
    """
    tokens = [item if isinstance(item, bytes) else item.token for item in node.items]
    if node.tag in (DICT, STATE):
        tokens = _sorted_items(node.tag, tokens, order)
    elif node.tag in (SET, FROZENSET):
        tokens.sort()
    return b"%b%d:%b" % (node.tag, len(tokens), _joined(tokens))


def _joined(tokens: list[bytes]) -> bytes:
    """Join part by part: ``bytes.join`` takes 80 bytes beside each item (Objects/stringlib)."""
    if len(tokens) <= JOINED_AT_ONCE:
        return b"".join(tokens)
    starts = range(0, len(tokens), JOINED_AT_ONCE)
    return b"".join(b"".join(tokens[at : at + JOINED_AT_ONCE]) for at in starts)


def _sorted_items(tag: bytes, tokens: list[bytes], order: Order) -> list[bytes]:
    items = sorted(zip(tokens[::2], tokens[1::2], strict=True), key=order)
    return [key + value for key, value in (without_release(items) if tag == STATE else items)]
