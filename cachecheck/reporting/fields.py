"""What each field of the report means, for its JSON Schema."""

from __future__ import annotations

_INTERVAL = "Wilson interval at 95 % confidence, low and high; null where there is no share."
_RATIO = "hits / (hits + misses); null without looks."
_NOT_COUNTED = "Null where whoever counted does not count them."
_LAG = (
    "From the end of the write to the end of the first look that saw it, at the most; 0 where the"
    " first look did. Null where none did, or that is not measured."
)
_VIEWS = "Labels of workers (workers[].id of a node), or node names for stores read directly."

FIELDS: dict[str, dict[str, str]] = {
    "Report": {
        "run": "Which run this was.",
        "verdict": "consistent: all that was to be compared was, and no finding reaches --fail-on;"
        " divergent: at least one does; undecided: none does, but something was not seen.",
        "nodes": "Every node of the fleet, whether it answered or not.",
        "caches": "Every cache alias that any worker has.",
        "findings": "What was found, in the order of the checks: an earlier one explains a later.",
        "keys": "Keys that were asked for in detail: by the command key alone.",
        "undecided": "Sentences: what should have been compared and was not.",
        "findings_left_out": "By code, how many findings --max-findings left out of this report.",
        "schema": "The version of this format.",
    },
    "RunRow": {
        "id": "Tells this run from all others.",
        "version": "The version of cachecheck that ran.",
        "started_at": "ISO 8601, UTC, by the coordinator's clock.",
        "duration_seconds": "From the first probe to the report.",
    },
    "NodeRow": {
        "name": "The node's name in the fleet.",
        "url": "Its address, without credentials.",
        "state": "answered; unreachable: no answer; rejected: it refused the probe; incompatible:"
        " another protocol version; failed: an answer that could not be accepted.",
        "detail": "Why it did not answer, in words; null where it did.",
        "workers_expected": "How many workers of the role web there should be; null where nobody"
        " could say.",
        "clock_offset_seconds": "The node's clock minus the coordinator's; null if not measured.",
        "rtt_seconds": "The smallest round trip, which bounds the error of the offset.",
        "workers": "The workers that were heard.",
        "store": "What is read of it, where it is a store that is read directly; null of a Django"
        " node, and where it did not answer.",
        "workers_expected_by": "How that number is known: configured, counted among siblings, or"
        " unknown; null where nothing was heard.",
        "workers_heard_by": "Whether workers hand probes on to each other (relay), or were reached"
        " by bursts of connections; null where nothing was heard.",
        "relay_off": "Why workers do not hand probes on; null where they do, or did not say.",
    },
    "ReadStoreRow": {
        "kind": "redis or memcached.",
        "cache": "The alias that it is compared under.",
        "member": "Which replica it is; null for the server that takes writes.",
        "form": "How stored keys are made, with {key} for the logical one; null: keys are compared"
        " as they are stored.",
        "entries": "About how many there are, of all namespaces; null where that is not known.",
    },
    "WorkerRow": {
        "id": "Its label, node and pid, and the role where that is not web; unique within the"
        " report; groups and views refer to it.",
        "host": "The host name that the process sees.",
        "pid": "The process id on that host.",
        "role": "What kind of process it is.",
        "started_at": "When the process started: ISO 8601, UTC, by the node's clock.",
        "python": "The version of Python.",
        "django": "The version of Django.",
        "release": "What is deployed there, as the site says; null where it does not.",
        "application": "Which application this is; only workers of one application are compared.",
        "has_ended": "Whether its process ended during the run, so that what it said does not"
        " count.",
    },
    "CacheRow": {
        "alias": "The name in CACHES.",
        "stores": "The distinct stores behind this alias.",
        "namespaces": "The distinct rules from a logical key to a stored key.",
        "coverage": "What was compared of what there was.",
        "agreement": "How many of the compared keys agree.",
        "hit_ratios": "Hits and misses, where they are counted.",
        "hit_ratios_said": "Whether the ratios of nodes were compared, or had too few requests;"
        " null where there are no two nodes that count.",
        "canaries": "What canaries found, one for each application; none where none was let out.",
    },
    "CanaryRow": {
        "application": "Whose cache it is.",
        "views": "Through how many views it was tried.",
        "pairs": "Ordered pairs of two views that are meant to share a store.",
        "pairs_tried": "Of how many of these the one was looked through for what the other set.",
        "first_look_seconds": "How soon after a write the first look came, in the median; null"
        " without looks.",
        "steps": "What was tried, and how often it failed.",
        "propagation": "How long it took from node to node; the worst 400 where they are more.",
    },
    "CanaryStepRow": {
        "step": "set, set-anew and delete, looked for through others; none, unicode and large: set"
        " with None, in Unicode, and with 1.5 MB; add: a lock that all race for; incr: a number"
        " that all count up; expiry: 2 seconds; touch: an entry that is prolonged.",
        "tried": "How many were tried to the end.",
        "failed": "How many of them did not do what they should.",
        "of": "What is counted: pairs of views, also of a view with itself; keys; views.",
        "median_seconds": _LAG,
        "max_seconds": _LAG,
    },
    "PropagationRow": {
        "writer": "The node through which it was written.",
        "reader": "The node through which it was looked for; the same one: on itself.",
        "tried": "Writes and deletes that were looked for.",
        "seen": "How many of them were seen.",
        "median_seconds": _LAG,
        "max_seconds": _LAG,
    },
    "StoreRow": {
        "id": "A name for the store within this report.",
        "kind": "Which kind of store: redis, memcached, locmem, …",
        "scope": "Who shares it: one worker, one host, the network; none where there is no store.",
        "identity": "How it is known who shares it: observed from the store, confirmed or"
        " witnessed by entries, unobserved (each view stands for itself), none (no store).",
        "entries": "Entries seen in the fleet's own namespaces; null where they cannot be listed.",
        "foreign": "Entries of other namespaces or other types; never read.",
        "withheld": "Entries whose keys the nodes keep to themselves.",
        "scanned": "Stored keys that were looked at; null where they cannot be listed.",
        "is_scan_complete": "Whether that was all of them; false: --max-scan ended it.",
        "views": "The views that look at this store.",
        "share_lasting": "Of the entries that were read, those that never expire, as a share; null"
        " where none was read.",
        "neighbours": "The other namespaces that were seen in it, the largest first, 100 prefixes"
        " at most.",
    },
    "NeighbourRow": {
        "head": "What its stored keys begin with: prefix and version.",
        "entries": "How many there are among the keys that were looked at.",
        "share": "The same as a share of all keys that were looked at.",
        "share_of_bytes": "About its share of what the store holds, from some entries of each"
        " namespace; null where none could be weighed.",
        "share_lasting": "About the share of its entries that never expire; null as before.",
        "newest_expiry": "The last expiry that was seen: seconds since the epoch, by the"
        " coordinator's clock; null where none was.",
    },
    "ViewRow": {
        "node": "The node's name.",
        "worker": "The worker's label; null for the node as a whole.",
    },
    "NamespaceRow": {
        "prefix": "KEY_PREFIX as observed.",
        "version": "VERSION as observed.",
        "probe": "What make_key returned for a probe key.",
        "views": "The views that use it. " + _VIEWS,
    },
    "CoverageRow": {
        "mode": "all: every key; sample: a random sample of keys; named: keys that were asked for;"
        " none: no key.",
        "keys_compared": "Keys that were read in every view that was heard; where all were"
        " compared, also those whose sums agree.",
        "keys_known": "Keys that there are to compare; null where they were not counted.",
        "views_compared": "Views whose readings were compared.",
        "views_expected": "Views that there should be; null where nobody could say.",
        "notes": "Sentences that qualify these numbers.",
    },
    "AgreementRow": {
        "agreeing": "Compared keys on which all views agree.",
        "diverging": "Compared keys on which they persistently do not.",
        "flapping": "Keys that changed at every look; in neither number.",
        "unread": "Keys that some view could not read; in neither number.",
        "rate": "agreeing / (agreeing + diverging); null where nothing was compared. A rate of 1"
        " in a sample bounds the differing share, it does not prove that there is none.",
        "interval95": f"{_INTERVAL} Null also where every key was compared: the rate is exact.",
    },
    "HitRatioRow": {
        "view": "Whose hits these are.",
        "source": "agent: counted in the process; server: counted by the store.",
        "since": "When counting began, ISO 8601 in UTC, by the clock of whoever counts.",
        "hits": "Keys that were looked for and found.",
        "misses": "Keys that were looked for and not there.",
        "ratio": _RATIO,
        "interval95": _INTERVAL,
        "sets": f"Keys that were written. {_NOT_COUNTED}",
        "deletes": f"Keys that were to be deleted; a clear is one. {_NOT_COUNTED}",
        "errors": f"Calls that raised; neither hit nor miss. {_NOT_COUNTED}",
        "evictions": f"Entries that had to make room for others. {_NOT_COUNTED}",
        "expirations": f"Entries that were removed since their time was over. {_NOT_COUNTED}",
        "own_reads": "Reads of cachecheck through the workers that answered, since these started:"
        " taken off a server's hits and misses. Null beside the source agent, which never counts"
        " them.",
        "looks_per_grouped": "One look in about so many was told apart by key group.",
        "groups": "Key groups: a sample of the looks where looks_per_grouped is not 1.",
    },
    "KeyGroupRow": {
        "name": "What the keys begin with, up to the first separator; null: all other keys.",
        "hits": "Keys of the group that were found, among those looked at.",
        "misses": "Keys of the group that were not there, among those looked at.",
        "ratio": _RATIO,
        "interval95": _INTERVAL,
    },
    "KeyRow": {
        "cache": "The alias it was looked for in.",
        "application": "Whose workers looked.",
        "key": "The key as the application names it, or a digest where it is redacted.",
        "judgement": "healed: all views agree; divergent, missing, …: as the finding says; unread,"
        " kept, closed, open: not to be told.",
        "held": "What the views have, those that agree together, most views first.",
    },
    "HeldRow": {
        "label": "A, B, …: for reference within this key.",
        "views": _VIEWS,
        "releases": "What is deployed at these views, where sites say so.",
        "state": "present, missing, expired (a miss to the application), or failed.",
        "detail": "Why it could not be read; null where it could.",
        "bytes": "The size of what is stored.",
        "kind": "The kind of value: dict, str, shop.Article, …; null where it is not known.",
        "digest": "Some digits by which values of this report are told apart.",
        "codec": "How it is stored: pickle, zlib+json, …; null where it is not known.",
        "expires_at": "Seconds since the epoch, in the coordinator's clock; null: never.",
        "age_seconds": "How old it is if it was set with the default timeout; null where it cannot"
        " have been.",
        "written_by": "The Django that a pickled model or queryset names.",
        "structure_unknown": "Why its structure cannot be told; null where it can.",
        "unreadable": "What the application at these views lacks to read it.",
        "shown": "The value as text, where it was asked for and the node allows that.",
    },
    "Finding": {
        "code": "The code, for filters and for cachecheck explain.",
        "name": "The same for people.",
        "severity": "How grave it is here; --fail-on compares with it.",
        "message": "The statement, in one sentence.",
        "remedy": "What to change.",
        "cache": "The cache alias; null where it concerns the fleet.",
        "subject": "The key, node or store that it is about; null where it is the whole cache.",
        "groups": "The views that differ, grouped by what they agree on.",
        "evidence": "What supports it; names end in the unit (_seconds, _bytes) where they have"
        " one. Which names there are depends on the code.",
        "explained_by": "The code of the finding that explains this one, if any.",
        "is_known": "Whether the --baseline report had it; then it does not count.",
    },
    "Group": {
        "label": "A short name for the group within its finding: A, B, …",
        "views": _VIEWS,
        "value": "What they agree on, where it can be shown: never the value of an entry.",
        "state": "The state of the entry there: present, missing, expired or failed.",
        "bytes": "The stored size of the entry there, in bytes.",
        "expires_at": "When it expires: seconds since the epoch, by the coordinator's clock. Null"
        " beside the state present: it never does, or that was not compared.",
    },
}
