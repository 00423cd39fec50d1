"""Functions of the site that give the true value of a key, and how often they may be called.

A function of ``CACHECHECK["TRUTH"]`` takes a logical key and returns what the cache should hold
under it. It returns ``UNKNOWN`` where it cannot say, and raises ``KeyError`` or Django's
``ObjectDoesNotExist`` where there is no such object, so that there should be no entry either.
"""

from __future__ import annotations

import logging
import time
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.core.exceptions import ObjectDoesNotExist

from cachecheck.agent.loading import loaded
from cachecheck.model import Untold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cachecheck.agent.setting_values import Truth

log = logging.getLogger("cachecheck.agent")

_MINUTE_SECONDS = 60.0


class _Unknown:
    """The type of ``UNKNOWN``."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
"""What a function returns that cannot say what the value of a key is."""


class Told(NamedTuple):
    """What a function gave: the value; ``is_gone``: there is no such object."""

    value: Any
    is_gone: bool = False


class Allowance:
    """How often functions may be called in this process: so many times a minute, in one go or not.

    What was not used in a minute is not saved up for the next.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Begin with nothing used, also after a fork."""
        self._lock = Lock()
        self._used = 0.0
        self._used_at = self._clock()

    def take(self, per_minute: int) -> bool:
        """Take one call, unless there is none left."""
        with self._lock:
            now = self._clock()
            back = (now - self._used_at) * per_minute / _MINUTE_SECONDS
            self._used, self._used_at = max(0.0, self._used - back), now
            if self._used + 1 > per_minute:
                return False
            self._used += 1
            return True


def truth_for(key: str, truths: Iterable[Truth]) -> Truth | None:
    """Choose the first pattern that a logical key matches."""
    return next((truth for truth in truths if truth.pattern.match(key)), None)


def ask(truth: Truth, key: str) -> Told | Untold:
    """Call the site's function; of what it raises only the type is told."""
    try:
        value = loaded(truth.path)(key)
    except (KeyError, ObjectDoesNotExist):
        return Told(None, is_gone=True)
    except (Exception, SystemExit) as exc:  # noqa: BLE001  the boundary to code of the site's own
        log.warning("the source of truth %s raised %s", truth.path, type(exc).__name__)
        return Untold(reason="failed", detail=f"{truth.path} raised {type(exc).__name__}")
    if value is UNKNOWN:
        return Untold(reason="unknown")
    return Told(value)
