"""Read the pickled expiry at the head of a cache file without a pickle machine."""

from __future__ import annotations

import math
import struct

MAX_EXPIRY_BYTES = 32


def parse_expiry(head: bytes) -> tuple[float | None, int]:
    """Read the pickle of an expiry from the head of a file; give it and the bytes it took.

    Known are the forms in which Python 3 pickles None, a float or an int below 2^63 by protocols 2
    to 5 (pickletools.py); anything else is a ``ValueError``. An infinite expiry is never.
    """
    try:
        start, framed = _preamble(head)
        expiry, at = _operand(head, start)
        stop = head[at : at + 1]
    except (struct.error, IndexError) as exc:
        raise ValueError("cut short") from exc
    if stop != b"." or framed not in {None, at + 1 - start}:
        raise ValueError("not the pickle of an expiry")
    if expiry is not None and (math.isnan(expiry) or expiry == -math.inf):
        raise ValueError("not a time")
    return (None if expiry == math.inf else expiry), at + 1


def _preamble(head: bytes) -> tuple[int, int | None]:
    """Give where the operations start, and the length of the frame around them."""
    if head[:1] != b"\x80" or head[1] not in range(2, 6):
        raise ValueError("not a pickle of protocol 2 to 5")
    if head[2:3] != b"\x95":
        return 2, None
    (framed,) = struct.unpack_from("<Q", head, 3)
    return 11, framed


def _operand(head: bytes, at: int) -> tuple[float | None, int]:
    operation, at = head[at : at + 1], at + 1
    if operation == b"N":
        return None, at
    if operation == b"\x8a":
        count = head[at]
        number = head[at + 1 : at + 1 + count]
        if len(number) != count or count > 8:  # noqa: PLR2004  bytes of a 64-bit number
            raise ValueError("not a number of at most 64 bits")
        return float(int.from_bytes(number, "little", signed=True)), at + 1 + count
    form = {b"G": ">d", b"J": "<i", b"M": "<H", b"K": "<B"}.get(operation)
    if form is None:
        raise ValueError("neither None nor a number")
    (read,) = struct.unpack_from(form, head, at)
    return float(read), at + struct.calcsize(form)
