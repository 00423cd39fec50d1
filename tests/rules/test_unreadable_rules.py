"""V004 names who cannot read a value and what is lacking there; its healthy twin is silent."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cachecheck.model import Key, Present
from cachecheck.rules import value
from cachecheck.rules.observations import Fleet, KeyOutcome, ObservedNode, View
from observed import worker

SHOP = "shop.legacy.Price"


def fleet() -> Fleet:
    nodes = []
    for number in (1, 2, 3):
        one = worker(f"web-{number}", 1)
        django = "5.2.1" if number == 3 else "6.1.0"
        one = replace(one, versions=replace(one.versions, django=django))
        node = ObservedNode(name=f"web-{number}", url="http://h/", state="answered", workers=(one,))
        nodes.append(node)
    return Fleet(nodes=tuple(nodes), now=1_000.0)


def found(*unreadable: tuple[str, ...], written_by: str | None = None, **changes: Any) -> Any:
    views = [View(node=f"web-{n}", worker=f"web-{n}:1", cache="default") for n in (1, 2, 3)]
    readings = [
        Present(
            digest="aa", size_bytes=1, expires_at=None, structure="bb", written_by=written_by,
            unreadable=lacking,
        )
        for lacking in unreadable
    ]  # fmt: skip
    one = KeyOutcome(
        cache="default",
        key=Key(name="k"),
        verdict="unreadable",
        is_named=True,
        is_apart=False,
        are_stores_distinct=False,
        readings=tuple(zip(views, readings, strict=True)),
        stand_for=tuple((view,) for view in views),
        looked=2,
        persisted_seconds=0.3,
        tolerance_seconds=2.0,
        **changes,
    )
    (finding,) = value.check(fleet(), [one], {}, lambda key: key.name)
    return finding


def test_a_class_that_one_node_lacks_is_named_with_the_node() -> None:
    finding = found((), (), (SHOP,))
    assert (finding.code, finding.severity) == ("V004", "error")
    assert finding.message == f"web-3 cannot read it without {SHOP}"
    assert finding.evidence["lacking"] == [SHOP]
    assert [group.views for group in finding.groups] == [("web-1:1", "web-2:1"), ("web-3:1",)]
    assert finding.explained_by is None


def test_bytes_that_cannot_be_decoded_are_told_with_the_reason() -> None:
    finding = found((), (), ("not decodable: not JSON",), is_codec_drift=True)
    assert finding.message == "web-3 cannot decode it: not JSON"
    assert finding.explained_by == "B010"


def test_what_nobody_can_read_is_said_to_be_so() -> None:
    finding = found((SHOP,), (SHOP,), (SHOP,))
    assert finding.message.endswith(f"cannot read it without {SHOP}, and nobody else can")


def test_the_release_that_wrote_a_value_is_joined_to_those_that_run() -> None:
    evidence = found((), (), (SHOP,), written_by="Django 6.1.0").evidence
    assert evidence["written_by"] == {"A": ["Django 6.1.0"], "B": ["Django 6.1.0"]}
    assert evidence["django"] == {"A": ["6.1.0"], "B": ["5.2.1"]}
    assert evidence["origin"] == "written by Django 6.1.0 (web-1 and web-2), web-3 runs 5.2.1"


def test_what_wrote_a_value_is_not_told_where_it_is_not_known() -> None:
    assert not {"written_by", "origin"} & found((), (), (SHOP,)).evidence.keys()
