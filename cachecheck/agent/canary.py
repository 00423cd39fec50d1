"""Make a move of a canary: use a cache as the application does, under keys of the run's own.

What is tried is the site's own client, so steps go through ``caches[alias]``; its hits and misses
are not counted. No other key can be named, no entry lives longer than a minute, and a copy of a
move that wrote is answered from memory and not made again.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cachecheck.agent.counting import uncounted
from cachecheck.agent.demands import Unmet
from cachecheck.agent.moves import Moves
from cachecheck.model import LONGEST_SECONDS, CanaryResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.core.cache.backends.base import BaseCache

    from cachecheck.agent.conf import Conf
    from cachecheck.model import CanaryOutcome, CanaryStep, CanaryValue, Nonce
    from cachecheck.stores.base import Pace
    from cachecheck.wire import Canary

PREFIX = "cachecheck:canary:"
LARGE_BYTES = 1_500_000
_MOST_COUNTED = 10**6
_UNICODE_TAIL = ":ключ-é-✓"
_RUN = re.compile(r"[0-9a-f]{16,64}")
_MISSING = object()

_moves = Moves()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_moves.reset)


def demand_canary(request: Canary, conf: Conf) -> None:
    """Raise ``Unmet`` where this node lets no canary out, or the request may not be for one."""
    if not conf.allows_canary:
        raise Unmet(
            "not-allowed",
            "this node lets no canary write: set CACHECHECK['ALLOW_CANARY'] = True in its settings",
        )
    if not request.audience:
        raise Unmet("bad-request", "a canary without an audience")
    if not _RUN.fullmatch(request.run):
        raise Unmet("bad-request", "a canary of a run whose id is not hexadecimal")


def make_move(
    cache: BaseCache, request: Canary, worker: str, conf: Conf, pace: Pace
) -> tuple[tuple[CanaryResult, ...], int]:
    """Make the steps that are for this worker until the budget is spent, at least one.

    Gives what came of them, and how many are left. Raises ``Unmet`` (busy) while a copy of the move
    is being made, or where too many are remembered.
    """
    steps = tuple(step for step in request.steps if step.worker in {None, worker})

    def make() -> tuple[CanaryResult, ...]:
        with _lasting(cache):
            return tuple(_until_spent(uncounted(cache), request.run, steps, pace))

    if all(step.operation == "get" for step in steps):
        results = make()
    else:
        results = _moves.once(
            (request.run, request.cache, request.move),
            steps,
            make,
            keep_seconds=2.0 * conf.max_age_seconds,
        )
    return results, len(steps) - len(results)


@contextmanager
def _lasting(cache: BaseCache) -> Iterator[None]:
    """Bound the timeout of entries that are written without one.

    ``BaseCache.incr()``, which FileBasedCache and DatabaseCache have, sets its key anew with the
    default. Backend objects belong to one thread or task, so no other write is concerned.
    """
    default_timeout = cache.default_timeout
    cache.default_timeout = LONGEST_SECONDS
    try:
        yield
    finally:
        cache.default_timeout = default_timeout


def _until_spent(
    cache: BaseCache, run: str, steps: tuple[CanaryStep, ...], pace: Pace
) -> Iterator[CanaryResult]:
    for step in steps:
        yield _made(cache, f"{PREFIX}{run}:{step.name}", step)
        if not pace():
            return


def _made(cache: BaseCache, key: str, step: CanaryStep) -> CanaryResult:
    """Make one step; what the client raises is told by its type alone."""
    key += _UNICODE_TAIL if step.value == "unicode" else ""
    started = time.perf_counter()
    try:
        found = _MAKE[step.operation](cache, key, step)
    except Exception as exc:  # noqa: BLE001  the boundary to a client of the site's own
        found = {"outcome": "failed", "error": type(exc).__name__[:200]}
    return CanaryResult(at=time.time(), took_seconds=time.perf_counter() - started, **found)


def _set(cache: BaseCache, key: str, step: CanaryStep) -> dict[str, Any]:
    said: object = cache.set(key, _value_of(step), step.lasts_seconds)  # type: ignore[func-returns-value]  # django-redis says
    return _done(said is None or bool(said))


def _add(cache: BaseCache, key: str, step: CanaryStep) -> dict[str, Any]:
    return _done(bool(cache.add(key, _value_of(step), step.lasts_seconds)))


def _delete(cache: BaseCache, key: str, _step: CanaryStep) -> dict[str, Any]:
    return _done(bool(cache.delete(key)))


def _touch(cache: BaseCache, key: str, step: CanaryStep) -> dict[str, Any]:
    return _done(bool(cache.touch(key, step.lasts_seconds)))


def _incr(cache: BaseCache, key: str, step: CanaryStep) -> dict[str, Any]:
    """Increment as often as asked for, and say how often it was done, whatever ended it."""
    done = 0
    try:
        for _ in range(step.times):
            cache.incr(key)
            done += 1
    except ValueError as exc:
        is_missing = type(exc) is ValueError  # by which Django says that the key is not there
        error = None if is_missing else type(exc).__name__[:200]
        return {"outcome": "missing" if is_missing else "failed", "count": done, "error": error}
    except Exception as exc:  # noqa: BLE001  the boundary to a client of the site's own
        return {"outcome": "failed", "count": done, "error": type(exc).__name__[:200]}
    return {"outcome": "done", "count": done}


def _get(cache: BaseCache, key: str, step: CanaryStep) -> dict[str, Any]:
    """Say of what was found only which nonce made it, or that it is this number."""
    value = cache.get(key, _MISSING)
    if value is _MISSING:
        return {"outcome": "missing"}
    count = value if type(value) is int and 0 <= value <= _MOST_COUNTED else None
    makers = (nonce for nonce in step.nonces if _is(value, make_value(step.value, nonce)))
    return {"outcome": "found", "nonce": next(makers, None), "count": count}


_MAKE: dict[str, Callable[[Any, str, Any], dict[str, Any]]] = {
    "set": _set,
    "get": _get,
    "delete": _delete,
    "add": _add,
    "incr": _incr,
    "touch": _touch,
}


def _done(is_done: bool) -> dict[str, CanaryOutcome]:  # noqa: FBT001  what the client said
    return {"outcome": "done" if is_done else "not-done"}


def _value_of(step: CanaryStep) -> str | int | None:
    return make_value(step.value, step.nonces[0] if step.nonces else "")


def make_value(kind: CanaryValue, nonce: Nonce) -> str | int | None:
    """Make the value of a kind that stands for a nonce; a large one does not compress below 1 MiB.

    None and the number a count begins with are the same for all nonces.
    """
    match kind:
        case "text":
            return f"cachecheck canary {nonce}"
        case "unicode":
            return f"канарейка 金糸雀 café ✓ {nonce}"
        case "none":
            return None
        case "count":
            return 0
        case "large":
            return b64encode(
                hashlib.shake_256(nonce.encode()).digest(LARGE_BYTES * 3 // 4)
            ).decode()


def _is(value: object, made: str | int | None) -> bool:
    return type(value) is type(made) and value == made
