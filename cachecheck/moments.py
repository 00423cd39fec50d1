"""Moments as a report writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(moment: float) -> str:
    """Write seconds since the epoch as ISO 8601 in UTC, in whole seconds.

    Raises ValueError outside of the years 1 to 9999.
    """
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
