"""What one view said of one key, and how keys are named."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

from cachecheck.model.values import Count, FailureReason, Moment, Naming, Text, Value


class Present(Value, tag_field="state", tag="present", frozen=True, kw_only=True):
    """An entry that is there.

    ``structure`` is the structural digest where it was asked for and could be told, else
    ``structure_unknown`` says why not. ``cas`` is memcached's unique number of the write.
    ``expires_at`` is in the store's clock; None never expires.
    """

    digest: Text
    size_bytes: Count
    expires_at: Moment | None
    structure: Text | None = None
    structure_unknown: Text | None = None
    value_kind: Text | None = None
    cas: Count | None = None


class Missing(Value, tag_field="state", tag="missing", frozen=True, kw_only=True):
    """No entry under this key."""


class Expired(Value, tag_field="state", tag="expired", frozen=True, kw_only=True):
    """An entry that is still stored, but past its expiry: the application sees a miss."""

    expires_at: Moment


class Failed(Value, tag_field="state", tag="failed", frozen=True, kw_only=True):
    """The view could not say; never to be read as a miss."""

    reason: FailureReason
    detail: Text = ""


MAX_KEY_CHARS = 4096

Reading: TypeAlias = Present | Missing | Expired | Failed


class Key(Value, order=True, frozen=True, kw_only=True):
    """A key as it is asked for: ``logical`` goes through ``make_key``, the others do not."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_KEY_CHARS)]
    naming: Naming = "logical"
