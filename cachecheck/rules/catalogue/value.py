"""Values: V001 to V006."""

from __future__ import annotations

from cachecheck.rules.catalogue.kind import Kind

KINDS = (
    Kind(
        code="V001",
        name="value-divergence",
        severity="error",
        meaning="One key has different values on different views, and it stays so: users see one "
        "or the other depending on the worker that serves them.",
        detection="Structural digests differ and went on differing through the settle time. Where "
        "the bytes differ and the structure cannot be told, it is a warning. Trees of digests show "
        "at which paths the values differ.",
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
        code="V004",
        name="unreadable-value",
        severity="error",
        meaning="The application on some view cannot read what is stored under a key: it raises an "
        "error there, or takes the entry for a miss.",
        detection="A class, module or model that the value refers to is not there in the worker, "
        "or the bytes cannot be decoded by the codec configured there. Nothing is imported or "
        "loaded to find out, and a second look must say the same. Looked at are named keys, keys "
        "that differ, and up to 100 of the sample, on each node through a worker of each release.",
        not_confused_with="A codec that cachecheck does not know, and values too large to say, "
        "which are no finding; a module that no process has loaded yet, which counts as there "
        "where its file is.",
        remedy="Delete the key, or deploy the release that wrote it on that node as well (F006, "
        "F005, B010). Put a version into keys whose values are objects of your own, or cache plain "
        "dicts, so that releases do not meet each other's classes.",
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
    Kind(
        code="V006",
        name="stale-entry",
        severity="error",
        meaning="An entry is not what the site's own source of truth gives for its key: users see "
        "what was changed or deleted long ago.",
        detection="A function of CACHECHECK['TRUTH'], called on a node before and after the entry "
        "was read, gave values of another structure than the entry's, or no object at all; over "
        "several looks, through the settle time, in which the entry stayed the same.",
        not_confused_with="A write on its way, which heals within --settle; a value that is "
        "written or changes meanwhile; an entry that differs between views (V001).",
        remedy="Look for code that changes the object and does not delete or set the key: bulk "
        "updates, other programs, imports, a signal that is not sent. Then delete the key. Where "
        "entries may be old for a while by design, take their pattern out of TRUTH.",
    ),
)
