"""What a view said of one entry when it was held against the site's source of truth."""

from __future__ import annotations

from typing import Literal, TypeAlias

from cachecheck.model.readings import Present
from cachecheck.model.values import Text, Value

UntoldReason: TypeAlias = Literal["withheld", "unknown", "failed", "unreadable", "unread"]


class Fresh(Value, tag_field="truth", tag="fresh", frozen=True, kw_only=True):
    """The entry is what the source of truth gives, or there is no entry that could be old."""

    is_present: bool


class Stale(Value, tag_field="truth", tag="stale", frozen=True, kw_only=True):
    """The entry is not what the source of truth gave, before the entry was read and after it.

    ``structure`` and ``kind`` are those of the true value, None where there is no such object.
    """

    entry: Present
    structure: Text | None
    kind: Text | None


class Moving(Value, tag_field="truth", tag="moving", frozen=True, kw_only=True):
    """The source of truth changed while it was asked; it says nothing of the entry."""


class Untold(Value, tag_field="truth", tag="untold", frozen=True, kw_only=True):
    """Nothing can be said of the entry.

    The key is ``withheld``, the function does not know (``unknown``) or ``failed``, a value is
    ``unreadable`` as structure, or the entry was ``unread``.
    """

    reason: UntoldReason
    detail: Text = ""


TruthCheck: TypeAlias = Fresh | Stale | Moving | Untold
