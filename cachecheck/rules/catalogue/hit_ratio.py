"""Hit ratios: H001 to H003."""

from __future__ import annotations

from cachecheck.rules.catalogue.kind import Kind

KINDS = (
    Kind(
        code="H001",
        name="hit-ratio-drift",
        severity="warning",
        meaning="Some nodes find far less in the cache than others that serve the same "
        "application: they look into another cache, lose entries sooner, or write under other "
        "keys.",
        detection="The hits and requests of all workers of a node are added up, and each node is "
        "compared with all others together: a two-proportion test with Holm's correction, wrong in "
        "at most one of 1,000 checks, and a difference of at least 5 points. Within one "
        "application and one role; of fewer than 100 requests nothing is said. With `--window` or "
        "`--baseline`, of what was counted in it, or since then.",
        not_confused_with="Few requests, for which the report says that there are too few; nodes "
        "of which one has counted for more than twice as long, or caches declared as `worker` or "
        "`host`: information.",
        remedy="See which findings of families B, N and T name the same nodes: they are the usual "
        "causes. Without any, look at what the load balancer sends to these nodes. `--window "
        "SECONDS` compares what is counted at the same time, whenever workers were started.",
    ),
    Kind(
        code="H002",
        name="hit-ratio-collapse",
        severity="warning",
        meaning="Nodes find far less in the cache than they did before: something was deployed, "
        "flushed or filled up in between.",
        detection="With `--baseline`, what each worker counted since that report is compared with "
        "what it had counted until then: the test of H001, and a fall of at least 5 points.",
        not_confused_with="A worker that was restarted, whose counters and local caches begin "
        "anew: it is left out; fewer than 100 requests before or since.",
        remedy="See what changed since the baseline: a deployment, KEY_PREFIX or VERSION, a "
        "flush, a smaller memory limit (B008), other traffic.",
    ),
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
