"""Nodes and workers: F001 to F008."""

from __future__ import annotations

from cachecheck.rules.catalogue.kind import Kind

KINDS = (
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
        remedy="Let the node's workers relay probes to each other: the message and `cachecheck "
        "nodes` tell why they do not. Where they cannot, raise --deadline so that more bursts can "
        "be sent. Set CACHECHECK['EXPECTED_WORKERS'] where the number is unknown or wrong.",
    ),
    Kind(
        code="F005",
        name="version-drift",
        severity="warning",
        meaning="Workers of one application run different versions of what writes and reads cache "
        "entries.",
        detection="Python, Django, cache clients, agent, the highest pickle protocol and the "
        "libraries that serializers and compressors take are compared within one application. It "
        "is a warning where entries may not be readable: shared pickles under several feature "
        "releases of Python or Django, a pickle protocol that some cannot read, a library that "
        "some lack. All else is information.",
        not_confused_with="Patch releases, which are said to be no more than that; other codecs, "
        "which are B010.",
        remedy="Deploy the same image or lock file everywhere. Until then give the new version its "
        "own entries (another VERSION or KEY_PREFIX in CACHES), or set OPTIONS['PICKLE_VERSION'] "
        "(django-redis) or a JSON serializer that both can read. Install the library that is "
        "missing.",
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
        meaning="A worker ended while the run was on, and mostly another took its place; what it "
        "had said of its caches does not count.",
        detection="The process that was heard at first was gone at the end: its siblings know it "
        "no more, or, where workers do not relay, it was not heard again and others were.",
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
