from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inert_fuzzing import JSON_SIGNS, mutated, random_opcodes, read, samples
from inert_values import patient


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
        read(random_opcodes(chance))


def test_random_bytes_raise_nothing_but_inert_errors() -> None:
    chance = random.Random(1)
    for _ in range(10_000):
        read(chance.randbytes(chance.randint(0, 40)) + b".")


def test_every_cut_of_a_pickle_is_refused() -> None:
    for payload in samples():
        assert read(payload) is not None
        assert not any(read(payload[:length]) for length in range(len(payload)))


def test_mutated_json_and_msgpack_raise_nothing_but_inert_errors() -> None:
    chance = random.Random(1)
    for codec, alphabet in (("json", JSON_SIGNS), ("msgpack", bytes(range(256)))):
        originals = samples(codec)
        assert all(read(payload, codec) for payload in originals)
        found = [
            read(mutated(chance.choice(originals), chance, list(alphabet)), codec)
            for _ in range(4000)
        ]
        assert any(found)
        assert not all(found)


@patient
@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_but_inert_errors(payload: bytes) -> None:
    read(payload)
    read(b"\x80\x05" + payload + b".")
    read(payload, "json")
    read(payload, "msgpack")
