"""N004, N005 and T004: what lies in a store beside what is meant to be there."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cachecheck.heads import SeenPrefix, SeenVersion, Weighed
from cachecheck.model import StoreIdentity
from cachecheck.rules import collisions, orphans, ttl
from cachecheck.rules.observations import Contents, Findings, ObservedNode, View
from observed import HOUR, NOW, cache, codes, fleet, grouped, healthy, namespace, node, web

USED = ("shop:1:",)
FOR_GOOD = Weighed(keys=10, weight_bytes=1000, lasting=10)


def seen(prefix: str = "blog", version: int = 1, entries: int = 500, **weighed: Any) -> SeenPrefix:
    weights = msgspec.structs.replace(FOR_GOOD, **weighed)
    return SeenPrefix(
        prefix=prefix, versions=(SeenVersion(version=version, entries=entries, weighed=weights),)
    )


def contents(*prefixes: SeenPrefix, **changed: Any) -> Contents:
    fields: dict[str, Any] = {
        "cache": "default",
        "application": "shop",
        "store": "one",
        "view": View(node="web-1", worker="web-1:1", cache="default"),
        "scanned": 1000,
        "own": 500,
        "is_complete": True,
        "prefixes": prefixes,
        "weighed": Weighed(keys=10, weight_bytes=3000),
        "timeouts": (300.0,),
    }
    return Contents(**fields | changed)


def orphaned(*found: Contents, used: tuple[str, ...] = USED, **changed: Any) -> Findings:
    return orphans.check(
        msgspec.structs.replace(healthy(), **changed), found, used, lambda head: f"<{head}>"
    )


# --- N004 ----------------------------------------------------------------------------------


def test_namespace_that_nobody_uses_is_named_with_its_shares() -> None:
    (found,) = orphaned(contents(seen()))
    assert (found.code, found.severity, found.cache) == ("N004", "warning", "default")
    assert found.subject == "<blog:1:>"
    assert found.message == (
        "500 entries under <blog:1:>, which no view uses: 50 % of the keys in its store, and about "
        "25 % of the bytes; an application that is not in the fleet may keep them"
    )
    assert found.evidence["share_of_keys"] == 0.5
    assert found.evidence["share_by_size"] == 0.25
    assert found.evidence["share_without_expiry"] == 1.0


def test_store_that_holds_what_is_used_and_nothing_else_is_silent() -> None:
    assert orphaned(contents()) == ()
    assert orphaned(contents(seen("sessions")), used=(*USED, "sessions:1:")) == ()


@pytest.mark.parametrize("head", ["blog:1:tenant:", "bl"])
def test_namespace_that_may_be_part_of_one_in_use_is_no_orphan(head: str) -> None:
    assert orphaned(contents(seen()), used=(*USED, head)) == ()


def test_handful_of_keys_is_no_orphan() -> None:
    assert orphaned(contents(seen(entries=19))) == ()
    assert orphaned(contents(seen(entries=900), scanned=100_000, own=99_100)) == ()
    large = seen(entries=900, weight_bytes=100_000)
    assert codes(orphaned(contents(large, scanned=100_000, own=99_100))) == ["N004"]


def test_numbers_and_other_types_than_strings_are_no_namespace() -> None:
    assert orphaned(contents(SeenPrefix(prefix="user", versions=()))) == ()
    assert orphaned(contents(seen(keys=0, untold=16, weight_bytes=0, lasting=0))) == ()


def test_namespace_in_a_store_that_cannot_weigh_is_told_without_bytes() -> None:
    nothing = seen(keys=0, weight_bytes=0, lasting=0)
    (found,) = orphaned(contents(nothing, weighed=Weighed()))
    assert found.severity == "warning"
    assert "share_by_size" not in found.evidence


def test_entries_from_before_the_restart_that_expire_soon_are_information() -> None:
    def found(seconds: float, **changed: Any) -> str:
        expiring = seen(lasting=0, newest_expiry=NOW - HOUR + seconds)
        (one,) = orphaned(contents(expiring, **changed))
        return one.severity

    assert found(300) == "info"
    assert found(400) == "warning"  # somebody has written it since
    assert found(300, timeouts=(None,)) == "warning"
    (lasting,) = orphaned(contents(seen(lasting=1, newest_expiry=NOW - HOUR + 300)))
    assert lasting.severity == "warning"


def test_another_version_of_a_prefix_in_use_is_information() -> None:
    (found,) = orphaned(contents(seen("shop", 2)))
    assert found.severity == "info"
    assert "another version" in found.message
    (bare,) = orphaned(contents(seen("", 2)), used=(":1:",))
    assert bare.severity == "info"


def test_namespace_that_a_key_function_may_make_is_information() -> None:
    (found,) = orphaned(contents(seen(), is_computed=True))
    assert found.severity == "info"


def test_namespace_of_a_node_that_did_not_answer_may_be_in_use() -> None:
    silent: ObservedNode = node("web-9", state="unreachable")
    (found,) = orphaned(contents(seen()), nodes=(*healthy().nodes, silent))
    assert found.severity == "info"
    assert "web-9" in found.message


def test_namespace_in_stores_without_nodes_is_information() -> None:
    (found,) = orphaned(contents(seen(), is_used_by_nodes=False))
    assert found.severity == "info"


def test_one_store_seen_through_two_aliases_is_one_finding() -> None:
    assert len(orphaned(contents(seen()), contents(seen(), cache="other"))) == 1
    (found,) = orphaned(contents(seen()), contents(seen(entries=600), store="two"))
    assert (found.evidence["stores"], found.evidence["entries"]) == (2, 600)


# --- N005 ----------------------------------------------------------------------------------


def colliding(grade: str = "observed", *found: Contents, **blog: Any) -> Findings:
    identity = StoreIdentity(grade=grade, token="one", address="redis:6379/0")  # type: ignore[arg-type]
    shop = web("web-1", cache(identity=identity), workers=2)
    other = web("blog-1", cache(**{"identity": identity} | blog), application="blog")
    return collisions.check(fleet(shop, other), found)


def test_two_applications_in_one_namespace_of_one_store_are_named() -> None:
    (found,) = colliding()
    assert (found.code, found.severity) == ("N005", "warning")
    assert grouped(found) == {"shop": ("web-1:1", "web-1:2"), "blog": ("blog-1:1",)}
    assert found.subject == "blog and shop"
    assert found.evidence["stored_keys"] == "shop:1:{key}"


def test_applications_with_a_namespace_or_a_store_each_are_silent() -> None:
    assert colliding(namespace=namespace("blog")) == ()
    assert colliding(identity=StoreIdentity(grade="observed", token="two")) == ()
    assert colliding(identity=StoreIdentity(grade="unobserved")) == ()
    assert colliding(kind="dummy") == ()


def test_workers_of_one_application_are_no_collision() -> None:
    assert collisions.check(healthy(), ()) == ()


def test_identity_that_is_only_suggested_must_be_witnessed_by_samples() -> None:
    alike = [contents(sample=("a", "b", "c", "d"), application=name) for name in ("shop", "blog")]
    apart = [contents(sample=tuple(name), application=name) for name in ("shop", "blog")]
    assert codes(colliding("suggested", *alike)) == ["N005"]
    assert colliding("suggested", *apart) == ()
    assert colliding("suggested", alike[0]) == ()
    assert colliding("suggested") == ()


# --- T004 ----------------------------------------------------------------------------------


def never_expiring(lasting: int, known: int = 1000, **changed: Any) -> Findings:
    return ttl.check(healthy(), [contents(lasting=lasting, expiring_known=known, **changed)])


def test_entries_that_never_expire_are_told_with_their_share_and_interval() -> None:
    (found,) = never_expiring(250)
    assert (found.code, found.severity, found.subject) == ("T004", "info", "shop")
    assert "25.0 % of the entries" in found.message
    low, high = found.evidence["interval95"]
    assert low < 0.25 < high


def test_some_entries_that_stay_are_normal() -> None:
    assert never_expiring(55) == ()  # it may be 5 %
    assert never_expiring(19, 19) == ()
    assert never_expiring(0, 0) == ()


def test_share_over_every_key_is_exact() -> None:
    (found,) = never_expiring(55, is_exact=True)
    assert "interval95" not in found.evidence


def test_cache_that_keeps_entries_for_good_by_default_is_silent() -> None:
    assert never_expiring(900, timeouts=(None,)) == ()
    assert never_expiring(900, timeouts=()) == ()
