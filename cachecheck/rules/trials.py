"""What rules are given of canaries: what became of each thing that was tried, in frozen values.

Times are in seconds. What could not be tried, or not to its end, is in sentences of its own: it is
never a statement about the cache.
"""

from __future__ import annotations

from typing import Literal

from cachecheck.model import Value
from cachecheck.rules.observations import View

Life = Literal["honoured", "early", "late", "untouched"]
What = Literal["text", "none", "unicode", "large", "overwrite", "delete"]
Fate = Literal["seen", "absent", "old", "other", "unwritten", "unread"]


class Sighting(Value, frozen=True, kw_only=True):
    """What became of one write through ``writer``, looked for through ``reader``.

    ``seen``: as it was written, or gone after a delete. It was surely not for ``least_lag_seconds``
    after the write, and was after ``lag_seconds``: 0 where the first look saw it already, which
    came ``first_look_seconds`` after the write. ``absent``, ``old`` (what was there before) and
    ``other`` (what nobody wrote) stood until ``persisted_seconds`` were over. ``unwritten``: the
    write raised ``error``, or its client said that it was not done; ``unread``: reading raised it.
    """

    what: What
    writer: View
    reader: View
    fate: Fate
    lag_seconds: float = 0.0
    least_lag_seconds: float = 0.0
    first_look_seconds: float = 0.0
    looked: int = 0
    persisted_seconds: float = 0.0
    error: str | None = None


class Race(Value, frozen=True, kw_only=True):
    """``add`` of fresh keys through all ``views`` at once.

    ``winners`` holds, for each key, the views in which it succeeded, in which it did twice twice.
    ``rounds`` were raced, and in ``broken_rounds`` of them some key was won more than once.
    """

    views: tuple[View, ...]
    winners: tuple[tuple[View, ...], ...]
    rounds: int
    broken_rounds: int


class Counting(Value, frozen=True, kw_only=True):
    """``incr`` of one key through all ``views`` at once.

    From ``least`` to ``most`` increments were done: of one that raised nothing is known. ``read``
    is what each view said of the number at last, None: no number.
    """

    views: tuple[View, ...]
    least: int
    most: int
    read: tuple[tuple[View, int | None], ...]
    looked: int
    persisted_seconds: float


class Lasting(Value, frozen=True, kw_only=True):
    """How long an entry lived, in the view that wrote it with a timeout of ``asked_seconds``.

    ``early``: it was seen, and gone ``after_seconds`` after the write. ``late``: it was still there
    then. ``untouched``: it was gone although ``touch`` had prolonged it.
    """

    view: View
    fate: Life
    asked_seconds: float
    after_seconds: float
    tries: int


class Trial(Value, frozen=True, kw_only=True):
    """One cache of one application, as a canary found it through ``views``.

    ``pairs`` counts the ordered pairs of views that are meant to share a store, of which
    ``pairs_chosen`` were tried. ``undecided`` says what could not be tried, ``notes`` what came and
    went again.
    """

    cache: str
    application: str
    views: tuple[View, ...]
    pairs: int
    pairs_chosen: int
    sightings: tuple[Sighting, ...] = ()
    races: tuple[Race, ...] = ()
    countings: tuple[Counting, ...] = ()
    lastings: tuple[Lasting, ...] = ()
    undecided: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
