"""Numbers in words for people: counts, durations, sizes, shares and times."""

from __future__ import annotations

import math
from datetime import UTC, datetime

_MINUTE = 60
_HOUR = 3600
_DAY = 86_400
_LONGEST = 10_000 * _DAY
_UNITS = (
    (_DAY, "d", _HOUR, "h"),
    (_HOUR, "h", _MINUTE, "min"),
    (_MINUTE, "min", 1, "s"),
)
_SMALLEST_PERCENT = 0.01
_SIZES = ("KiB", "MiB", "GiB", "TiB")


def count(number: int) -> str:
    """Group digits by thousands: ``120,331``."""
    return f"{number:,}"


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """Count things: ``1 error``, ``2 errors``; ``nouns`` where an s does not do."""
    return f"{count(number)} {noun if number == 1 else nouns or noun + 's'}"


def listed(parts: tuple[str, ...] | list[str]) -> str:
    """Join parts as a sentence does: ``a, b and c``."""
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def duration(seconds: float) -> str:
    """Say how long, in the one or two units that matter: ``12 ms``, ``5 min 12 s``."""
    if not math.isfinite(seconds) or abs(seconds) > _LONGEST:
        return "unknown"
    sign = "-" if seconds < 0 else ""
    return sign + _magnitude(abs(seconds))


def _magnitude(seconds: float) -> str:
    milliseconds = seconds * 1000
    if milliseconds == 0:
        return "0 s"
    if round(milliseconds, 1) < 10:  # noqa: PLR2004 - below ten, the first decimal matters
        return f"{max(milliseconds, 0.1):.1f} ms"
    if round(milliseconds) < 1000:  # noqa: PLR2004 - milliseconds in a second
        return f"{milliseconds:.0f} ms"
    if round(seconds, 1) < _MINUTE:
        return f"{seconds:.1f} s"
    return _two_units(round(seconds))


def _two_units(seconds: int) -> str:
    unit, name, smaller, smaller_name = next(row for row in _UNITS if seconds >= row[0])
    rest = seconds % unit // smaller
    return f"{seconds // unit} {name}" + (f" {rest} {smaller_name}" if rest else "")


def offset(seconds: float) -> str:
    """Say how far a clock is ahead (+) or behind (-)."""
    words = duration(seconds)
    return f"+{words}" if seconds > 0 and words != "unknown" else words


def size(size_bytes: float) -> str:
    """Say how much: ``312 B``, ``1.5 KiB``."""
    if abs(size_bytes) < 1024:  # noqa: PLR2004 - bytes in a KiB
        return f"{size_bytes:.0f} B"
    scaled = float(size_bytes)
    for unit in _SIZES:
        scaled /= 1024
        if abs(scaled) < 1024:  # noqa: PLR2004 - as above
            return f"{scaled:.1f} {unit}"
    return f"{scaled:.3g} {_SIZES[-1]}"


def percent(share: float) -> str:
    """Give a share in percent, never rounded to all or nothing: ``99.6 %``, ``over 99.99 %``."""
    return f"{_percent_number(share)} %"


def percent_range(low: float, high: float) -> str:
    """Give the two ends of an interval in percent: ``98.6-99.9 %``, with a dash."""
    return f"{_percent_number(low)}–{_percent_number(high)} %"  # noqa: RUF001 - a range's dash


def _percent_number(share: float) -> str:
    number = share * 100
    to_end = min(number, 100 - number)
    if not math.isfinite(number) or to_end <= 0:
        return f"{number:.4g}"
    if to_end < _SMALLEST_PERCENT:
        return "under 0.01" if number < 50 else "over 99.99"  # noqa: PLR2004 - the nearer end
    return f"{number:.{max(1, -math.floor(math.log10(to_end)))}f}"


def percent_bound(share: float) -> str:
    """Give an upper bound over 0 in percent, rounded upwards to two digits: ``0.6 %``."""
    number = share * 100
    step = 10 ** (math.floor(math.log10(number)) - 1)
    rounded_up = math.ceil(round(number / step, 6)) * step
    return f"{min(rounded_up, 100):.3g} %"


def clock_time(seconds: float) -> str:
    """Give a time since the epoch in UTC: ``2026-01-01 00:00:00Z``."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%SZ}"
    except (OverflowError, ValueError, OSError):
        return "unknown"


def epoch(iso: str) -> float | None:
    """Read an ISO 8601 time as seconds since the epoch; None where it is not one."""
    try:
        read = datetime.fromisoformat(iso)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError, OSError):
        return None
