"""Weigh some entries of each namespace that a page of a store showed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.errors import StoreError
from cachecheck.heads import Weighed
from cachecheck.model import LATEST
from cachecheck.stores.base import Weighs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cachecheck.heads import Heads, SeenPrefix
    from cachecheck.stores.base import Pace, Store, Weight


def weighed(store: Store, heads: Heads, pace: Pace) -> tuple[tuple[SeenPrefix, ...], Weighed]:
    """Give the namespaces beside the view's own, and what some of its own entries weigh.

    Where there are no others nothing is weighed: there is nothing to compare with. What cannot be
    weighed is counted all the same.
    """
    groups = list(heads.to_weigh())
    if not groups or not isinstance(store, Weighs):
        return heads.prefixes({}), Weighed()
    own = _weighed(store, heads.own, pace)
    found = {(prefix, version): _weighed(store, keys, pace) for prefix, version, keys in groups}
    return heads.prefixes(found), own


def _weighed(store: Weighs, keys: Sequence[str], pace: Pace) -> Weighed:
    try:
        return _sum(store.weigh(keys, pace))
    except StoreError:
        return Weighed(untold=len(keys))


def _sum(weights: Sequence[Weight | None]) -> Weighed:
    some = [weight for weight in weights if weight is not None]
    expiries = [weight.expires_at for weight in some if weight.expires_at is not None]
    return Weighed(
        keys=len(some),
        untold=len(weights) - len(some),
        weight_bytes=sum(weight.size_bytes for weight in some),
        lasting=len(some) - len(expiries),
        newest_expiry=min(max(expiries), LATEST) if expiries else None,
    )
