"""How one Redis server is asked: over connections of our own, all errors as ``StoreError``."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from cachecheck.errors import StoreError, StoreUnreachable
from cachecheck.stores.redis.entries import NO_KEY, Absolute, Relative
from cachecheck.stores.redis.failures import foreign_exceptions, translate, was_refused
from cachecheck.stores.redis.pool import close_client
from cachecheck.stores.redis.wire import Wire, pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import redis

    from cachecheck.stores.redis.entries import Command, ExpiryMethod
    from cachecheck.stores.redis.facts import Info

NO_TOUCH: Command = ("CLIENT", "NO-TOUCH", "ON")
_MOST_BYTES = 64 << 20
_KEYED = {"STRLEN", "GET", "PEXPIRETIME", "PTTL", "TYPE"}


class Server:
    """A server, over the client that ``connect`` makes on first need.

    ``moved`` is told how many hits and misses our commands have moved. Once the server could
    not be reached it is not tried again until ``close``: a dead server costs one timeout.
    ``expiry`` is how expiries are asked for, as far as is known by now.
    """

    def __init__(
        self,
        connect: Callable[[], redis.Redis],
        clock: Callable[[], float] = time.time,
        moved: Callable[[int, int], None] = lambda _hits, _misses: None,
    ) -> None:
        self.clock = clock
        self.expiry: ExpiryMethod = Absolute()
        self.moved = moved
        self._connect = connect
        self._client: redis.Redis | None = None
        self._lost: str | None = None
        self._leaves_recency: bool | None = None

    def ask(self, *command: str | bytes | int) -> Any:
        """Send one command."""
        with self.translated(str(command[0])):
            return self.client().execute_command(*command)

    def info(self) -> Info:
        """Ask for what the server says of itself."""
        info: Info = self.ask("INFO")
        return info

    def pipeline(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands in one go; answers that are errors are given as exceptions."""
        before: tuple[Command, ...] = (NO_TOUCH,) if self.is_left_untouched() else ()
        answers = self._exchange((*before, *commands))[len(before) :]
        found = [
            _is_hit(answer)
            for command, answer in zip(commands, answers, strict=True)
            if command[0] in _KEYED and not was_refused(answer)
        ]
        self.moved(sum(found), len(found) - sum(found))
        return answers

    def is_left_untouched(self) -> bool:
        """Say whether this server (7.2 or newer) reads for us without moving idle times.

        It holds for a connection, so it is sent again ahead of every batch.
        """
        if self._leaves_recency is None:
            try:
                (answer,) = self._exchange((NO_TOUCH,))
            except StoreUnreachable:
                return False
            except StoreError:
                self._leaves_recency = False
            else:
                self._leaves_recency = not isinstance(answer, Exception)
        return self._leaves_recency

    def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        packed = b"".join(pack(*map(_bytes, command)) for command in commands)
        with self.translated("reading"), closing(Wire(self.client())) as wire:
            return wire.exchange(packed, len(commands), _MOST_BYTES)

    def ask_expiries_relatively(self) -> None:
        """Note that the server does not know, or forbids, absolute expiries."""
        self.expiry = Relative(self.clock)

    def close(self) -> None:
        """Close our connections; the client is made anew on the next need."""
        client, self._client, self._lost = self._client, None, None
        if client is not None:
            close_client(client)

    @contextmanager
    def translated(self, command: str) -> Iterator[None]:
        """Translate what redis-py raises; refuse at once where the server was lost."""
        if self._lost is not None:
            raise StoreUnreachable(self._lost)
        try:
            yield
        except foreign_exceptions() as exc:
            raise self._noted(translate(exc, command)) from None  # its text may quote what was sent
        except MemoryError:  # hiredis, of an answer that claims to have a thousand million parts
            raise StoreError("it answers what there is no memory for") from None
        except (TypeError, ValueError):  # redis-py makes connections of them when they are needed
            raise StoreError("its parameters are not valid") from None

    def _noted(self, error: StoreError) -> StoreError:
        """Note that the server was lost, if it was.

        Whoever raises an error keeps no name for it: it would keep the frames that it went through,
        and all that a walk holds, until garbage is looked for.
        """
        if isinstance(error, StoreUnreachable):
            self._lost = error.reason
        return error

    def client(self) -> Any:
        """Give the client, making it on first need."""
        if self._client is None:
            self._client = self._connect()
        return self._client


def _bytes(part: str | bytes) -> bytes:
    return part.encode() if isinstance(part, str) else part


def _is_hit(answer: object) -> bool:
    """Say whether the key was there: by value, length, expiry or type, whichever was asked for.

    A length of 0 may also be that of an empty string, which no cache stores.
    """
    return answer not in (None, 0, NO_KEY, b"none", "none")
