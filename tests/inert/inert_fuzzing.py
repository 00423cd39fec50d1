"""Inputs for inert reading that nobody wrote: mutated values, random opcodes, random bytes."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import msgpack
from inert_malice import HARMLESS, RUNS_CODE
from inert_values import Bag, Keyed, Labels, Pair, cyclic

from cachecheck.errors import InertError
from cachecheck.inert import Encoded, Limits, Structure, TreeWanted, structural_digest
from cachecheck.inert.sensitive import is_sensitive
from cachecheck.inert.steps import STEPS

if TYPE_CHECKING:
    import random

    from cachecheck.inert.codecs import Codec

LIMITS = Limits(max_operations=20_000)
OPCODES = [code for code, step in enumerate(STEPS) if step is not STEPS[0xFF]]
TREE = TreeWanted(is_withheld=is_sensitive)
PLAIN = {"a": [1, 2.5, None, True, -7], "password": {"b": "é" * 70}, "c": [{}, [], ""], "d": 2**40}
JSON_SIGNS = b'[]{},:"0123456789.eE+-tfnINu\\ \n'


def read(payload: bytes, codec: Codec = "pickle") -> Structure | None:
    """Read with the tree and as text; None where it is refused."""
    try:
        encoded = Encoded(raw=payload, codec=codec)
        return structural_digest(encoded, seed=b"", limits=LIMITS, tree=TREE, showing=is_sensitive)
    except InertError:
        return None


def samples(codec: Codec = "pickle") -> list[bytes]:
    if codec == "json":
        return [json.dumps(PLAIN).encode(), json.dumps([PLAIN, float("nan")], indent=1).encode()]
    if codec == "msgpack":
        return [msgpack.dumps(PLAIN), msgpack.dumps([PLAIN, b"x" * 300, msgpack.ExtType(5, b"yz")])]
    held: dict[Any, Any] = {"a": {1, 2.5, None}, (1, "x"): [b"y", bytearray(b"z"), 2**80, -1, True]}
    value = [held, cyclic(Pair(1, 2)), Labels(held), Keyed("a", size=1), Bag(x=int, y="é" * 50)]
    pickles = [pickle.dumps(value, protocol) for protocol in range(6)]
    others = (HARMLESS | RUNS_CODE).values()
    return [*pickles, *(payload for payload in others if len(payload) < 500)]


def mutated(payload: bytes, chance: random.Random, alphabet: list[int] = OPCODES) -> bytes:
    changed = bytearray(payload)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([chance.choice(alphabet)])
            case 1:
                changed[at : at + 1] = chance.randbytes(1)
            case 2:
                del changed[at : at + chance.randint(1, 8)]
            case _:
                start = chance.randrange(len(changed) + 1)
                changed[at:at] = changed[start : start + chance.randint(1, 8)]
    return bytes(changed)


def random_opcodes(chance: random.Random) -> bytes:
    opcodes = bytes(chance.choices(OPCODES, k=chance.randint(1, 30)))
    return b"(" * 3 + b"]\x94}\x94)\x94ca\nb\n\x94K\x01" + opcodes + b"."
