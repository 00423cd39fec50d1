from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachecheck.rules.namespace import check
from observed import (
    PROBE_KEY,
    cache,
    codes,
    fleet,
    grouped,
    healthy,
    namespace,
    unseen_cache,
    web,
    worker,
)
from observed import node as make_node

if TYPE_CHECKING:
    from cachecheck.rules.observations import ObservedNode


def spaced(name: str, *space: str, **namespaced: str) -> ObservedNode:
    return web(name, cache(namespace=namespace(*space, **namespaced)))


def test_equal_namespaces_are_silent() -> None:
    assert check(healthy()) == ()


def test_another_prefix_on_one_node_is_exactly_one_finding_that_names_it() -> None:
    (found,) = check(fleet(web("web-1"), web("web-2"), spaced("web-3", "blog")))
    assert (found.code, found.severity) == ("N001", "error")
    assert (found.cache, found.subject) == ("default", "shop")
    assert found.message == "the key prefix differs: blog on web-3; shop on the other 2 of 3 views"
    assert grouped(found) == {"shop": ("web-1:1", "web-2:1"), "blog": ("web-3:1",)}
    assert found.evidence["stored_keys"] == ["shop:1:{key}", "blog:1:{key}"]


def test_empty_prefix_is_shown_as_such() -> None:
    (found,) = check(fleet(web("web-1"), web("web-2"), spaced("web-3", "")))
    assert "'' on web-3" in found.message


def test_two_prefixes_on_as_many_views_are_a_split_that_blames_nobody() -> None:
    (found,) = check(fleet(web("web-1"), spaced("web-2", "blog")))
    assert "a split without a majority" in found.message


def test_another_version_under_one_prefix_is_version_drift() -> None:
    (found,) = check(fleet(web("web-1"), web("web-2"), spaced("web-3", version="2")))
    assert (found.code, found.severity) == ("N002", "error")
    assert "2 on web-3" in found.message
    assert grouped(found) == {"1": ("web-1:1", "web-2:1"), "2": ("web-3:1",)}


def test_another_prefix_with_another_version_is_one_prefix_drift() -> None:
    found = check(fleet(web("web-1"), web("web-2"), spaced("web-3", "blog", "2")))
    assert codes(found) == ["N001"]


def test_prefix_and_version_that_differ_on_different_nodes_are_one_finding_each() -> None:
    found = check(
        fleet(web("web-1"), web("web-2"), spaced("web-3", "blog"), spaced("web-4", version="2"))
    )
    assert codes(found) == ["N001", "N002"]
    assert grouped(found[0])["blog"] == ("web-3:1",)
    assert grouped(found[1])["2"] == ("web-4:1",)


def test_another_key_function_is_named_by_its_form() -> None:
    odd = spaced("web-3", stored_probe=f"shop/1/{PROBE_KEY}")
    (found,) = check(fleet(web("web-1"), web("web-2"), odd))
    assert (found.code, found.severity) == ("N003", "error")
    assert "shop/1/{key} on web-3" in found.message
    assert grouped(found) == {"shop:1:{key}": ("web-1:1", "web-2:1"), "shop/1/{key}": ("web-3:1",)}


def test_keys_made_with_hash_differ_on_every_worker() -> None:
    nodes = [spaced(f"web-{n}", stored_probe=f"digest-{n}") for n in range(1, 4)]
    (found,) = check(fleet(*nodes))
    assert found.code == "N003"
    assert len(found.groups) == 3


def test_prefix_that_does_not_show_in_the_stored_key_is_no_difference() -> None:
    nodes = [spaced(f"web-{n}", prefix=f"p{n}", stored_probe="digest") for n in (1, 2)]
    assert check(fleet(*nodes)) == ()


def test_prefixes_that_do_not_show_are_not_blamed_for_another_key_function() -> None:
    found = check(
        fleet(
            spaced("web-1", prefix="x", stored_probe="digest"),
            spaced("web-2", prefix="y", stored_probe="digest"),
            spaced("web-3", prefix="x", stored_probe="other"),
        )
    )
    assert codes(found) == ["N003"]


def test_worker_of_one_node_can_be_the_outlier() -> None:
    workers = [worker("web-1", pid) for pid in (1, 2)]
    odd = worker("web-1", 3, (cache(namespace=namespace("blog")),), role="command")
    (found,) = check(fleet(make_node("web-1", [*workers, odd])))
    assert "blog on web-1:3" in found.message


def test_each_alias_is_judged_by_itself() -> None:
    odd = [cache("default"), cache("sessions", namespace=namespace("blog"))]
    (found,) = check(fleet(web("web-1", cache("default"), cache("sessions")), web("web-2", *odd)))
    assert found.cache == "sessions"


def test_applications_may_have_prefixes_of_their_own() -> None:
    blog = web("blog-1", cache(namespace=namespace("blog")), application="blog")
    assert check(fleet(web("web-1"), blog)) == ()


def test_prefix_of_a_dummy_cache_means_nothing() -> None:
    nodes = [web(f"web-{n}", cache(kind="dummy", namespace=namespace(f"p{n}"))) for n in (1, 2)]
    assert check(fleet(*nodes)) == ()


def test_backend_that_could_not_be_looked_at_is_no_difference() -> None:
    assert check(fleet(web("web-1"), web("web-2", unseen_cache()))) == ()


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("12")), min_size=1, max_size=9),
)
def test_prefixes_and_versions_make_at_most_one_finding_each_whose_groups_partition(
    spaces: list[tuple[str, str]],
) -> None:
    nodes = [spaced(f"web-{n}", *space) for n, space in enumerate(spaces)]
    found = check(fleet(*nodes))
    assert len(codes(found)) == len(set(codes(found)))
    assert bool(found) == (len(set(spaces)) > 1)
    for one in found:
        views = [view for group in one.groups for view in group.views]
        assert sorted(views) == sorted(f"web-{n}:1" for n in range(len(spaces)))


@pytest.mark.parametrize("names", [("a", "b", "c"), ("z", "y", "x")])
def test_names_of_nodes_change_nothing_but_names(names: tuple[str, str, str]) -> None:
    first, second, third = names
    (found,) = check(fleet(web(first), spaced(second, "blog"), spaced(third, "news")))
    assert [group.views for group in found.groups] == [(f"{name}:1",) for name in names]
    assert [group.value for group in found.groups] == ["shop", "blog", "news"]
