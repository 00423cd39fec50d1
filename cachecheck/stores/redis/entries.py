"""The commands that read a batch of keys, and what their answers mean.

GET and the expiry are two commands: a value that is replaced in between is in flight, and is looked
at again. The expiries are asked first, next to TIME where they are relative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from cachecheck.model import Failed, Missing
from cachecheck.stores.base import Stored, Weight
from cachecheck.stores.redis.failures import reading_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cachecheck.stores.base import RawReading

Command: TypeAlias = tuple[str | bytes, ...]
Size: TypeAlias = int | Failed
Expiry: TypeAlias = float | Missing | Failed | None

NO_KEY = -2
_NO_EXPIRY = -1


class ExpiryMethod(Protocol):
    """How expiries are asked for: by ``command`` for each key, after ``leading`` ones."""

    command: str
    leading: tuple[Command, ...]
    resolution_seconds: float

    def commands(self, keys: Sequence[bytes]) -> list[Command]:
        """Give the commands that ask for the expiries of these keys."""
        ...

    def expiries(self, answers: Sequence[Any]) -> list[Expiry]:
        """Give the expiries, in order of the keys, from the answers to those commands."""
        ...

    def since_ms(self, told: Sequence[Any]) -> int:
        """Give what is added to an answer in milliseconds; ``told`` answers ``leading``."""
        ...


class Absolute:
    """PEXPIRETIME, from Redis 7.0 on: the same on every replica and at every moment."""

    command = "PEXPIRETIME"
    leading: tuple[Command, ...] = ()
    resolution_seconds = 0.001

    def commands(self, keys: Sequence[bytes]) -> list[Command]:
        """Give the commands that ask for the expiries of these keys."""
        return [(self.command, key) for key in keys]

    def expiries(self, answers: Sequence[Any]) -> list[Expiry]:
        """Give the expiries, in order of the keys, from the answers to those commands."""
        return [_expiry(self.command, answer, 0.0) for answer in answers]

    def since_ms(self, told: Sequence[Any]) -> int:
        """Give 0: the answers are absolute."""
        del told
        return 0


class Relative:
    """PTTL, added to the server's clock, or to the node's where TIME is denied."""

    command = "PTTL"
    leading: tuple[Command, ...] = (("TIME",),)
    resolution_seconds = 0.01

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def commands(self, keys: Sequence[bytes]) -> list[Command]:
        """Give the commands that ask for the expiries of these keys."""
        return [*self.leading, *((self.command, key) for key in keys)]

    def expiries(self, answers: Sequence[Any]) -> list[Expiry]:
        """Give the expiries, in order of the keys, from the answers to those commands."""
        told, *remaining = answers
        now = self._now(told)
        return [_expiry(self.command, answer, now) for answer in remaining]

    def since_ms(self, told: Sequence[Any]) -> int:
        """Give the server's clock."""
        return round(self._now(told[0]) * 1000)

    def _now(self, told: Any) -> float:
        return self._clock() if isinstance(told, Exception) else server_time(told)


def server_time(answer: tuple[int, int]) -> float:
    """Give the seconds since the epoch that TIME answered."""
    return int(answer[0]) + int(answer[1]) / 1e6


def size(answer: Any, limit_bytes: int) -> Size:
    """Judge an answer to STRLEN: a size that may be read, or why the value is not read."""
    if isinstance(answer, Exception):
        return reading_of(answer, "STRLEN")
    if answer > limit_bytes:
        return Failed(reason="too-large", detail=f"{answer} bytes, more than {limit_bytes}")
    return int(answer)


def entry(value: Any, expiry: Expiry) -> RawReading:
    """Join an answer to GET with an expiry."""
    if isinstance(value, Exception):
        return reading_of(value, "GET")
    if value is None:
        return Missing()
    if isinstance(expiry, Missing | Failed):
        return expiry
    return Stored(value=value, expires_at=expiry)


def stored_by_redis(made: Any) -> Stored:
    """Give what a Redis keeps of what a serializer made: numbers as digits, text in UTF-8."""
    value = made if isinstance(made, bytes) else str(made).encode()
    return Stored(value=value, expires_at=None)


def weight(kind: Any, memory: Any, expiry: Expiry) -> Weight | None:
    """Join the answers to TYPE and MEMORY USAGE with an expiry; None for what is no cache value."""
    is_string = kind in {b"string", "string"}
    if not is_string or not isinstance(memory, int) or isinstance(expiry, Missing | Failed):
        return None
    return Weight(memory, expiry)


def _expiry(command: str, answer: Any, since: float) -> Expiry:
    if isinstance(answer, Exception):
        return reading_of(answer, command)
    if answer == _NO_EXPIRY:
        return None
    return Missing() if answer == NO_KEY else since + int(answer) / 1000
