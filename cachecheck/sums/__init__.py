"""Sums over every entry of a store, in keyed buckets, and the rows of buckets that differ.

A bucket is chosen by the first bits of a key's keyed digest. It holds how many entries there are,
the sum modulo 2^128 of keyed digests over key, stored bytes, flags and whether the entry expires,
and for expiries e four lanes, the sums modulo 2^32 of h64(key) · ⌊(e + g·lane/4) / lane⌋ for
g = 0…3. Two stores agree in a bucket when counts and sums agree and at least one lane does: their
expiries are then less than a lane apart, one by one. A plain sum of expiries would let +600 s and
-600 s cancel. Sums are added up in any order and grouping.

::

    summer ──► buckets   what is summed and how; sums packed, added up, compared
       └─────► rows      entries of some buckets, one by one
                 ▲
              listing    what was listed of a store, looked through
"""

from __future__ import annotations

from cachecheck.sums.buckets import (
    BUCKET_BYTES,
    LANES,
    MAX_BUCKETS,
    MIN_BUCKETS,
    NEVER,
    Buckets,
    Summing,
    Sums,
    add_up,
    bitmap_of,
    bucket_count,
    counts,
    differing,
    empty,
)
from cachecheck.sums.listing import Listing, rows_of
from cachecheck.sums.rows import (
    KEY_BYTES,
    LENGTH_BITS,
    MAX_NAMES_BYTES,
    ROW_BYTES,
    Kept,
    Listed,
    Row,
    by_rows,
    row_of,
)
from cachecheck.sums.summer import Summer
from cachecheck.sums.terms import Kind

__all__ = [
    "BUCKET_BYTES",
    "KEY_BYTES",
    "LANES",
    "LENGTH_BITS",
    "MAX_BUCKETS",
    "MAX_NAMES_BYTES",
    "MIN_BUCKETS",
    "NEVER",
    "ROW_BYTES",
    "Buckets",
    "Kept",
    "Kind",
    "Listed",
    "Listing",
    "Row",
    "Summer",
    "Summing",
    "Sums",
    "add_up",
    "bitmap_of",
    "bucket_count",
    "by_rows",
    "counts",
    "differing",
    "empty",
    "row_of",
    "rows_of",
]
