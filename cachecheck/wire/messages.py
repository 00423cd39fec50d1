"""What all messages are made of: their base, bounded names, and the limits of what is sent."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from cachecheck.model import MAX_KEY_CHARS, Step, Value

PROTOCOL = 1
CONTENT_TYPE = "application/json"

MAX_BODY_BYTES = 1 << 20
MAX_ANSWER_BYTES = 8 << 20
MAX_DESCRIPTION_BYTES = 1 << 20
MAX_KEYS = 1000
MAX_AUDIENCE = 4000
MAX_SAMPLE = 100_000
MAX_SIBLINGS = 256
MAX_RELAY_SECONDS = 10.0
MAX_BUILDERS = 50
MAX_TREES = 20
MAX_TRUTHS = 50
MAX_VERIFIED = 50
MAX_PATH_STEPS = 200

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
Seed: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{32}\\Z")]
Cursor: TypeAlias = Annotated[str, Meta(max_length=2000)]
Glob: TypeAlias = Annotated[str, Meta(max_length=500)]
Page: TypeAlias = Annotated[int, Meta(ge=1, le=10**9)]
Path: TypeAlias = Annotated[tuple[Step, ...], Meta(max_length=MAX_PATH_STEPS)]
MostKeys: TypeAlias = Annotated[int, Meta(ge=1, le=10**7)]
LogicalName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_KEY_CHARS)]
ProbeKey: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200, pattern="^[!-~]+\\Z")]

RefusalReason = Literal[
    "stale",
    "busy",
    "too-large",
    "unknown-cache",
    "withheld",
    "not-allowed",
    "bad-request",
    "wrong-node",
]


class Message(Value, tag_field="type", frozen=True, kw_only=True):
    """Base of all messages."""

    protocol: int = PROTOCOL
