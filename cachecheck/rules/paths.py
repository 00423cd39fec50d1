"""Where values differ, as evidence: paths as people write them, and how they differ there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cachecheck.model import Key

if TYPE_CHECKING:
    from collections.abc import Callable

    from cachecheck.rules.observations import Located

WHOLE = "."
"""The path of the whole value."""

_SLICE = re.compile(r"\[(-?[0-9]+:[0-9]+|#[0-9a-f]+\*)\]")


def is_slice(step: str) -> bool:
    """Whether a step only leads to a part of many places, and is no place of the value."""
    return _SLICE.fullmatch(step) is not None


def differs_at(located: Located | None, show: Callable[[Key], str]) -> dict[str, object]:
    """Give ``differs_at``, the paths; ``differs_how``, for those of which more can be said.

    ``show`` says how a name may be shown, as it does for keys.
    """
    if located is None:
        return {}
    shown = [(_path(spot.steps, show), spot.how) for spot in located.spots]
    evidence: dict[str, object] = {"differs_at": list(dict.fromkeys(path for path, _ in shown))}
    how = {path: how for path, how in shown if how is not None}
    if how:
        evidence["differs_how"] = how
    if located.left_out:
        evidence["differs_at_left_out"] = located.left_out
    return evidence


def _path(steps: tuple[str, ...], show: Callable[[Key], str]) -> str:
    """Write a path; a slice is left out, unless it is all that is known of the place."""
    *way, last = steps or ("",)
    told = [step for step in way if not is_slice(step)]
    return "".join(_shown(step, show) for step in (*told, last)) or WHOLE


def _shown(step: str, show: Callable[[Key], str]) -> str:
    if not step.startswith("."):
        return step
    return f".{show(Key(name=step[1:]))}"
