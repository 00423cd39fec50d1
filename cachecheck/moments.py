"""Moments as a report writes them."""

from __future__ import annotations

from datetime import UTC, datetime

_FORM = "%Y-%m-%dT%H:%M:%SZ"


def iso(moment: float) -> str:
    """Write seconds since the epoch as ISO 8601 in UTC, in whole seconds.

    Raises ValueError outside of the years 1 to 9999.
    """
    return datetime.fromtimestamp(moment, UTC).strftime(_FORM)


def moment(text: str) -> float | None:
    """Read what ``iso`` writes, as seconds since the epoch; None where it is something else."""
    try:
        return datetime.strptime(text, _FORM).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
