"""JSON and MessagePack are read as their libraries read them, and become what a pickle becomes."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inert_values import SEED, patient

from cachecheck.errors import InertError, InertUndecodable
from cachecheck.inert import Encoded, structural_digest

if TYPE_CHECKING:
    from cachecheck.inert import Structure
    from cachecheck.inert.codecs import Codec

NO_JSON = [
    *(b"", b"[1,]", b"[,1]", b'{"a":1,}', b'{"a"}', b"{1:2}", b"[1 2]", b"nul", b"01", b"1."),
    *(b"'a'", b'"a', b'"\n"', b'"\\x"', b"\xff", b"\xef\xbb\xbf1", b"1 2", b"[", b"]", b".5", b"-"),
    *(b"+1", pickle.dumps({"a": 1}), msgpack.dumps({"a": 1})),
]
ODD_JSON = [b" 1 ", b"NaN", b"-Infinity", b"1E400", b'"\\ud800"', b"-0", b"-0.0"]
NO_MSGPACK = [
    *(b"", b"\xc1", b"\x92\x01", b"\xa5abc", b"\xdd\xff\xff\xff\xff", b"\x01\x01", b"\xa1\xff"),
    pickle.dumps([1]),
]
BOMBS: dict[str, tuple[bytes, Codec]] = {
    "lists": (b"[" + b"[]," * 20_000 + b"1]", "json"),
    "open lists": (b"[" * 20_000, "json"),
    "escapes": (b'"' + b"\\u0061" * 2_000_000 + b'"', "json"),
    "digits": (b"9" * 1_000_000, "json"),
    "decimals": (b"0." + b"9" * 1_000_000, "json"),
    "many lists": (b"\xdd\x00\x00\x4e\x20" + b"\x90" * 20_000, "msgpack"),
    "nested lists": (b"\x91" * 20_000, "msgpack"),
}


def told(raw: bytes, codec: Codec, packed_by: str | None = None) -> Structure:
    return structural_digest(Encoded(raw=raw, codec=codec, packed_by=packed_by), seed=SEED)


def pickled(value: Any) -> str:
    return structural_digest(pickle.dumps(value), seed=SEED).digest


def plain(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        ),
        max_leaves=20,
    )


NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=100)
WAYS = [{}, {"indent": 1}, {"ensure_ascii": False}]


@patient
@given(plain(LEAVES | st.integers()), st.sampled_from(WAYS))
def test_json_is_what_the_pickle_of_its_value_is(value: Any, way: dict[str, Any]) -> None:
    raw = json.dumps(value, **way).encode()
    assert told(raw, "json").digest == pickled(json.loads(raw))


@patient
@given(plain(LEAVES | st.binary(max_size=100)))
def test_msgpack_is_what_the_pickle_of_its_value_is(value: Any) -> None:
    raw = msgpack.dumps(value)
    assert told(raw, "msgpack").digest == pickled(msgpack.loads(raw, raw=False))


@pytest.mark.parametrize("size", [0, 15, 16, 31, 32, 255, 256, 65_536])
def test_sizes_at_which_msgpack_changes_its_codes(size: int) -> None:
    for value in ("x" * size, b"x" * size, [None] * size, {str(n): n for n in range(size % 1000)}):
        assert told(msgpack.dumps(value), "msgpack").digest == pickled(value)


def test_floats_of_both_sizes_are_one_value() -> None:
    singles = [msgpack.dumps(0.5, use_single_float=True), msgpack.dumps(0.5)]
    assert {told(raw, "msgpack").digest for raw in singles} == {pickled(0.5)}


def test_extensions_of_msgpack_are_told_apart() -> None:
    raws = [msgpack.dumps(msgpack.ExtType(code, data)) for code in (1, 2) for data in (b"a", b"bc")]
    assert len({told(raw, "msgpack").digest for raw in raws}) == 4
    assert told(raws[0], "msgpack").kind == "extension"


@pytest.mark.parametrize("raw", NO_JSON)
def test_what_json_refuses_is_not_decodable(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        json.loads(raw.decode())
    with pytest.raises(InertUndecodable, match="not JSON"):
        told(raw, "json")


@pytest.mark.parametrize("raw", ODD_JSON)
def test_what_json_takes_is_read(raw: bytes) -> None:
    assert told(raw, "json").digest == pickled(json.loads(raw))


@pytest.mark.parametrize("raw", NO_MSGPACK)
def test_what_msgpack_refuses_is_not_decodable(raw: bytes) -> None:
    with pytest.raises(Exception, match=r".*"):
        msgpack.loads(raw, raw=False)
    with pytest.raises(InertUndecodable, match="not MessagePack"):
        told(raw, "msgpack")


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_take_little_memory(name: str) -> None:
    tracemalloc.start()
    try:
        with suppress(InertError):
            told(*BOMBS[name])
    finally:
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak_bytes < 250 * len(BOMBS[name][0]) + 1_000_000


def test_the_codec_is_told_with_what_it_was_packed_by() -> None:
    assert told(b"1", "json").codec == "json"
    assert told(b"1", "json", packed_by="zlib").codec == "zlib+json"
    assert structural_digest(b"N.", seed=SEED).codec == "pickle"
    assert told(b"1", "json").protocol is None
