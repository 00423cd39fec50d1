"""Spellings of one value that no single pickler of today writes side by side."""

from __future__ import annotations

import collections
import pickle

import pytest
from inert_values import Bag, digest, digest_of

from cachecheck.inert import structural_digest

P2 = b"\x80\x02"
P4 = b"\x80\x04"
BAG = b"cinert_values\nBag\n"

SAME = {
    "booleans": [b"I01\n.", b"\x88."],
    "integers": [
        b"I5\n.",
        b"L5L\n.",
        b"L5\n.",
        b"K\x05.",
        b"J\5\0\0\0.",
        b"\x8a\x02\5\0.",
        b"I05\n.",
    ],
    "negative integers": [
        b"I-1\n.",
        b"J\xff\xff\xff\xff.",
        b"\x8a\x01\xff.",
        b"\x8a\x09" + b"\xff" * 9 + b".",
    ],
    "zero": [b"K\0.", b"\x8a\0.", b"\x8b\0\0\0\0.", b"L0L\n."],
    "large integers": [
        b"L18446744073709551616L\n.",
        b"\x8a\x09" + (2**64).to_bytes(9, "little") + b".",
        b"\x8b\x0c\0\0\0" + (2**64).to_bytes(12, "little") + b".",
    ],
    "floats": [b"F1.5\n.", b"F15e-1\n.", b"G" + b"\x3f\xf8" + bytes(6) + b"."],
    "text": [b"Va\n.", b"V\\u0061\n.", b"X\1\0\0\0a.", b"\x8c\1a.", b"\x8d\1\0\0\0\0\0\0\0a."],
    "bytes": [
        b"C\1a.",
        b"B\1\0\0\0a.",
        b"\x8e\1\0\0\0\0\0\0\0a.",
        P2 + b"c_codecs\nencode\nX\1\0\0\0aX\6\0\0\0latin1\x86R.",
        P2 + b"c_codecs\nencode\nX\1\0\0\0aX\7\0\0\0latin-1\x86R.",
    ],
    "no bytes": [b"C\0.", P2 + b"c__builtin__\nbytes\n)R."],
    "bytearrays": [
        b"\x96\1\0\0\0\0\0\0\0a.",
        P4 + b"cbuiltins\nbytearray\nC\1a\x85R.",
        P2 + b"c__builtin__\nbytearray\nX\1\0\0\0aX\7\0\0\0latin-1\x86R.",
    ],
    "no bytearray": [b"\x96" + bytes(8) + b".", P4 + b"cbuiltins\nbytearray\n)R."],
    "empty tuples": [b").", b"(t.", b"N0)."],
    "tuples": [b"NN\x86.", b"(NNt.", b"N2\x86.", b"N\x940h\0h\0\x86."],
    "lists": [b"]Na.", b"(Nl.", b"](Ne.", b"(lp0\nNa.", b"]2Na0" + b"."],
    "dicts": [b"}NNs.", b"(NNd.", b"}(NNu.", b"(dNNs."],
    "sets": [
        P4 + b"\x8f(K\1K\2\x90.",
        P4 + b"\x8f(K\2K\1\x90.",
        P4 + b"cbuiltins\nset\n](K\2K\1e\x85R.",
        P2 + b"c__builtin__\nset\n](K\1K\2e\x85R.",
    ],
    "no sets": [P4 + b"\x8f.", P4 + b"cbuiltins\nset\n]\x85R.", P4 + b"cbuiltins\nset\n)R."],
    "frozensets": [P4 + b"(K\1\x91.", P2 + b"c__builtin__\nfrozenset\n]K\1a\x85R."],
    "globals": [
        b"ccollections\nOrderedDict\n.",
        P4 + b"\x8c\x0bcollections\x8c\x0bOrderedDict\x93.",
    ],
    "renamed globals": [b"c__builtin__\nxrange\n.", P4 + b"cbuiltins\nrange\n."],
    "attributes of classes": [
        P4 + b"\x8c\1m\x8c\3C.f\x93.",
        P4 + b"cbuiltins\ngetattr\ncm\nC\n\x8c\1f\x86R.",
        P2 + b"c__builtin__\ngetattr\ncm\nC\nX\1\0\0\0f\x86R.",
    ],
    "objects": [
        P4 + BAG + b")\x81.",
        P4 + BAG + b")}\x92.",
        P4 + b"ccopyreg\n__newobj__\n" + BAG + b"\x85R.",
        P4 + b"ccopyreg\n__newobj_ex__\n" + BAG + b")}\x87R.",
        P4 + b"ccopyreg\n_reconstructor\n" + BAG + b"cbuiltins\nobject\nN\x87R.",
        b"ccopy_reg\n_reconstructor\n(" + BAG + b"c__builtin__\nobject\nNtR.",
    ],
    "frames": [b"\x95" + (2).to_bytes(8, "little") + b"N.", b"N."],
}


@pytest.mark.parametrize("name", SAME)
def test_spellings_of_one_value_are_one(name: str) -> None:
    assert len({digest(payload) for payload in SAME[name]}) == 1


def test_spellings_of_other_values_are_others() -> None:
    assert len({digest(payloads[0]) for payloads in SAME.values()}) == len(SAME)


@pytest.mark.parametrize(
    "payload",
    [
        P4 + b"c_codecs\nencode\n\x8c\1a\x8c\5utf-8\x86R.",
        P4 + b"c_codecs\nencode\n\x8c\1a\x85R.",
        P4 + b"c_codecs\nencode\nK\1\x8c\6latin1\x86R.",
        P4 + b"cbuiltins\nbytes\nK\5\x85R.",
        P4 + b"cbuiltins\nbytearray\nK\5\x85R.",
        P4 + b"cbuiltins\nset\nK\5\x85R.",
        P4 + b"cbuiltins\ngetattr\nK\5\x8c\1f\x86R.",
        P4 + b"cbuiltins\ngetattr\ncm\nC\n\x8c\3f.g\x86R.",
        P4 + b"ccopyreg\n_reconstructor\n" + BAG + b"cbuiltins\nset\nN\x87R.",
        P4 + b"ccopyreg\n_reconstructor\n" + BAG + b"cbuiltins\nobject\nK\1\x87R.",
        P4 + b"ccopyreg\n_reconstructor\n" + BAG + b"cbuiltins\nint\nN\x87R.",
        P4 + b"ccopyreg\n_reconstructor\n" + BAG + b"cbuiltins\nlist\nN\x87R.",
        P4 + b"ccopyreg\n_reconstructor\n)R.",
        P4 + b"ccopyreg\n__newobj__\n)R.",
        P4 + b"ccopyreg\n__newobj_ex__\n)R.",
        P4 + b"cfunctools\npartial\n)R)R.",
        P4 + b"cfunctools\npartial\n)R(K\1K\1K\1K\1tb)R.",
        P4 + b"cfunctools\npartial\n)R(cm\nf\n)}Ntb)R.",
    ],
)
def test_calls_that_spell_nothing_known_stay_calls(payload: bytes) -> None:
    function = payload[3 : payload.index(b"\n", payload.index(b"\n") + 1)].decode()
    structure = structural_digest(payload, seed=b"")
    assert function.replace("\n", ".") in structure.globals


def test_one_long_text_encoded_twice_is_two_equal_byte_strings() -> None:
    text = b"X\x64\0\0\0" + b"a" * 100
    once = b"h\0h\1X\6\0\0\0latin1\x86R"
    payload = P2 + b"c_codecs\nencode\nq\x000" + text + b"q\x010(" + once * 2 + b"l."
    assert digest(payload) == digest_of([b"a" * 100, b"a" * 100])


def test_a_state_with_slots_is_told_apart_from_one_without() -> None:
    plain = P4 + BAG + b")\x81}\x8c\1aK\1sb."
    with_no_slots = P4 + BAG + b")\x81}\x8c\1aK\1sN\x86b."
    slots = P4 + BAG + b")\x81N}\x8c\1aK\1s\x86b."
    assert len({digest(plain), digest(with_no_slots), digest(slots)}) == 3


def test_states_are_told_apart_from_items_and_members() -> None:
    payloads = [
        P4 + BAG + b")\x81}\x8c\1aK\1sb.",
        P4 + BAG + b")\x81\x8c\1aK\1s.",
        P4 + BAG + b")\x81(\x8c\1aK\1e.",
        P4 + BAG + b")\x81(\x8c\1aK\1\x90.",
        P4 + BAG + b")\x81}b.",
        P4 + BAG + b")\x81Nb.",
        P4 + BAG + b")\x81.",
        P4 + BAG + b")R.",
    ]
    assert len(set(map(digest, payloads))) == len(payloads)


def test_the_django_version_is_left_out_of_states_only() -> None:
    def versioned(version: str) -> list[str]:
        state = {"name": "x", "_django_version": version}
        return [
            digest_of(Bag(**state)),
            digest_of(state),
            digest_of(collections.OrderedDict(state)),
        ]

    for one, other, is_same in zip(
        versioned("5.2"), versioned("6.1"), [True, False, False], strict=True
    ):
        assert (one == other) == is_same
    found = structural_digest(pickle.dumps([Bag(_django_version="5.2.1")]), seed=b"")
    assert found.django_version == "5.2.1"
    assert structural_digest(pickle.dumps(Bag(_django_version=5)), seed=b"").django_version is None


def test_a_dict_that_is_both_a_state_and_a_value_keeps_its_version_as_a_value() -> None:
    def both(version: str) -> str:
        bag = Bag(_django_version=version)
        return digest_of([bag, bag.__dict__])

    assert both("5.2") != both("6.1")
