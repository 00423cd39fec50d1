"""Writes that go on while a check looks."""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from harness.redis import RedisServer


class Written:
    """How many writes there were so far, and how many that is a second."""

    def __init__(self) -> None:
        self.count = 0
        self.started = time.monotonic()

    @property
    def per_second(self) -> float:
        return self.count / (time.monotonic() - self.started)


@contextmanager
def writing(
    servers: Sequence[RedisServer], *, per_second: int, keys: int = 500
) -> Iterator[Written]:
    """Write to all servers alike, to so many of the planted keys, until the block ends."""
    stop, written, chance = threading.Event(), Written(), random.Random(1)

    def write() -> None:
        with ExitStack() as opened:
            clients = [opened.enter_context(server.client()) for server in servers]
            while not stop.wait(_seconds_left(written, per_second)):
                written.count += 1
                key = f"catalogue:item:{chance.randrange(keys):07}"
                for client in clients:
                    client.set(key, f"value {written.count}", ex=7200)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield written
    finally:
        stop.set()
        thread.join()


def _seconds_left(written: Written, per_second: int) -> float:
    due = written.started + written.count / per_second
    return max(0.0, due - time.monotonic())
