"""The messages of the probe protocol, version 1: strictly decoded, with limits.

Requests and answers are tagged unions (``"type"``) in JSON. The protocol version is read leniently
first, so that another version is answered as such; all else is strict: unknown types and fields,
wrong types and values over a limit raise ``MalformedMessage``.
"""

from __future__ import annotations

from cachecheck.wire.answers import (
    Answer,
    AnyAnswer,
    Canaried,
    Collected,
    Described,
    Elsewhere,
    Gathered,
    OneAnswer,
    Readings,
    Refused,
    Relayed,
    Surveyed,
    Unheard,
    Verified,
)
from cachecheck.wire.decoding import decode_answer, decode_one_answer, decode_request, encode
from cachecheck.wire.messages import (
    MAX_ANSWER_BYTES,
    MAX_BODY_BYTES,
    MAX_BUILDERS,
    MAX_DESCRIPTION_BYTES,
    MAX_KEYS,
    MAX_RELAY_SECONDS,
    MAX_SAMPLE,
    MAX_SIBLINGS,
    MAX_TREES,
    MAX_TRUTHS,
    MAX_VERIFIED,
    Message,
    RefusalReason,
)
from cachecheck.wire.requests import (
    AnyRequest,
    Canary,
    Collect,
    Describe,
    Gather,
    Read,
    Survey,
    Verify,
)

__all__ = [
    "MAX_ANSWER_BYTES",
    "MAX_BODY_BYTES",
    "MAX_BUILDERS",
    "MAX_DESCRIPTION_BYTES",
    "MAX_KEYS",
    "MAX_RELAY_SECONDS",
    "MAX_SAMPLE",
    "MAX_SIBLINGS",
    "MAX_TREES",
    "MAX_TRUTHS",
    "MAX_VERIFIED",
    "Answer",
    "AnyAnswer",
    "AnyRequest",
    "Canaried",
    "Canary",
    "Collect",
    "Collected",
    "Describe",
    "Described",
    "Elsewhere",
    "Gather",
    "Gathered",
    "Message",
    "OneAnswer",
    "Read",
    "Readings",
    "RefusalReason",
    "Refused",
    "Relayed",
    "Survey",
    "Surveyed",
    "Unheard",
    "Verified",
    "Verify",
    "decode_answer",
    "decode_one_answer",
    "decode_request",
    "encode",
]
