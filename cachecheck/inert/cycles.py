"""Digests of nodes in a cycle, by refining what is known of all of them at once.

At first all members look alike. In each round a member's colour becomes the digest of its kind
and its items' colours, until a round tells no more members apart than the one before. Then the
set of all colours and a member's own say everything: two members with equal ones unfold to the
same endless tree, wherever the cycle was entered and however often a part of it was copied
(partition refinement, as in Hopcroft's minimisation of automata).

Telling a cycle by the distance to the ancestor was rejected: it depends on the path, so each path
to a shared member needs a digest of its own. A hundred prefetched objects that know one another
have more paths than can be walked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from cachecheck.inert.combining import preimage
from cachecheck.inert.nodes import DICT, FROZENSET, OPEN, SET, STATE, Node, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.inert.limits import Meter

MEMBER_OPERATIONS: Final = 4
ITEMS_PER_OPERATION: Final = 4
COLOUR: Final = b"~"

Digest: TypeAlias = "Callable[[bytes], bytes]"


class _Member:
    """A node of the cycle: what of it stays the same, and its items that are members too.

    ``inner`` is None where the order of the items depends on colours, so that each round has to
    look at all of them.
    """

    __slots__ = ("inner", "node", "operations", "skeleton")

    def __init__(self, node: Node, digest: Digest, meter: Meter) -> None:
        meter.work(MEMBER_OPERATIONS + len(node.items) // ITEMS_PER_OPERATION)
        self.node = node
        self.inner = _inner(node)
        self.skeleton = digest(preimage(node, _by_what_is_known))
        seen = node.items if self.inner is None else self.inner
        self.operations = 1 + len(seen) // ITEMS_PER_OPERATION

    def colour(self, digest: Digest) -> bytes:
        if self.inner is None:
            return COLOUR + digest(preimage(self.node, _by_what_is_known))
        tokens = b"".join([node.token for node in self.inner])
        return COLOUR + digest(COLOUR + self.skeleton + tokens)


def settle_cycle(component: list[Node], digest: Digest, meter: Meter) -> None:
    """Give every member of a strongly connected component its token.

    All members' tokens are OPEN, all other tokens are final. Raises InertTooLarge when the
    rounds, each counted as operations, take more than the meter has.
    """
    members = [_Member(node, digest, meter) for node in component]
    told_apart, before = 1, 0
    while told_apart > before:
        colours = [_metered(member, digest, meter) for member in members]
        for node, colour in zip(component, colours, strict=True):
            node.token = colour
        told_apart, before = len(set(colours)), told_apart
    everything = digest(b"@" + b"".join(sorted({node.token for node in component})))
    for node in component:
        node.token = b"#" + digest(b"@" + everything + node.token)


def _metered(member: _Member, digest: Digest, meter: Meter) -> bytes:
    meter.spend(member.operations)
    return member.colour(digest)


def _inner(node: Node) -> list[Node] | None:
    items = node.items
    if node.tag in (DICT, STATE):
        if any(map(_is_open, items[::2])):
            return None
        items = _values_by_key(items)
    elif node.tag in (SET, FROZENSET):
        return None
    return [item for item in items if isinstance(item, Node) and item.token == OPEN]


def _values_by_key(items: list[Value]) -> list[Value]:
    keys = [key if isinstance(key, bytes) else key.token for key in items[::2]]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return [items[2 * at + 1] for at in order]


def _is_open(item: Value) -> bool:
    return isinstance(item, Node) and item.token == OPEN


def _by_what_is_known(item: tuple[bytes, bytes]) -> bytes:
    """Order by the key, and by key and value while keys that may yet differ look alike."""
    key, value = item
    return key + value if key[:1] in (OPEN, COLOUR) else key
