"""Hit ratios: H003."""

from __future__ import annotations

from cachecheck.rules.catalogue.kind import Kind

KINDS = (
    Kind(
        code="H003",
        name="hits-not-counted",
        severity="info",
        meaning="Hits and misses are counted by some workers only, so hit ratios cannot be "
        "compared between all of them.",
        detection="The counters of an alias are on in some workers of an application and off in "
        "others.",
        not_confused_with="Counters that are off everywhere, which coverage says.",
        remedy="Set CACHECHECK['COUNT_HITS'] to the same value on every node and restart the "
        "workers.",
    ),
)
