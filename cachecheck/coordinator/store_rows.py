"""The rows of a report that tell of stores, and of what lies in them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import msgspec

from cachecheck.model import NeighbourRow, StoreRow, ViewRow
from cachecheck.rules.neighbours import neighbours

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cachecheck.coordinator.sample import Surveyance
    from cachecheck.rules.neighbours import Neighbour
    from cachecheck.rules.observations import Contents, SharedStore, StoreMap, View

_Identity = Literal["observed", "confirmed", "witnessed", "unobserved", "none"]


def store_rows(
    maps: Sequence[StoreMap],
    surveys: Mapping[View, Surveyance],
    contents: Mapping[View, Contents],
    show_head: Callable[[str], str],
) -> tuple[StoreRow, ...]:
    """One row for each store of an alias; surveys and contents are by the view that speaks."""
    are_several = len(maps) > 1
    rows = []
    for one in maps:
        for store in one.stores:
            id_ = f"{one.application}/{store.id}" if are_several else store.id
            row = _store_row(id_, store, surveys)
            seen = next((contents[view] for view in store.views if view in contents), None)
            rows.append(row if seen is None else _with_contents(row, seen, show_head))
    return tuple(rows)


def _with_contents(row: StoreRow, seen: Contents, show_head: Callable[[str], str]) -> StoreRow:
    known = seen.expiring_known
    return msgspec.structs.replace(
        row,
        share_lasting=round(seen.lasting / known, 6) if known else None,
        neighbours=tuple(_neighbour_row(each, show_head) for each in neighbours(seen)),
    )


def _neighbour_row(each: Neighbour, show_head: Callable[[str], str]) -> NeighbourRow:
    return NeighbourRow(
        head=show_head(each.head),
        entries=each.entries,
        share=round(each.share, 6),
        share_of_bytes=_rounded(each.share_of_bytes),
        share_lasting=_rounded(each.share_lasting),
        newest_expiry=_rounded(each.newest_expiry),
    )


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 6)


def _store_row(id_: str, store: SharedStore, surveys: Mapping[View, Surveyance]) -> StoreRow:
    surveyed = next((surveys[view] for view in store.views if view in surveys), None)
    summary = surveyed.summary if surveyed and not surveyed.failure else None
    return StoreRow(
        id=id_,
        kind=store.kind,
        scope=store.scope,
        identity=cast("_Identity", store.identity),
        entries=summary.entries if summary else None,
        foreign=summary.foreign if summary else None,
        withheld=summary.withheld if summary else None,
        scanned=summary.scanned if summary else None,
        is_scan_complete=surveyed.is_complete if summary and surveyed else None,
        views=tuple(ViewRow(node=view.node, worker=view.worker) for view in store.views),
    )
