"""What a canary does, step by step, and what came of each step.

A canary writes, so what it can name is narrow: keys under a prefix of its own and of its run, and
values that the node makes from a nonce. No value crosses the wire in either direction.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from cachecheck.model.values import Count, Moment, Text, Value

MAX_STEPS = 500
MAX_TIMES = 50
LONGEST_SECONDS = 60
"""How long an entry of a canary may live, whatever becomes of the run that wrote it."""

CanaryOperation = Literal["set", "get", "delete", "add", "incr", "touch"]
CanaryValue = Literal["text", "unicode", "none", "large", "count"]
CanaryOutcome = Literal["done", "not-done", "found", "missing", "failed"]

Nonce: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
CanaryName: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,40}\Z")]


class CanaryStep(Value, frozen=True, kw_only=True):
    """One operation on one key; ``name`` stands behind the prefix that the node puts before it.

    ``value`` is the kind of value, and with ``unicode`` the key is of that kind too. ``set`` and
    ``add`` write what the first of the ``nonces`` makes; ``get`` says which of them made what it
    found. ``times`` is how often to ``incr``. ``worker`` is the id of whom the step is for; None:
    everybody who is meant.
    """

    operation: CanaryOperation
    name: CanaryName
    value: CanaryValue = "text"
    nonces: Annotated[tuple[Nonce, ...], Meta(max_length=4)] = ()
    lasts_seconds: Annotated[int, Meta(ge=1, le=LONGEST_SECONDS)] = LONGEST_SECONDS
    times: Annotated[int, Meta(ge=1, le=MAX_TIMES)] = 1
    worker: Text | None = None


class CanaryResult(Value, frozen=True, kw_only=True):
    """What came of a step.

    ``done`` and ``not-done`` are what ``set``, ``add``, ``delete``, ``incr`` and ``touch`` say of
    themselves; ``found`` and ``missing`` are of ``get``, and ``missing`` also of an ``incr``
    without its key. ``failed``: the client raised ``error``, told by the name of its type.
    ``nonce`` made the value that was found, None: another value. ``count`` is the number that was
    found, or how many of several ``times`` were done. ``at`` is the node's clock at its end.
    """

    outcome: CanaryOutcome
    at: Moment
    took_seconds: Annotated[float, Meta(ge=0, le=86_400)]
    nonce: Nonce | None = None
    count: Count | None = None
    error: Annotated[str, Meta(max_length=200)] | None = None
