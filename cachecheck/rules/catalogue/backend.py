"""Backends and stores: B001 to B010."""

from __future__ import annotations

from cachecheck.rules.catalogue.kind import Kind

KINDS = (
    Kind(
        code="B001",
        name="process-local-cache",
        severity="error",
        meaning="LocMemCache lives inside each process. What one worker stores, deletes or counts "
        "is invisible to every other.",
        detection="The alias is LocMemCache and the application has more than one process, "
        "counting workers that are expected but were not heard.",
        not_confused_with="A fleet of one single process; an alias declared as `worker`.",
        remedy="Use a shared backend for the alias in CACHES (Redis, Memcached or the database). "
        "If a private cache is what you want, say so: CACHECHECK = {'SCOPES': {ALIAS: 'worker'}}.",
    ),
    Kind(
        code="B002",
        name="backend-drift",
        severity="error",
        meaning="One alias uses different cache backends on different workers, so they share "
        "nothing.",
        detection="The kind of backend differs within one application; for backends that are not "
        "recognised, their class.",
        not_confused_with="A subclass of the same backend; two applications that merely use the "
        "same alias.",
        remedy="Set the same BACKEND for this alias in CACHES everywhere; look for settings that "
        "depend on an environment variable which is missing on the outliers (`manage.py "
        "cachecheck` shows what a process really uses).",
    ),
    Kind(
        code="B003",
        name="store-split",
        severity="error",
        meaning="One alias leads to different stores: what is written on one side is not there on "
        "the other, and a deletion on one side leaves a stale copy on the other.",
        detection="The identities of the stores differed in two looks and keys read through both "
        "sides disagreed.",
        not_confused_with="One store under several addresses; a primary and its replica; an alias "
        "declared as `host`, where each node has its own; stores whose identity cannot be seen, "
        "which is undecided.",
        remedy="Set the same LOCATION for this alias in CACHES everywhere, with a name that means "
        "the same server on all nodes (not localhost). If each node is meant to have its own: "
        "CACHECHECK = {'SCOPES': {ALIAS: 'host'}}.",
    ),
    Kind(
        code="B004",
        name="routing-drift",
        severity="error",
        meaning="Keys are divided among several servers, and not everywhere in the same way: what "
        "one worker stores on one server another looks for on the next.",
        detection="Each worker is asked which server some probe keys go to, by its client's own "
        "hashing, its list of servers, and the servers that it has given up. Names that lead to "
        "one server are one. Where the hashing is not known, differing lists are a warning.",
        not_confused_with="Lists in another order whose hashing ignores the order (pymemcache, "
        "ketama); lists without a common server, which are B003; a server that every worker has "
        "given up.",
        remedy="Write the list in LOCATION the same everywhere: the same servers, spelled in the "
        "same way, in the same order, with the same hashing in OPTIONS. Where a server was given "
        "up, see that it answers from that host; a client that does not leave servers out (high "
        "retry_attempts) misses instead of dividing keys anew.",
    ),
    Kind(
        code="B005",
        name="replica-drift",
        severity="warning",
        meaning="A replica does not hold what was written to the server that takes writes. Reads "
        "go to any replica, so users see one or the other from one request to the next.",
        detection="Each replica of a list of servers is read by itself, and keys are compared with "
        "the server that takes writes until they agree or --settle is over. So is what both say of "
        "their replication: a server that follows another one, or none, or has lost its link. The "
        "evidence has their offsets.",
        not_confused_with="Lag that heals within --settle, which is information with the time it "
        "took; a replica that does not answer (B006); replicas that are named by their URLs, each "
        "of which is a store of its own.",
        remedy="On the replica, look at INFO replication, and make it follow again (REPLICAOF host "
        "port). Take one that was promoted or left behind out of LOCATION. Where it lags all the "
        "time, look for slow networks, large values and blocking commands, and read from the "
        "primary what must be fresh.",
    ),
    Kind(
        code="B006",
        name="backend-failing",
        severity="error",
        meaning="The store behind the cache does not answer, or takes no writes. Where the client "
        "hides errors the site runs on as if nothing had ever been cached; elsewhere every use of "
        "the cache raises.",
        detection="Connections of our own, with the site's parameters and credentials, were "
        "refused, timed out or were not let in, in two looks with --settle between them. The "
        "message says whether IGNORE_EXCEPTIONS or ignore_exc hides that. Replicas are asked one "
        "by one, and the server that takes writes whether it is a read-only replica.",
        not_confused_with="An empty cache; a server that answers and denies INFO; nodes that do "
        "not answer themselves (F001).",
        remedy="Start the server, or mend the network, the firewall or the credentials between it "
        "and the nodes that are named. Log what the client ignores "
        "(DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS), so that the next outage shows.",
    ),
    Kind(
        code="B007",
        name="no-cache",
        severity="warning",
        meaning="DummyCache stores nothing: every lookup is a miss, and locks and counters kept in "
        "this alias do not work.",
        detection="The alias is DummyCache on every worker of an application.",
        not_confused_with="An alias declared as `none`; DummyCache on some workers only, which is "
        "B002.",
        remedy="Set a real BACKEND for the alias in CACHES; development settings may have reached "
        "production. If it is meant: CACHECHECK = {'SCOPES': {ALIAS: 'none'}}.",
    ),
    Kind(
        code="B008",
        name="eviction-pressure",
        severity="info",
        meaning="Entries are pushed out before their time is over, to make room for others.",
        detection="A process counted entries that Django's own backends culled, since there were "
        "more than MAX_ENTRIES; or, with `--window`, a server evicted some between two looks. "
        "A warning where limits differ between views: MAX_ENTRIES, CULL_FREQUENCY, a server's "
        "memory and what it evicts by.",
        not_confused_with="A full cache that evicts by design, which is why it is information; "
        "what a server evicted before the run.",
        remedy="Give the cache more room: OPTIONS MAX_ENTRIES (300 where it is not set), "
        "maxmemory of Redis, -m of memcached. Where limits differ, set the same everywhere. Keys "
        "that must not go (locks, counters) belong in a cache of their own that evicts nothing.",
    ),
    Kind(
        code="B009",
        name="alias-missing",
        severity="error",
        meaning="Code that uses this alias fails on the workers that lack it.",
        detection="Some workers of an application have the alias and others do not show it.",
        not_confused_with="Two applications with different aliases.",
        remedy="Define the alias in CACHES on every node. If it is defined there, it may be left "
        "out of CACHECHECK['CACHES'], which lists the aliases that may be probed.",
    ),
    Kind(
        code="B010",
        name="codec-drift",
        severity="error",
        meaning="Workers turn values into bytes in different ways, so one may not be able to read "
        "what another wrote.",
        detection="Serializer, compressor or their options differ between workers of one "
        "application with the same kind of backend.",
        not_confused_with="Different backends (B002); LocMemCache, whose bytes nobody else reads.",
        remedy="Set the same OPTIONS (SERIALIZER, COMPRESSOR and their options) for this alias in "
        "CACHES everywhere. To change a codec without downtime, change KEY_PREFIX or VERSION in "
        "the same release.",
    ),
)
