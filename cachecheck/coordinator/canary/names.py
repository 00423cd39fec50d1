"""What the keys of a canary are called, behind the prefix and the run that nodes put before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.digest import new_seed
from cachecheck.model import CanaryStep

if TYPE_CHECKING:
    from cachecheck.model import CanaryValue, Nonce


def new_nonce() -> Nonce:
    """Draw what a value is made from."""
    return new_seed().hex()


def write(name: str, kind: CanaryValue = "text", *, lasts_seconds: int = 60) -> CanaryStep:
    """Make the step that sets a new value of a kind."""
    return CanaryStep(
        operation="set",
        name=name,
        value=kind,
        nonces=(new_nonce(),),
        lasts_seconds=lasts_seconds,
    )


def read(written: CanaryStep, before: CanaryStep | None = None) -> CanaryStep:
    """Make the step that looks for what a step has written, and knows what was there before."""
    old = () if before is None else before.nonces
    return CanaryStep(
        operation="get", name=written.name, value=written.value, nonces=written.nonces + old
    )


def drop(written: CanaryStep) -> CanaryStep:
    """Make the step that deletes what a step has written."""
    return CanaryStep(operation="delete", name=written.name, value=written.value)
