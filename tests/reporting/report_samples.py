"""Reports as real runs make them, and a strategy for any report at all."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from cachecheck import model
from cachecheck.intervals import wilson

STARTED = "2026-01-01T00:00:00Z"
STARTED_EPOCH = 1_767_225_600.0


def worker(node: str, pid: int, **changes: Any) -> model.WorkerRow:
    fields: dict[str, Any] = {
        "id": f"{node}:{pid}",
        "host": node,
        "pid": pid,
        "role": "web",
        "started_at": "2025-12-31T20:00:00Z",
        "python": "3.12.1",
        "django": "6.1.3",
        "release": "2026.11.2",
        "application": "shop",
    }
    return model.WorkerRow(**fields | changes)


def node(name: str, pids: tuple[int, ...] = (4211, 4212, 4213), **changes: Any) -> model.NodeRow:
    fields: dict[str, Any] = {
        "name": name,
        "url": f"http://{name}:8000/cachecheck/",
        "state": "answered",
        "detail": None,
        "workers_expected": len(pids),
        "clock_offset_seconds": 0.0012,
        "rtt_seconds": 0.0034,
        "workers": tuple(worker(name, pid) for pid in pids),
    }
    return model.NodeRow(**fields | changes)


def down(name: str) -> model.NodeRow:
    return node(
        name,
        (),
        state="unreachable",
        detail="connection refused, 3 tries",
        workers_expected=None,
        clock_offset_seconds=None,
        rtt_seconds=None,
    )


def views(*nodes: model.NodeRow) -> tuple[str, ...]:
    return tuple(each.id for row in nodes for each in row.workers)


def store(nodes: tuple[model.NodeRow, ...], **changes: Any) -> model.StoreRow:
    rows = tuple(
        model.ViewRow(node=row.name, worker=each.id) for row in nodes for each in row.workers
    )
    fields: dict[str, Any] = {
        "id": "s1",
        "kind": "redis",
        "scope": "network",
        "identity": "observed",
        "entries": 120_331,
        "foreign": 0,
        "withheld": 0,
        "scanned": 120_331,
        "is_scan_complete": True,
        "views": rows,
    }
    return model.StoreRow(**fields | changes)


def cache(
    nodes: tuple[model.NodeRow, ...], *, agreeing: int = 500, diverging: int = 0, **changes: Any
) -> model.CacheRow:
    seen = views(*nodes)
    compared = agreeing + diverging
    fields: dict[str, Any] = {
        "alias": "default",
        "stores": (store(nodes),),
        "namespaces": (
            model.NamespaceRow(prefix="shop", version="1", probe="shop:1:x", views=seen),
        ),
        "coverage": model.CoverageRow(
            mode="sample",
            keys_compared=compared,
            keys_known=120_331,
            views_compared=len(seen),
            views_expected=len(seen),
        ),
        "agreement": model.AgreementRow(
            agreeing=agreeing,
            diverging=diverging,
            flapping=0,
            unread=0,
            rate=agreeing / compared if compared else None,
            interval95=wilson(agreeing, compared) if compared else None,
        ),
        "hit_ratios": (
            model.HitRatioRow(
                view=model.ViewRow(node="web-1", worker=None),
                source="agent",
                since="2026-01-01T00:00:00Z",
                hits=9120,
                misses=880,
                ratio=0.912,
                interval95=wilson(9120, 10_000),
            ),
        ),
    }
    return model.CacheRow(**fields | changes)


def finding(code: str = "V001", **changes: Any) -> model.Finding:
    fields: dict[str, Any] = {
        "code": code,
        "name": "value-divergence",
        "severity": "error",
        "message": "2 values on 3 nodes; web-3 is alone with its own",
        "remedy": "Find what writes this key on one side only.",
        "cache": "default",
        "subject": "user:1:profile",
    }
    return model.Finding(**fields | changes)


def report(
    nodes: tuple[model.NodeRow, ...],
    findings: tuple[model.Finding, ...] = (),
    **changes: Any,
) -> model.Report:
    answered = tuple(row for row in nodes if row.workers)
    fields: dict[str, Any] = {
        "run": model.RunRow(
            id="7f3c21d09ab4e655", version="0.1.0", started_at=STARTED, duration_seconds=1.234
        ),
        "verdict": "consistent",
        "nodes": nodes,
        "caches": (cache(answered),),
        "findings": findings,
    }
    return model.Report(**fields | changes)


WEB = (node("web-1"), node("web-2"), node("web-3"))


def healthy() -> model.Report:
    return report(WEB)


def locmem() -> model.Report:
    seen = views(*WEB)
    split = tuple(
        store(
            (),
            id=f"s{index}",
            kind="locmem",
            scope="worker",
            entries=12,
            scanned=12,
            views=(model.ViewRow(node=view.split(":")[0], worker=view),),
        )
        for index, view in enumerate(seen)
    )
    b001 = finding(
        "B001",
        name="process-local-cache",
        subject=None,
        message="LocMemCache behind 9 workers is 9 separate caches: what one worker writes, no "
        "other sees",
        remedy="Use one store that all workers share (Redis, memcached or the database), or "
        'declare SCOPES = {"default": "worker"} where this is meant.',
        groups=tuple(
            model.Group(label=chr(65 + index), views=(view,)) for index, view in enumerate(seen)
        ),
        evidence={"backend": "django.core.cache.backends.locmem.LocMemCache", "stores": 9},
    )
    v001 = finding(
        message="2 values in 9 views; web-3:4213 is alone with its own",
        groups=(
            model.Group(
                label="A",
                views=seen[:-1],
                state="present",
                bytes=312,
                expires_at=STARTED_EPOCH + 270,
            ),
            model.Group(
                label="B",
                views=seen[-1:],
                state="present",
                bytes=308,
                expires_at=STARTED_EPOCH + 200,
            ),
        ),
        evidence={"differs_at": [".email"], "looked": 4, "persisted_seconds": 10.1},
        remedy="Find what writes this key in one worker only; then delete it there.",
    )
    h003 = finding(
        "H003",
        name="hits-not-counted",
        severity="info",
        subject=None,
        message="web-2 does not count hits, the others do",
        remedy="Set COUNT_HITS alike on all nodes.",
    )
    named = cache(
        WEB,
        agreeing=1,
        diverging=1,
        stores=split,
        coverage=model.CoverageRow(
            mode="named", keys_compared=2, keys_known=None, views_compared=9, views_expected=9
        ),
    )
    return report(WEB, (b001, v001, h003), verdict="divergent", caches=(named,))


def node_down() -> model.Report:
    f001 = finding(
        "F001",
        name="node-unreachable",
        cache=None,
        subject="web-4",
        message="web-4 did not answer: connection refused by 10.0.0.14:8000, 3 tries in 4.2 s",
        remedy="See whether the node is up and listens at this address; if it is gone for good, "
        "take it out of the fleet.",
        evidence={"url": "http://web-4:8000/cachecheck/", "tries": 3, "waited_seconds": 4.2},
    )
    return report(
        (*WEB, down("web-4")),
        (f001,),
        verdict="undecided",
        undecided=("web-4 did not answer, so none of its caches was compared.",),
    )


def prefix_drift() -> model.Report:
    n001 = finding(
        "N001",
        name="prefix-drift",
        subject=None,
        message="2 prefixes on 3 nodes; web-3 is alone with its own, so it reads and writes "
        "entries that no other node sees",
        remedy="Give every node the same KEY_PREFIX (and KEY_FUNCTION): see CACHES on web-3.",
        groups=(
            model.Group(label="A", views=views(*WEB[:2]), value="shop"),
            model.Group(label="B", views=views(WEB[2]), value="shop-new"),
        ),
        evidence={"probe": "shop:1:cachecheck-probe-1f"},
    )
    return report(WEB, (n001,), verdict="divergent")


def many_values(number: int = 200) -> model.Report:
    groups = (
        model.Group(label="A", views=views(*WEB[:2]), state="present", bytes=312),
        model.Group(label="B", views=views(WEB[2]), state="present", bytes=308),
    )
    found = tuple(
        finding(
            subject=f"user:{index}:profile",
            groups=groups,
            evidence={"differs_at": [".email"], "looked": 4, "persisted_seconds": 10.1},
        )
        for index in range(1, number + 1)
    )
    return report(
        WEB, found, verdict="divergent", caches=(cache(WEB, agreeing=800, diverging=number),)
    )


def sixty_nodes() -> model.Report:
    nodes = tuple(node(f"web-{index:02}", rtt_seconds=index / 5000) for index in range(1, 60))
    expiring = finding(
        "T001",
        name="expiry-drift",
        severity="warning",
        subject="nav:menu",
        message="2 expiries on 59 nodes; web-17 is alone with its own, 10 min later",
        remedy="Compare the clock and TIMEOUT of web-17 with the others.",
        groups=(
            model.Group(
                label="A",
                views=views(*nodes[:16], *nodes[17:]),
                state="present",
                expires_at=STARTED_EPOCH + 300,
            ),
            model.Group(
                label="B",
                views=views(nodes[16]),
                state="present",
                expires_at=STARTED_EPOCH + 900,
            ),
        ),
    )
    return report(
        (*nodes, down("web-60")),
        (expiring,),
        verdict="divergent",
        undecided=("web-60 did not answer, so none of its caches was compared.",),
    )


SAMPLES = (healthy, locmem, node_down, prefix_drift, many_values, sixty_nodes)


# --- any report --------------------------------------------------------------------------------

_COUNTS = st.integers(0, 2**70)
_CODES = st.from_regex(r"[A-Z][0-9]{3}", fullmatch=True)
_TIMES = st.datetimes().map(lambda time: f"{time.isoformat()}Z")
_SHARES = st.floats(0, 1)

HOSTILE = st.text(
    st.sampled_from(
        "ab:.-/ \x1b[]0m\x07\x9b\r\n\t\x00\x7f\u202e\u2028\u200b\ud800\\語ßé\U0001f600"
    ),
    max_size=60,
) | st.text(st.characters(), max_size=120)


def any_struct(kind: Any, texts: st.SearchStrategy[str], *, is_odd: bool) -> Any:
    """Draw a struct of the model; ``is_odd`` also draws what no honest run would write."""
    fields = msgspec.structs.fields(kind)
    return st.builds(
        kind, **{each.name: _field(each.name, each.type, texts, is_odd=is_odd) for each in fields}
    )


def _field(name: str, kind: Any, texts: st.SearchStrategy[str], *, is_odd: bool) -> Any:
    narrower = {
        "evidence": st.dictionaries(texts, _json(texts, is_odd=is_odd), max_size=3),
        "findings_left_out": st.dictionaries(_CODES, _COUNTS, max_size=3),
        "interval95": st.none() | st.tuples(_SHARES, _SHARES),
        "rate": st.none() | _SHARES,
        "ratio": st.none() | _SHARES,
        "share": _SHARES,
        "share_of_bytes": st.none() | _SHARES,
        "share_lasting": st.none() | _SHARES,
    }
    if not is_odd:
        narrower |= {"code": _CODES, "explained_by": st.none() | _CODES, "started_at": _TIMES}
    return narrower[name] if name in narrower else _typed(kind, texts, is_odd=is_odd)


def _typed(kind: Any, texts: st.SearchStrategy[str], *, is_odd: bool) -> Any:
    arguments = getattr(kind, "__args__", ())
    numbers = st.floats() if is_odd else st.floats(0, 1e12)
    scalars = {str: texts, int: _COUNTS, float: numbers}
    if kind in scalars:
        return scalars[kind]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return any_struct(kind, texts, is_odd=is_odd)
    if getattr(kind, "__origin__", None) is tuple:
        return st.lists(_typed(arguments[0], texts, is_odd=is_odd), max_size=3).map(tuple)
    if type(None) in arguments:
        return st.none() | _typed(arguments[0], texts, is_odd=is_odd)
    return st.from_type(kind)


def _json(texts: st.SearchStrategy[str], *, is_odd: bool) -> st.SearchStrategy[Any]:
    numbers = st.floats(allow_nan=is_odd, allow_infinity=is_odd)
    return st.recursive(
        st.none() | st.booleans() | st.integers() | numbers | texts,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=6,
    )


hostile_reports = any_struct(model.Report, HOSTILE, is_odd=True)
plain_reports = any_struct(model.Report, st.text(max_size=30), is_odd=False)
