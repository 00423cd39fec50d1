from __future__ import annotations

import pickle
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inert_malice import HARMLESS, RUNS_CODE
from inert_values import Bag, Keyed, Labels, Pair, cyclic, patient

from cachecheck.errors import InertError
from cachecheck.inert import Limits, Structure, structural_digest
from cachecheck.inert.steps import STEPS

LIMITS = Limits(max_operations=20_000)
OPCODES = [code for code, step in enumerate(STEPS) if step is not STEPS[0xFF]]


def read(payload: bytes) -> Structure | None:
    try:
        return structural_digest(payload, seed=b"", limits=LIMITS)
    except InertError:
        return None


def samples() -> list[bytes]:
    held: dict[Any, Any] = {"a": {1, 2.5, None}, (1, "x"): [b"y", bytearray(b"z"), 2**80, -1, True]}
    value = [held, cyclic(Pair(1, 2)), Labels(held), Keyed("a", size=1), Bag(x=int, y="é" * 50)]
    pickles = [pickle.dumps(value, protocol) for protocol in range(6)]
    return [
        *pickles,
        *(payload for payload in (HARMLESS | RUNS_CODE).values() if len(payload) < 500),
    ]


def mutated(payload: bytes, chance: random.Random) -> bytes:
    changed = bytearray(payload)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([chance.choice(OPCODES)])
            case 1:
                changed[at : at + 1] = chance.randbytes(1)
            case 2:
                del changed[at : at + chance.randint(1, 8)]
            case _:
                start = chance.randrange(len(changed) + 1)
                changed[at:at] = changed[start : start + chance.randint(1, 8)]
    return bytes(changed)


@pytest.mark.parametrize("seed", range(5))
def test_mutated_pickles_raise_nothing_but_inert_errors(seed: int) -> None:
    chance = random.Random(seed)
    originals = samples()
    found = [read(mutated(chance.choice(originals), chance)) for _ in range(4000)]
    assert any(found)
    assert not all(found)


@pytest.mark.parametrize("seed", range(5))
def test_random_opcodes_raise_nothing_but_inert_errors(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(4000):
        opcodes = bytes(chance.choices(OPCODES, k=chance.randint(1, 30)))
        read(b"(" * 3 + b"]\x94}\x94)\x94ca\nb\n\x94K\x01" + opcodes + b".")


def test_random_bytes_raise_nothing_but_inert_errors() -> None:
    chance = random.Random(1)
    for _ in range(10_000):
        read(chance.randbytes(chance.randint(0, 40)) + b".")


def test_every_cut_of_a_pickle_is_refused() -> None:
    for payload in samples():
        assert read(payload) is not None
        assert not any(read(payload[:length]) for length in range(len(payload)))


@patient
@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_but_inert_errors(payload: bytes) -> None:
    read(payload)
    read(b"\x80\x05" + payload + b".")
