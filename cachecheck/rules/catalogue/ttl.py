"""Expiries: T001 to T004."""

from __future__ import annotations

from cachecheck.rules.catalogue.kind import Kind

KINDS = (
    Kind(
        code="T001",
        name="expiry-drift",
        severity="warning",
        meaning="Copies of one entry expire at different times, so for a while some views have it "
        "and others do not.",
        detection="Absolute expiries, corrected for the clocks, differ by more than "
        "--ttl-tolerance while each stayed the same over the looks.",
        not_confused_with="Entries about to expire; a clock that is off (F003).",
        remedy="Use one timeout for the key in all code that sets it (cache.set(…, timeout=…), "
        "cache.touch), and the same TIMEOUT in CACHES everywhere (T003).",
    ),
    Kind(
        code="T002",
        name="persistence-drift",
        severity="error",
        meaning="The entry never expires on some views and expires on others: a stale copy can "
        "stay for good.",
        detection="Some views read an expiry and others read that there is none, over several "
        "looks.",
        not_confused_with="Expiries that differ in time only (T001).",
        remedy="Look for timeout=None in code that sets the key, for TIMEOUT: None in CACHES on "
        "the outliers, and for counters that are created without a timeout. Then delete the key or "
        "cache.touch() it with a timeout.",
    ),
    Kind(
        code="T003",
        name="default-timeout-drift",
        severity="warning",
        meaning="Entries that are set without a timeout live for different times, depending on the "
        "worker that sets them.",
        detection="TIMEOUT of the alias differs between workers of one application.",
        not_confused_with="Timeouts given in code; two applications with a TIMEOUT each.",
        remedy="Set the same TIMEOUT for this alias in CACHES everywhere (300 seconds where it is "
        "not set) and restart the workers.",
    ),
    Kind(
        code="T004",
        name="never-expiring",
        severity="info",
        meaning="Many entries never expire although the cache has a finite TIMEOUT. They stay "
        "until they are evicted or deleted, also when nothing reads them any more.",
        detection="Of the entries that were read, those without an expiry: at least 20, and, with "
        "95 % confidence, more than 5 %. With --all the share is exact.",
        not_confused_with="A few entries that are meant to stay; caches with TIMEOUT None.",
        remedy="Look for timeout=None in code that sets entries, and for expiries that are lost: "
        "counters made by INCR on a key that had expired, persist(), or writes that go round the "
        "cache. Give the entries a timeout with cache.touch().",
    ),
)
