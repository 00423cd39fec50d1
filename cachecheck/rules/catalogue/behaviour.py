"""Behaviour, as a canary finds it: C001 to C006."""

from __future__ import annotations

from cachecheck.rules.catalogue.kind import Kind

KINDS = (
    Kind(
        code="C001",
        name="write-not-visible",
        severity="error",
        meaning="What is set through one view is absent, or still the old value, through another: "
        "users see one or the other depending on the worker that serves them.",
        detection="A canary set a value through each view and looked for it through others until "
        "--settle was over; what was not, or raised an error, was written once more. A value of "
        "1.5 MB that the store refuses is a warning where the client drops it in silence, and "
        "information where it raises an error.",
        not_confused_with="A write that is seen late (C006); views that are declared to have "
        "stores of their own; a view that could not be read, which is undecided.",
        remedy="If B001, B002, B003 or a namespace finding is reported for this cache, mend that "
        "first. Where set() raised an error, the view writes to a server that takes no writes: "
        "correct the first entry of LOCATION. For large values raise the server's limit (memcached "
        "-I 2m), or cache less.",
    ),
    Kind(
        code="C002",
        name="delete-not-visible",
        severity="error",
        meaning="What is deleted through one view is still there through another, so that "
        "invalidation does not reach all workers.",
        detection="A canary deleted through each view what the others had seen, and it was still "
        "seen through some of them when --settle was over.",
        not_confused_with="A delete that takes effect late (C006); copies in different stores, "
        "which never saw the value (C001).",
        remedy="Look for a cache in front of the cache: a backend of the site's own that keeps "
        "copies in the process, or a client with local caching switched on.",
    ),
    Kind(
        code="C003",
        name="lock-not-exclusive",
        severity="error",
        meaning="Several workers can hold the same lock: add() of one key succeeded in more than "
        "one of them.",
        detection="A canary added fresh keys through all views at once, and again with other keys; "
        "some were won more than once each time.",
        not_confused_with="An entry that was evicted between two calls, which does not happen "
        "twice.",
        remedy="Use a store that all workers share and whose add() is one command (Redis, "
        "memcached) for locks. LocMemCache and DummyCache cannot lock between processes, and "
        "add() of FileBasedCache looks first and writes then.",
    ),
    Kind(
        code="C004",
        name="counter-loses-updates",
        severity="error",
        meaning="Counters come out too low or too high: increments through several workers do not "
        "add up.",
        detection="A canary incremented one key through all views at once, and the number that "
        "they read afterwards is not that of the increments that succeeded, until --settle was "
        "over.",
        not_confused_with="A number that arrives late (C006); increments that raised an error, of "
        "which nothing is known.",
        remedy="Count in a store whose incr() is one command (Redis, memcached). FileBasedCache "
        "and DatabaseCache read, add and write, so that two workers at once lose one of two "
        "increments; LocMemCache counts in each process.",
    ),
    Kind(
        code="C005",
        name="expiry-not-honoured",
        severity="error",
        meaning="Entries do not live as long as they were asked to: gone too early, still there "
        "after their time, or not prolonged by touch().",
        detection="A canary set a key for 2 seconds and looked before and after, and prolonged "
        "another one with touch(); what was wrong was tried twice, with fresh keys.",
        not_confused_with="What the store's whole seconds leave open; an entry that was evicted "
        "once.",
        remedy="Look for a backend of the site's own that changes timeouts, for clocks that differ "
        "between workers of a file or database cache (F003), and for a store so full that it "
        "evicts what is new (B008).",
    ),
    Kind(
        code="C006",
        name="slow-propagation",
        severity="warning",
        meaning="What is written through one view is seen through another, but late: until then "
        "users see what was before.",
        detection="It was surely not there yet after --lag-tolerance, came later, and did so at "
        "least in two of: setting, setting anew, deleting.",
        not_confused_with="Network delay and clocks: only the time counts in which a look that "
        "began after the write did not find it.",
        remedy="If reads go to a replica, see whether it lags (INFO replication), and read from "
        "the primary what must be fresh. Raise --lag-tolerance where the delay is meant.",
    ),
)
