"""Read very many inputs inertly: nothing but our own errors may come of it.

python tests/inert/fuzz.py [INPUTS] [SEED]
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from inert_fuzzing import JSON_SIGNS, OPCODES, mutated, random_opcodes, read, samples

if TYPE_CHECKING:
    from cachecheck.inert.codecs import Codec

ALPHABETS: dict[Codec, list[int]] = {
    "pickle": OPCODES,
    "json": list(JSON_SIGNS),
    "msgpack": list(range(256)),
}
CODECS: list[Codec] = ["pickle", "pickle", "json", "msgpack"]


def main(inputs: int, seed: int) -> None:
    chance = random.Random(seed)
    originals = {codec: samples(codec) for codec in ALPHABETS}
    counts: Counter[str] = Counter()
    slowest = 0.0
    for _ in range(inputs):
        codec = chance.choice(CODECS)
        match chance.randrange(4):
            case 0 if codec == "pickle":
                payload = random_opcodes(chance)
            case 1:
                payload = chance.randbytes(chance.randint(0, 40))
            case _:
                payload = mutated(chance.choice(originals[codec]), chance, ALPHABETS[codec])
        started = time.thread_time()
        found = read(payload, codec)
        slowest = max(slowest, time.thread_time() - started)
        counts[f"{codec} {'refused' if found is None else 'read'}"] += 1
    told = ", ".join(f"{count:,} {what}" for what, count in sorted(counts.items()))
    sys.stdout.write(f"{inputs:,} inputs (seed {seed}): {told}; slowest {slowest * 1000:.0f} ms\n")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *(1_000_000, 1)[len(given) :])
