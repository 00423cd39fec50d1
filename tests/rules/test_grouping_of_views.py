from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cachecheck.rules import grouping
from observed import fleet, healthy, node, web, worker

VALUES = st.dictionaries(st.text(min_size=1, max_size=3), st.sampled_from("abcd"), min_size=1)


@given(VALUES)
def test_groups_partition_the_views_and_agree_within(values: dict[str, str]) -> None:
    groups = grouping.group_by(values)
    views = [view for group in groups for view in group.views]
    assert sorted(views) == sorted(values)
    assert all(values[view] == group.value for group in groups for view in group.views)
    assert len({group.value for group in groups}) == len(groups)
    assert len({group.label for group in groups}) == len(groups)


@given(VALUES)
def test_majority_has_more_than_half_and_outliers_are_all_others(values: dict[str, str]) -> None:
    groups = grouping.group_by(values)
    most = grouping.majority(groups)
    sizes = sorted((len(group.views) for group in groups), reverse=True)
    assert (most is not None) == (2 * sizes[0] > len(values))
    others = set(values) - set(most.views) if most else set()
    assert set(grouping.outliers(groups)) == others


def test_largest_group_comes_first_and_equal_ones_in_the_order_of_the_fleet() -> None:
    groups = grouping.group_by({"z": "1", "y": "2", "x": "3", "w": "3"})
    assert [(group.label, group.views) for group in groups] == [
        ("A", ("x", "w")),
        ("B", ("z",)),
        ("C", ("y",)),
    ]


def test_labels_go_on_after_z() -> None:
    assert [grouping.label(index) for index in (0, 25, 26, 27, 701, 702)] == [
        "A", "Z", "AA", "AB", "ZZ", "AAA",
    ]  # fmt: skip


def test_nodes_stand_for_their_workers_where_all_are_meant() -> None:
    seen = healthy(nodes=2, workers=2)
    assert grouping.name_views(("web-1:1", "web-1:2", "web-2:2"), seen) == "web-1 and web-2:2"


def test_many_names_are_cut_short() -> None:
    seen = healthy(nodes=9, workers=1)
    views = [one.label for one in seen.workers]
    assert grouping.name_views(views, seen) == "web-1, web-2 and 7 more"
    assert grouping.name_views(views[:3], seen) == "web-1, web-2 and web-3"
    assert grouping.name_views(views[:1], seen) == "web-1"
    assert grouping.name_views((), seen) == ""


def test_views_outside_the_fleet_are_named_by_themselves() -> None:
    assert grouping.name_views(("redis://h",), healthy()) == "redis://h"


def test_worker_that_went_away_is_not_missed_in_its_node() -> None:
    seen = fleet(node("web-1", [worker("web-1", 1), worker("web-1", 2)], restarted=("web-1:1",)))
    assert [one.label for one in grouping.standing(seen.nodes[0])] == ["web-1:2"]
    assert grouping.name_views(("web-1:2",), seen) == "web-1"


def test_workers_that_all_went_away_are_the_last_that_is_known() -> None:
    gone = node("web-1", [worker("web-1", 1)], restarted=("web-1:1",))
    assert [one.label for one in grouping.standing(gone)] == ["web-1:1"]


def test_contrast_names_a_few_values_and_counts_the_rest() -> None:
    values = {f"web-{n}:1": str(n) for n in range(1, 6)}
    told = grouping.contrast(grouping.group_by(values), healthy(nodes=5, workers=1))
    assert told == (
        "1 on web-1; 2 on web-2; 3 on web-3; 2 other values: a split without a majority"
    )


def test_contrast_names_groups_whose_value_cannot_be_shown_and_cuts_long_ones() -> None:
    seen = healthy(nodes=3, workers=1)
    hidden = grouping.group_by({"web-1:1": "a", "web-2:1": "a", "web-3:1": "b"}, lambda _: None)
    assert grouping.contrast(hidden, seen) == (
        "value B on web-3; value A on the other 2 of 3 views"
    )
    long = grouping.group_by({"web-1:1": "x" * 99, "web-2:1": "y\n"})
    assert grouping.contrast(long, seen).startswith("x" * 60 + "… on web-1; 'y\\n' on web-2")


def test_aliases_are_apart_by_application() -> None:
    seen = fleet(web("web-1"), web("blog-1", application="blog"))
    assert [(one.application, one.name) for one in grouping.aliases(seen)] == [
        ("shop", "default"),
        ("blog", "default"),
    ]
