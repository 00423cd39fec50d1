"""Payloads that would run code, or take time or memory without end, in a careless reader."""

from __future__ import annotations

PROTO = b"\x80\x04"
MILLION = 1_000_000


def long_text(length: int) -> bytes:
    return b"X" + length.to_bytes(4, "little") + b"a" * length


def laughs(levels: int) -> bytes:
    """Give lists of nine times the list before: 9**levels leaves, were they written out."""
    lines = b"".join(b"(" + b"h%c" % at * 9 + b"l\x94" for at in range(levels))
    return PROTO + b"(]\x94" + lines + b"l."


def dense_cycle(size: int) -> bytes:
    """Give lists, each of which holds all of them."""
    everything = b"".join(b"h%c" % at for at in range(size))
    filled = b"".join(b"0h%c(%be" % (at, everything) for at in range(size))
    return PROTO + b"0".join([b"]\x94"] * size) + filled + b"."


RUNS_CODE = {
    "os.system": b"cos\nsystem\n(V echo owned\ntR.",
    "posix.system by STACK_GLOBAL": PROTO + b"\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
    "exec": PROTO + b"cbuiltins\nexec\n\x8c\x0bimport this\x85R.",
    "eval below protocol 3": b"\x80\x02c__builtin__\neval\nX\x03\0\0\x001/0\x85R.",
    "subprocess": PROTO + b"csubprocess\nPopen\n((\x8c\x04trueltR.",
    "a call of what a call gave": PROTO + b"cbuiltins\n__import__\n\x8c\x02os\x85R\x8c\x01x\x85R.",
    "getattr of a call": PROTO
    + b"cbuiltins\ngetattr\ncbuiltins\n__import__\n\x8c\x02os\x85R\x8c\x06system\x86R"
    + b"\x8c\x02id\x85R.",
    "NEWOBJ": PROTO + b"csubprocess\nPopen\n\x8c\x04true\x85\x81.",
    "NEWOBJ_EX": PROTO + b"csubprocess\nPopen\n)}\x8c\x04args\x8c\x04trues\x92.",
    "BUILD on an object": PROTO + b"cthis\nZen\n)\x81}\x8c\x09__class__cantigravity\nfly\nsb.",
    "a module that does harm when imported": PROTO + b"cantigravity\nfly\n.",
    "partial of a __new__": PROTO
    + b"cfunctools\npartial\ncos\nx\n\x85R(cos\nx.__new__\ncos\nsystem\n\x8c\x02id\x86}Ntb)R.",
    "_reconstructor": PROTO + b"ccopyreg\n_reconstructor\ncos\nsystem\ncbuiltins\nobject\nN\x87R.",
    "__newobj__": PROTO + b"ccopyreg\n__newobj__\ncos\nsystem\n\x8c\x02id\x86R.",
}
"""Told as structure, since well formed; nothing of it may run."""

OUTSIDE = {
    "EXT1": PROTO + b"\x82\x01.",
    "EXT2": PROTO + b"\x83\x01\0.",
    "EXT4": PROTO + b"\x84\x01\0\0\0.",
    "persistent id": b"Pid\n.",
    "binary persistent id": PROTO + b"\x8c\x02idQ.",
    "out-of-band buffer": b"\x80\x05\x97.",
    "read-only buffer": b"\x80\x05N\x98.",
    "INST": b"(V id\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nV id\no.",
    "string of Python 2": b"S'id'\n.",
}

MALFORMED = {
    "nothing": b"",
    "no opcode": b"\xff.",
    "cut short": b"K",
    "no STOP": b"N",
    "empty stack": b".",
    "a mark only": b"(.",
    "a mark left over": b"(N.",
    "values left over": b"NN.",
    "unknown protocol": b"\x80\x06N.",
    "unknown memo entry": b"h\x05.",
    "unknown memo entry by text": b"g5\n.",
    "no memo entry by text": b"gx\n.",
    "negative memo entry": b"]p-1\n.",
    "no mark": b"]\x90.",
    "pop of nothing": b"0.",
    "tuple of nothing": b"\x85.",
    "tuple of too few": b"(N\x86.",
    "append to a number": b"K\x01Na.",
    "append to a dict": b"}Na.",
    "item for a list": b"]NNs.",
    "items for a tuple": b")(NNu.",
    "members for a frozenset": b"(\x91(N\x90.",
    "key without value": b"}(Nu.",
    "dict of a key alone": b"(Nd.",
    "key without value for an object": b"ca\nb\n)\x81(Nu.",
    "call of a number": b"K\x01)R.",
    "call of a text": b"\x8c\x01a)R.",
    "call with a list": b"ca\nb\n]R.",
    "NEWOBJ with a list": b"ca\nb\n]\x81.",
    "NEWOBJ of a number": b"K\x01)\x81.",
    "NEWOBJ_EX without a dict": b"ca\nb\n)N\x92.",
    "state for a list": b"]}b.",
    "state for a global": b"ca\nb\n}b.",
    "name of a number": b"K\x01K\x01\x93.",
    "text that is no UTF-8": b"\x8c\x01\xff.",
    "long text that is no UTF-8": b"X" + MILLION.to_bytes(4, "little") + b"\xc3" * MILLION + b".",
    "name that is no UTF-8": b"c\xff\nb\n.",
    "escape that is none": b"V\\uzzzz\n.",
    "escape past Unicode": b"V\\Uffffffff\n.",
    "number that is none": b"Ione\n.",
    "number with underscores": b"I1_0\n.",
    "number in other digits": "I\u0661\n.".encode(),
    "float that is none": b"Fone\n.",
    "no end of line": b"I1",
    "latin1 of what is not": PROTO + b"c_codecs\nencode\n\x8c\x03\xe2\x82\xac\x8c\x06latin1\x86R.",
    "frame past the end": b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xffN.",
    "declared text of 4 GB": b"X\xff\xff\xff\xffa.",
    "declared text of 16 EB": b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffa.",
    "declared bytes of 16 EB": b"\x8e\xff\xff\xff\xff\xff\xff\xff\xffa.",
    "declared bytearray of 16 EB": b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\xffa.",
    "declared bytes of 4 GB": b"B\xff\xff\xff\xffa.",
}

TOO_LARGE = {
    "declared integer of 4 GB": b"\x8b\xff\xff\xff\xffa.",
    "decimal of five million digits": b"I" + b"9" * 5 * MILLION + b"\n.",
    "long decimal of five million digits": b"L" + b"9" * 5 * MILLION + b"L\n.",
    "float of a million digits": b"F" + b"9" * MILLION + b"\n.",
    "memo index of a million digits": b"Np" + b"9" * MILLION + b"\n.",
    "memo index of 4 billion": b"Nr\xff\xff\xff\xff.",
    "memo index by text": b"Np4294967295\n.",
    "deep lists": PROTO + b"]" * 100_000 + b"a" * 99_999 + b".",
    "deep tuples": PROTO + b"N" + b"\x85" * 100_000 + b".",
    "tuples as keys of dicts": PROTO + b"}N" + b"\x85" * 1000 + b"Ns.",
    "deep calls": PROTO + b"ca\nb\n" + b")R" * 1000 + b".",
    "deep states": PROTO + b"ca\nb\n)\x81" * 500 + b"b" * 499 + b".",
    "many marks": PROTO + b"(" * 500_000 + b".",
    "many empty lists": PROTO + b"(" + b"]" * 500_000 + b"l.",
    "tuples as deep as operations allow": PROTO + b"N" + b"\x85" * 199_000 + b".",
    "calls as deep as operations allow": PROTO + b"ca\nb\n" + b")R" * 132_000 + b".",
    "copies of a set": PROTO
    + b"cbuiltins\nset\n\x940("
    + b"K\x01" * 5000
    + b"l\x940("
    + b"h\0h\1\x85R" * 50_000
    + b"l.",
    "copies of a tuple": PROTO
    + b"ccopyreg\n__newobj__\n\x940(ca\nb\n"
    + b"K\x01" * 5000
    + b"t\x940("
    + b"h\0h\1R" * 50_000
    + b"l.",
    "copies of a dict": b"\x80\x02ccopy_reg\n_reconstructor\nq\x000(ca\nb\nc__builtin__\ndict\n}("
    + b"K\x01K\x02" * 3000
    + b"utq\x010("
    + b"h\0h\1R" * 50_000
    + b"l.",
    "hashes of one long text": PROTO
    + b"cbuiltins\nbytearray\n\x940B"
    + MILLION.to_bytes(4, "little")
    + b"a" * MILLION
    + b"\x940("
    + b"h\0h\1\x85R" * 60_000
    + b"l.",
    "many long names": PROTO
    + b"\x8c\xff"
    + b"m" * 255
    + b"\x940("
    + b"h\0h\0\x93" * 60_000
    + b"l.",
    "a name of a kilobyte": b"c" + b"m" * 600 + b"\n" + b"n" * 600 + b"\n.",
    "name grown by getattr": PROTO
    + b"cbuiltins\ngetattr\n\x940\x8c\xc8"
    + b"n" * 200
    + b"\x940h\0h\0h\0ca\nb\nh\1\x86Rh\1\x86Rh\1\x86R.",
}

DENSE = {
    "tuples": PROTO + b"(" + b"N\x85" * 132_000 + b"l.",
    "lists from marks": PROTO + b"(" + b"(l" * 132_000 + b"l.",
    "empty lists": PROTO + b"(" + b"]" * 132_000 + b"l.",
    "calls": PROTO + b"ca\nb\n\x940(" + b"h\0)R" * 99_000 + b"l.",
    "objects": PROTO + b"ca\nb\n\x940(" + b"h\0)\x81" * 99_000 + b"l.",
    "texts": PROTO + b"(" + b"\x8c\x01a" * 398_000 + b"l.",
    "memo entries": PROTO + b"N" + b"\x94" * 398_000 + b".",
}
"""Told as structure, each with as much as the bound on operations lets in."""

HARMLESS = {
    "billion laughs": laughs(80),
    "a list that holds itself a thousand times": PROTO + b"]\x94(" + b"h\0" * 1000 + b"e.",
    "a dict that is its own key": PROTO + b"}\x94h\0h\0s.",
    "sixty lists that hold one another": dense_cycle(60),
    "one long text ten thousand times": PROTO
    + long_text(MILLION)
    + b"\x940("
    + b"h\0" * 10_000
    + b"l.",
    "one long text encoded ten thousand times": PROTO
    + b"c_codecs\nencode\n\x940"
    + long_text(MILLION)
    + b"\x940\x8c\x06latin1\x940("
    + b"h\0h\1h\2\x86R" * 10_000
    + b"l.",
    "one long text as a codec ten thousand times": PROTO
    + b"c_codecs\nencode\n\x940"
    + long_text(MILLION)
    + b"\x940("
    + b"h\0h\1h\1\x86R" * 10_000
    + b"l.",
    "one state for ten thousand objects": PROTO
    + b"}\x94("
    + b"K\x01K\x02" * 5000
    + b"u0ca\nb\n\x940("
    + b"h\1)\x81h\0b" * 10_000
    + b"l.",
    "keys that Python would hash alike": PROTO
    + b"}("
    + b"".join(
        b"\x8a\x0a" + (key * (2**61 - 1)).to_bytes(10, "little") + b"N" for key in range(20_000)
    )
    + b"u.",
    "nested tuples as keys, shared": PROTO
    + b"}N\x94"
    + b"".join(b"h%c\x86\x94" % at for at in range(60))
    + b"Ns.",
    "an unhashable key": PROTO + b"}]Ns.",
    "one key twice": PROTO + b"}(K\x01NK\x01\x88u.",
}
