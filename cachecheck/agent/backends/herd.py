"""What HerdClient of django-redis and django-valkey wraps around values (client/herd.py).

An entry with an expiry is the pickle of a marker, the value and the time at which it ends for the
application, which is ``CACHE_HERD_TIMEOUT`` seconds before the server lets go of it.
"""

from __future__ import annotations

import re

_MARKER = rb"(?:django_redis\.client\.herd|django_valkey\.base_client)"
_HEAD = re.compile(
    rb"\x80[\x02-\x05](?:\x95.{8})?"  # protocol and frame
    rb"(?:c" + _MARKER + rb"\nMarker\nq\x00|\x8c." + _MARKER + rb"\x94\x8c\x06Marker\x94\x93\x94)"
    rb"\)\x81(?:q\x01|\x94)",
    re.DOTALL,
)
_TAIL = re.compile(
    rb"(?:GA[\xcd-\xe3].{6}|\x8a\x05.{5}|J.{4})"  # a time: float, long or 32 bits
    rb"\x87(?:\x94|q.|r.{4})\.\Z",  # a tuple of three, remembered
    re.DOTALL,
)
_LONGEST_TAIL = 15


def unwrapped(pickled: bytes) -> bytes:
    """Give the pickle of the value alone, or what was given where it is not wrapped.

    The time and the tuple at the end are written over with as many bytes, which remember the value,
    drop it and the marker, and take it back. So nothing in front of them, frames and references
    included, is touched.
    """
    end = _TAIL.search(pickled, max(0, len(pickled) - _LONGEST_TAIL))
    if end is None or _HEAD.match(pickled) is None:
        return pickled
    length = len(pickled) - end.start()
    remember = b"q\x00" if length % 2 else b"p0\n"
    take_back = b"00h\x00."
    padding = b"N0" * ((length - len(remember) - len(take_back)) // 2)
    return pickled[: end.start()] + padding + remember + take_back
