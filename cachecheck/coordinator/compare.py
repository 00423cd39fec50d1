"""Compare what several views said of one key. Pure: readings in, a difference or none out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cachecheck.model import Expired, Failed, Missing, Present, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.model import Reading

Difference = Literal["missing", "value", "unknown-structure", "encoding", "persistence", "expiry"]

_NO_ENTRY = frozenset({"denied", "foreign"})


class Tolerance(Value, frozen=True, kw_only=True):
    """How far expiries may be apart, in seconds, and until when they are too near to say.

    ``horizon`` is in the coordinator's clock: an entry that expires before it may be gone in one
    view and not yet in another for no other reason.
    """

    seconds: float
    horizon: float


def differences(readings: Sequence[Reading], tolerance: Tolerance) -> tuple[Difference, ...]:
    """Name how the readings of one key differ, gravest first; empty: they agree.

    Readings that failed are left out. Expiries are in the coordinator's clock. An entry that is
    about to expire in a view is compared in value only there; what the other views say stands.
    """
    said = [reading for reading in readings if not isinstance(reading, Failed)]
    present = [reading for reading in said if isinstance(reading, Present)]
    lasting = [reading for reading in present if not _is_expiring(reading, tolerance)]
    found: list[Difference] = []
    if lasting and len(present) < len(said):
        found.append("missing")
    found.extend(_value_differences(present))
    found.extend(_expiry_differences(lasting, tolerance))
    return tuple(found)


def is_going(readings: Sequence[Reading], tolerance: Tolerance) -> bool:
    """Whether the entry is about to expire wherever it is, so that a miss elsewhere is none."""
    present = [reading for reading in readings if isinstance(reading, Present)]
    is_missing = any(isinstance(reading, Missing | Expired) for reading in readings)
    is_expiring = bool(present) and all(_is_expiring(one, tolerance) for one in present)
    return is_missing and is_expiring


def is_kept(readings: Sequence[Reading]) -> bool:
    """Whether the key is kept from comparing, and nothing went wrong.

    So is what a node withholds, and what is no entry for any view: another application's key, or
    something that no cache wrote.
    """
    reasons = [reading.reason for reading in readings if isinstance(reading, Failed)]
    if set(reasons) == {"withheld"}:
        return True
    return bool(reasons) and len(reasons) == len(readings) and set(reasons) <= _NO_ENTRY


def is_unread(readings: Sequence[Reading]) -> bool:
    """Whether a view that should have said something of the key did not."""
    has_failed = any(isinstance(reading, Failed) for reading in readings)
    return has_failed and not is_kept(readings)


def value_marks(reading: Reading) -> frozenset[str]:
    """Give what two readings that agree in value have in common: bytes, structure or absence."""
    if isinstance(reading, Present):
        return frozenset({reading.digest, reading.structure or reading.digest})
    return frozenset() if isinstance(reading, Failed) else frozenset({"missing"})


def _value_differences(present: Sequence[Present]) -> tuple[Difference, ...]:
    if len({reading.digest for reading in present}) <= 1:
        return ()
    told = {reading.digest: reading.structure for reading in present if reading.structure}
    structures = {told.get(reading.digest) for reading in present}
    known = structures - {None}
    if len(known) > 1:
        return ("value",)
    return ("unknown-structure",) if None in structures else ("encoding",)


def _expiry_differences(lasting: Sequence[Present], tolerance: Tolerance) -> tuple[Difference, ...]:
    expiries = [reading.expires_at for reading in lasting if reading.expires_at is not None]
    if expiries and len(expiries) < len(lasting):
        return ("persistence",)
    is_apart = bool(expiries) and max(expiries) - min(expiries) > tolerance.seconds
    return ("expiry",) if is_apart else ()


def _is_expiring(reading: Present, tolerance: Tolerance) -> bool:
    return reading.expires_at is not None and reading.expires_at <= tolerance.horizon
