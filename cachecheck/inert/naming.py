"""What a place in a value is called where others see it: a name, or a digest in its stead.

Values never leave a node, and a key of a dict can be one: an address, a number, a token. So only
what looks like a name that a programmer chose is shown; all else is told by a digest under the
seed, by which two nodes can still compare it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, assert_never

from cachecheck.inert.branches import Index, Member, Name, key_of
from cachecheck.inert.nodes import BYTES, INT, MAX_NAME_BYTES, TEXT, raw_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.inert.branches import Place
    from cachecheck.inert.nodes import Value

NAME_DIGITS: Final = 10
MOST_NUMBER: Final = 9_999
_NUMBER: Final = re.compile(rb"i(-?[0-9]{1,5});")
_CHOSEN: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_]{0,39}")
_DIGIT: Final = re.compile(rb"[0-9]")
MOST_DIGITS: Final = 3

Hash: TypeAlias = "Callable[[bytes], bytes]"
IsWithheld: TypeAlias = "Callable[[str], bool]"
"""Says of a name whether it must not be shown."""


class Called(NamedTuple):
    """A step of a path; ``is_withheld`` says that what is below it must stay hidden as well."""

    step: str
    is_withheld: bool = False


def called(place: Place, hashed: Hash, is_withheld: IsWithheld) -> Called:
    """Call a place by its name where that may be shown, else by a digest of it."""
    match place:
        case Index(at=at, is_argument=is_argument):
            return Called(f"({at})" if is_argument else f"[{at}]")
        case Member():
            return Called(f"{{#{name_digits(key_of(place), hashed)}}}")
        case Name():
            return _named(place, f"#{name_digits(key_of(place), hashed)}", is_withheld)
        case _:
            assert_never(place)


def hides(key: Value, is_withheld: IsWithheld) -> bool:
    """Say whether what stands under a key must not be shown, be the key text or bytes.

    Of a long one the beginning and the end are judged.
    """
    raw = raw_of(key, TEXT) or raw_of(key, BYTES) or b""
    ends = {raw[:MAX_NAME_BYTES], raw[-MAX_NAME_BYTES:]}
    return any(is_withheld(end.decode("utf-8", "replace")) for end in ends)


def name_digits(key: bytes, hashed: Hash) -> str:
    """Give the digits of the digest that stands for a name."""
    return hashed(b"?" + key).hex()[:NAME_DIGITS]


def _named(place: Name, digest: str, is_withheld: IsWithheld) -> Called:
    key = place.key
    number = _NUMBER.fullmatch(key) if isinstance(key, bytes) and key[:1] == INT else None
    if number and abs(int(number[1])) <= MOST_NUMBER:
        return Called(f"[{int(number[1])}]")
    if hides(key, is_withheld):
        return Called(f"[{digest}]", is_withheld=True)
    raw = raw_of(key, TEXT)
    if raw is None:
        return Called(f"[{digest}]")
    if _CHOSEN.fullmatch(raw) and (place.is_attribute or _looks_chosen(raw)):
        return Called(f".{raw.decode()}")
    return Called(f"[{digest}]")


def _looks_chosen(name: bytes) -> bool:
    """Whether a name has few digits: with many it is rather a token, or a number with a letter."""
    return len(_DIGIT.findall(name)) <= MOST_DIGITS
