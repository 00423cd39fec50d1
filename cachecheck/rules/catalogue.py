"""Every finding that can be reported: what it means, how it is found, what to change.

The texts are for people who run a Django site: a remedy names the setting or the command. The
reference in ``docs/reference/findings.md`` has the same codes, which a test holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cachecheck.model import Finding, Severity, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cachecheck.model import Group


class Kind(Value, frozen=True, kw_only=True):
    """One kind of finding; ``severity`` is the default that a rule may lower or raise."""

    code: str
    name: str
    severity: Severity
    meaning: str
    detection: str
    not_confused_with: str
    remedy: str


_FLEET = (
    Kind(
        code="F001",
        name="node-unreachable",
        severity="error",
        meaning="No answer came from this node, so nothing is known of its caches.",
        detection="The connection was refused or timed out, TLS failed, or the name did not "
        "resolve; the message says which.",
        not_confused_with="A slow node: probes are repeated until the deadline of the run.",
        remedy="Check that the server runs and that this machine may connect to the node's URL; "
        "raise --timeout or --deadline if it is merely slow; take a retired node off the list.",
    ),
    Kind(
        code="F002",
        name="probe-rejected",
        severity="error",
        meaning="Something answered at this address, but not with an answer that can be trusted: "
        "its caches were not compared.",
        detection="The answer was refused, badly signed, malformed, or of another protocol "
        "version; the message says what status, headers and body show.",
        not_confused_with="A node that does not answer at all (F001). A clock that is off shows up "
        "here and as F003.",
        remedy='On the node: "cachecheck.agent" in INSTALLED_APPS, its urls included at the path '
        "that is probed, CACHECHECK['SECRET'] equal to the coordinator's, the same "
        "django-cachecheck release; run `manage.py check` there. Where middleware or a proxy "
        "answers instead, use --host-header and --header.",
    ),
    Kind(
        code="F003",
        name="clock-skew",
        severity="warning",
        meaning="The node's clock and the coordinator's disagree. Entries whose expiry is an "
        "absolute time live too long or too short there, and signatures are refused once the "
        "offset passes a minute.",
        detection="The offset is taken from the probe with the smallest round trip; it is reported "
        "when it exceeds the tolerance even after half of that round trip is subtracted.",
        not_confused_with="Delay on the network: it widens the interval and is subtracted.",
        remedy="Enable NTP on the node (`timedatectl set-ntp true`, or chrony) and check with "
        "`chronyc tracking`. If every node is off by the same amount, correct the clock of the "
        "machine that runs cachecheck.",
    ),
    Kind(
        code="F004",
        name="workers-unseen",
        severity="warning",
        meaning="Some worker processes of the node were not heard. Where a cache belongs to each "
        "worker, their entries were not compared and the verdict is open.",
        detection="Fewer workers answered than are configured or counted among siblings, or nobody "
        "could say how many there should be. It is information where all caches of the node are "
        "shared by its workers.",
        not_confused_with="A worker that was replaced during the run (F007); it counts as unseen "
        "only where its successor was not heard.",
        remedy="Raise --deadline so that more bursts can be sent; set "
        "CACHECHECK['EXPECTED_WORKERS'] on the node where the number is unknown or wrong.",
    ),
    Kind(
        code="F005",
        name="version-drift",
        severity="warning",
        meaning="Workers of one application run different versions of what writes and reads cache "
        "entries.",
        detection="Python, Django, cache clients, agent and the highest pickle protocol are "
        "compared within one application. A different pickle protocol is a warning, since older "
        "workers cannot read what newer ones write; all else is information.",
        not_confused_with="Patch releases, which are said to be no more than that.",
        remedy="Deploy the same image or lock file everywhere. Until then give the new version its "
        "own entries (another VERSION or KEY_PREFIX in CACHES), or set OPTIONS['PICKLE_VERSION'] "
        "(django-redis) or a JSON serializer that both can read.",
    ),
    Kind(
        code="F006",
        name="release-drift",
        severity="info",
        meaning="Workers of one application run different releases.",
        detection="CACHECHECK['RELEASE'] or the environment's CACHECHECK_RELEASE differs between "
        "workers that state one.",
        not_confused_with="Different applications, which are never compared in this.",
        remedy="During a rollout: wait and check again. Otherwise finish or roll back the "
        "deployment, and restart workers that still run the old code.",
    ),
    Kind(
        code="F007",
        name="worker-restarted",
        severity="info",
        meaning="A worker ended and another took its place while the run was on; what it had said "
        "of its caches does not count.",
        detection="The process that was heard at first was gone at the end, and another start time "
        "had come.",
        not_confused_with="Workers that were never heard (F004).",
        remedy="Check again when no deployment is running. If it happens every time, look at "
        "--max-requests and memory limits of the application server.",
    ),
    Kind(
        code="F008",
        name="balanced-address",
        severity="error",
        meaning="One URL leads to several servers: it is a load balancer or a Service, not a node. "
        "Which servers were compared is left to chance.",
        detection="Workers behind the URL live on several hosts, go by several node names, or "
        "belong to servers that listen on different addresses.",
        not_confused_with="Several workers of one server, and two masters that share one listening "
        "address, as in a rolling restart.",
        remedy="List the servers behind the address as nodes of their own: their own host and "
        "port, with --host-header for the site's name (in Kubernetes the pod addresses, as "
        "`kubectl get endpoints` lists them).",
    ),
)

_BACKEND = (
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

_NAMESPACE = (
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
        meaning="Workers build stored keys by different rules although prefix and version agree.",
        detection="make_key() gave different stored keys for one probe key, with equal prefix and "
        "version.",
        not_confused_with="Different prefixes (N001) or versions (N002).",
        remedy="Set the same KEY_FUNCTION for this alias in CACHES everywhere. It must not use "
        "hash(), which differs from process to process: use hashlib instead.",
    ),
)

_VALUE = (
    Kind(
        code="V001",
        name="value-divergence",
        severity="error",
        meaning="One key has different values on different views, and it stays so: users see one "
        "or the other depending on the worker that serves them.",
        detection="Structural digests differ and went on differing through the settle time. Where "
        "the bytes differ and the structure cannot be told, it is a warning.",
        not_confused_with="Equal values in different bytes (V003); a key in use (V005); a write in "
        "flight.",
        remedy="If B001, B002, B003 or a namespace finding is reported for this cache, mend that "
        "first. Then delete the key on every node, and look for code that writes it without "
        "invalidating the other copies.",
    ),
    Kind(
        code="V002",
        name="missing-entry",
        severity="error",
        meaning="A key is present on some views and stays missing on others.",
        detection="Repeated readings agreed on who has the entry; it neither expired nor was "
        "evicted in the meantime.",
        not_confused_with="A reading that failed, which is never a miss; a key in use (V005); "
        "stores that fill at their own time, whose sampled keys are summed up in one line.",
        remedy="Check for B003 and the namespace findings on this cache first. Where each node has "
        "its own store, declare it in CACHECHECK['SCOPES']; otherwise look for evictions, for "
        "writes that fail in silence, and for values over the server's item size.",
    ),
    Kind(
        code="V003",
        name="encoding-drift",
        severity="info",
        meaning="The stored bytes differ, the value in them is the same.",
        detection="The digests of the bytes differ while the structural digests agree.",
        not_confused_with="Different values (V001).",
        remedy="Nothing needs to be done: sets, dicts and pickle versions are often written in "
        "different bytes. If F005 or B010 is reported too, mend those.",
    ),
    Kind(
        code="V005",
        name="flapping",
        severity="info",
        meaning="The key was being written all the time, so looking cannot tell whether its copies "
        "agree.",
        detection="Its digest changed on every view between the looks.",
        not_confused_with="A view that stood still and never agreed with the others, which is "
        "V001.",
        remedy="Check again at a quieter hour, or with a longer --settle. If the key is never "
        "quiet, look for workers that overwrite each other's values.",
    ),
)

_EXPIRY = (
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
)

_HITS = (
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

CATALOGUE: dict[str, Kind] = {
    kind.code: kind for kind in (*_FLEET, *_BACKEND, *_NAMESPACE, *_VALUE, *_EXPIRY, *_HITS)
}


def finding(  # noqa: PLR0913  the fields of a finding, all but two of them optional
    code: str,
    *,
    message: str,
    cache: str | None = None,
    subject: str | None = None,
    groups: tuple[Group, ...] = (),
    evidence: Mapping[str, Any] | None = None,
    severity: Severity | None = None,
    explained_by: str | None = None,
) -> Finding:
    """Make a finding of a code in the catalogue, with its name, remedy and default severity."""
    kind = CATALOGUE[code]
    return Finding(
        code=code,
        name=kind.name,
        severity=severity or kind.severity,
        message=message,
        remedy=kind.remedy,
        cache=cache,
        subject=subject,
        groups=groups,
        evidence=dict(evidence or {}),
        explained_by=explained_by,
    )
