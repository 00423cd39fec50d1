"""What one view said of one key, and how keys are named."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

from cachecheck.model.values import Count, FailureReason, Moment, Naming, Text, Value

MAX_TWIGS = 600
MAX_STEP_CHARS = 64
MAX_NAMES = 20
MAX_SHOWN_CHARS = 6_000
MAX_NAME_CHARS = 600

Step: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_STEP_CHARS)]
"""One step of a path into a value: ``.email``, ``[3]``, or a digest where a name must not leave."""

Names: TypeAlias = Annotated[
    tuple[Annotated[str, Meta(max_length=MAX_NAME_CHARS)], ...], Meta(max_length=MAX_NAMES)
]


class Twig(Value, array_like=True, frozen=True, kw_only=True):
    """A place in a value, below the place that stands at ``parent`` in the tree.

    ``step`` leads there from it, and is unique among its siblings. ``digest`` is equal for equal
    values under one seed; ``kind`` is a word for people; ``members`` counts what it holds directly.
    Those stand in the tree as well where ``is_open``, all of them.
    """

    parent: Annotated[int, Meta(ge=0, lt=MAX_TWIGS)]
    step: Annotated[str, Meta(max_length=MAX_STEP_CHARS)]
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{4,32}\\Z")]
    kind: Annotated[str, Meta(max_length=MAX_NAME_CHARS)]
    members: Count
    is_open: bool


Tree: TypeAlias = Annotated[tuple[Twig, ...], Meta(max_length=MAX_TWIGS)]
"""The place asked for first, then places below it, those nearer to it before those further away."""


class Present(Value, tag_field="state", tag="present", frozen=True, kw_only=True):
    """An entry that is there.

    ``structure`` is the structural digest where it was asked for and could be told, else
    ``structure_unknown`` says why not. ``cas`` is memcached's unique number of the write.
    ``expires_at`` is in the store's clock; None never expires.

    Told beside the structure: ``codec`` (``pickle``, ``zlib+json``) by which it was read, the
    ``protocol`` of a pickle, the Django that ``written_by`` names, and names of ``globals`` that
    the value refers to beyond builtins. ``unreadable`` says why the application behind this view
    cannot read the value: what it cannot import, or why it cannot be decoded. ``tree`` is there
    where it was asked for, ``shown``, the value itself as text, where the node allows it as well.
    """

    digest: Text
    size_bytes: Count
    expires_at: Moment | None
    structure: Text | None = None
    structure_unknown: Text | None = None
    value_kind: Text | None = None
    cas: Count | None = None
    codec: Text | None = None
    protocol: Count | None = None
    written_by: Text | None = None
    globals: Names = ()
    unreadable: Names = ()
    tree: Tree = ()
    shown: Annotated[str, Meta(max_length=MAX_SHOWN_CHARS)] | None = None


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
