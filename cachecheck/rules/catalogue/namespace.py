"""Namespaces: N001 to N005."""

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
    Kind(
        code="N004",
        name="orphan-namespace",
        severity="warning",
        meaning="A store holds entries under a prefix and version that no view of the fleet uses. "
        "They take room from those that are used; or they belong to an application that is not in "
        "the fleet, whose entries a clear() here removes as well.",
        detection="The survey counts stored keys by what stands before the key in Django's form, "
        "PREFIX:VERSION:KEY. It is reported from 20 entries on, and from 1 % of the keys or bytes "
        "of the store. It is information where all of them expire by when the workers' last "
        "restart explains it, under another version of a prefix in use, where a key function makes "
        "the keys, and where a node did not answer that may use it.",
        not_confused_with="Keys of other programs, which are counted as foreign: of another form, "
        "of another type than a string, or with many numbers where the version stands.",
        remedy="Find out who writes them: an application that should have a database or server of "
        "its own, or should be in the fleet. If nobody does, they are left from an earlier "
        "KEY_PREFIX or VERSION: delete them by their prefix, or let them expire.",
    ),
    Kind(
        code="N005",
        name="namespace-collision",
        severity="warning",
        meaning="Two applications keep entries in one store under one prefix and version. Equal "
        "keys overwrite each other, and clear() of one removes what the other keeps.",
        detection="Views of different APPLICATIONs have the same store identity and made the same "
        "stored key of a probe key. Where the identity is only suggested, as of memcached, both "
        "surveys must also have sampled the same keys.",
        not_confused_with="Releases of one application; two applications with a prefix each; a "
        "shared cache that is meant to be one, which has one APPLICATION.",
        remedy="Set another KEY_PREFIX for this alias in one of the applications, or give it a "
        "database of its own. If they are meant to share entries, set the same "
        "CACHECHECK['APPLICATION'] in both.",
    ),
)
