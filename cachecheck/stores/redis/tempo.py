"""How many keys are asked for at once, and when to pause: pure arithmetic on what was measured."""

from __future__ import annotations

FEWEST_KEYS, FIRST_KEYS, MOST_KEYS = 10, 200, 1000
GENTLE_KEYS = 100  # on a node: its application waits while the server answers us
TARGET_SECONDS = 0.005
MOST_BYTES = 4 << 20

_SLOWDOWN = 5.0
_SLOW_SECONDS = 0.025  # below it a round may only have waited for a processor of ours
_PATIENT_ROUNDS = 2
_MOST_PAUSE_SECONDS = 0.25


class Tempo:
    """Chooses ``keys`` so that the server answers in some 5 ms, as pt-table-checksum does.

    The number is doubled or halved between 10 and ``most_keys``; large values lower it further,
    down to one. Where each key takes several times longer than it did at best, although fewer are
    asked for, the server is busy: pauses then grow from round to round and are bounded.
    """

    def __init__(self, most_keys: int = MOST_KEYS) -> None:
        self._most_keys = most_keys
        self.keys = min(FIRST_KEYS, most_keys)
        self._best_seconds: float | None = None
        self._slow_rounds = 0

    def took(self, seconds: float, keys: int, value_bytes: int) -> float:
        """Note what one round over so many keys took; give the seconds to pause before the next.

        ``seconds`` are those of the server: what the way there and back takes is no work of its.
        """
        if seconds > TARGET_SECONDS:
            self.keys = max(min(FEWEST_KEYS, self.keys), self.keys // 2)
        elif seconds < TARGET_SECONDS / 2:
            self.keys = min(self._most_keys, self.keys * 2)
        if keys:
            self.keys = max(1, min(self.keys, MOST_BYTES * keys // max(1, value_bytes)))
        return self._pause(seconds, keys)

    def weighs_too_much(self, keys: int, value_bytes: int) -> None:
        """Note that so many keys are too large to be taken at once: ask for far fewer."""
        self.keys = max(1, min(self.keys // 2, keys * MOST_BYTES // (2 * max(1, value_bytes))))

    def _pause(self, seconds: float, keys: int) -> float:
        if keys < FEWEST_KEYS:  # the round trip says little of a key
            return 0.0
        each = seconds / keys
        if self._best_seconds is None or each < self._best_seconds:
            self._best_seconds = each
        if seconds <= _SLOW_SECONDS or each <= _SLOWDOWN * self._best_seconds:
            self._slow_rounds = 0
            return 0.0
        self._slow_rounds += 1
        if self._slow_rounds <= _PATIENT_ROUNDS:
            return 0.0
        doubled = seconds * float(1 << min(self._slow_rounds - _PATIENT_ROUNDS - 1, 10))
        return min(_MOST_PAUSE_SECONDS, doubled)
