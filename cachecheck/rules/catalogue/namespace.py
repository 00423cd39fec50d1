"""Namespaces: N001 to N003."""

from __future__ import annotations

from cachecheck.rules.catalogue.kind import Kind

KINDS = (
    Kind(
        code="N001",
        name="prefix-drift",
        severity="error",
        meaning="Workers put different prefixes before their keys, so each side reads and deletes "
        "entries that the other never sees.",
        detection="The backend's make_key() turned one probe key into stored keys that differ in "
        "their prefix.",
        not_confused_with="Two applications with a prefix each.",
        remedy="Set the same KEY_PREFIX for this alias in CACHES everywhere, and check what it is "
        "computed from (environment variable, host name, tenant). Restart the workers afterwards.",
    ),
    Kind(
        code="N002",
        name="version-drift",
        severity="error",
        meaning="Workers use different cache versions, so they look up different stored keys for "
        "one key.",
        detection="The stored probe keys have equal prefixes and differ in their version.",
        not_confused_with="Different prefixes (N001); calls with an explicit version=, which are "
        "not seen.",
        remedy="Set the same VERSION for this alias in CACHES everywhere and restart the workers.",
    ),
    Kind(
        code="N003",
        name="key-function-drift",
        severity="error",
        meaning="Workers build keys by different rules although prefix and version agree.",
        detection="make_key() gave different stored keys for one probe key, with equal prefix and "
        "version. Or a function of CACHECHECK['KEY_BUILDERS'] gave different keys in different "
        "workers, and the same ones again later; or two keys when it was called twice in one "
        "worker.",
        not_confused_with="Different prefixes (N001) or versions (N002); keys that change with "
        "time, which leave a run undecided.",
        remedy="Set the same KEY_FUNCTION for this alias in CACHES everywhere. Neither it nor a "
        "key builder may use hash(), which differs from process to process (use hashlib), nor "
        "chance, the clock or settings of the host.",
    ),
)
