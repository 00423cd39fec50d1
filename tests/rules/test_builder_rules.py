from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cachecheck.model import Built, Key
from cachecheck.rules.builders import check, suspects, undecided
from cachecheck.rules.observations import Again, Fleet
from observed import fleet, grouped, node, worker

if TYPE_CHECKING:
    from cachecheck.rules.observations import Findings, ObservedWorker


def made(key: str) -> Built:
    return Built(name="article", outcome="made", key=key)


def failed(detail: str = "KeyError") -> Built:
    return Built(name="article", outcome="failed", detail=detail)


def building(name: str, pid: int, *first: Built, again: tuple[Built, ...] = ()) -> ObservedWorker:
    """Observe a worker that was asked again where ``again`` is given."""
    later = Again(caches=(), builders=again) if again else None
    return msgspec.structs.replace(worker(name, pid), builders=first, again=later)


def steady(name: str, pid: int, built: Built) -> ObservedWorker:
    return building(name, pid, built, again=(built,))


def seen(*workers: ObservedWorker) -> Fleet:
    names = dict.fromkeys(one.node for one in workers)
    return fleet(*(node(name, [one for one in workers if one.node == name]) for name in names))


def judged(*workers: ObservedWorker) -> Findings:
    return check(seen(*workers), lambda key: key.name)


def test_equal_keys_are_silent_and_nobody_is_asked_again() -> None:
    whole = seen(building("web-1", 1, made("a")), building("web-2", 2, made("a")))
    assert check(whole, str) == ()
    assert suspects(whole) == ()
    assert list(undecided(whole)) == []


def test_keys_that_differ_steadily_within_a_node_are_one_error() -> None:
    workers = [steady("web-1", 1, made("a")), steady("web-1", 2, made("b"))]
    (found,) = judged(*workers, building("web-2", 3, made("a")))
    assert (found.code, found.severity, found.subject) == ("N003", "error", "article")
    assert found.message == (
        "the key builder 'article' builds different keys: b on web-1:2; a on the other 2 of 3 views"
    )
    assert grouped(found) == {"a": ("web-1:1", "web-2:3"), "b": ("web-1:2",)}


def test_one_of_each_group_is_asked_again() -> None:
    whole = seen(
        *(building("web-1", pid, made("a")) for pid in (1, 2)), building("web-2", 3, made("b"))
    )
    assert set(suspects(whole)) == {"web-1:1", "web-2:3"}


def test_keys_that_did_not_come_again_are_undecided_and_no_finding() -> None:
    workers = [
        building("web-1", 1, made("minute:1"), again=(made("minute:2"),)),
        building("web-2", 2, made("minute:2"), again=(made("minute:2"),)),
    ]
    assert judged(*workers) == ()
    (line,) = undecided(seen(*workers))
    assert "'article' gave different keys that did not come again" in line


def test_keys_that_nobody_could_confirm_are_undecided_and_no_finding() -> None:
    workers = [building("web-1", 1, made("a")), building("web-2", 2, made("b"))]
    assert judged(*workers) == ()
    assert len(list(undecided(seen(*workers)))) == 1


def test_key_that_differs_at_every_call_is_said_to_be_no_drift_between_workers() -> None:
    unsteady = [Built(name="article", outcome="unsteady", key=key) for key in ("x", "y")]
    workers = [steady("web-1", 1, unsteady[0]), building("web-2", 2, unsteady[1])]
    assert suspects(seen(*workers)) == ("web-1:1",)
    (found,) = judged(*workers)
    assert (found.code, found.groups) == ("N003", ())
    assert "another key at every call, by chance or by the clock: on web-1 and web-2" in (
        found.message
    )
    assert found.evidence["differs_within_one_worker"] is True


def test_builder_that_fails_on_one_node_alone_is_named_with_the_kind_of_error() -> None:
    (found,) = judged(steady("web-1", 1, made("a")), steady("web-2", 2, failed()))
    assert set(grouped(found)) == {"a", "fails: KeyError"}


def test_builder_that_fails_everywhere_is_undecided() -> None:
    workers = [building("web-1", 1, failed()), building("web-2", 2, failed())]
    assert judged(*workers) == ()
    assert list(undecided(seen(*workers))) == [
        "the key builder 'article' could not be compared: KeyError in every worker"
    ]


def test_builder_that_one_node_does_not_name_or_did_not_come_to_call_is_undecided_there() -> None:
    late = Built(name="article", outcome="uncalled", detail="those before it took 1.2 s")
    workers = [building("web-1", 1, made("a")), building("web-2", 2), building("web-3", 3, late)]
    assert judged(*workers) == ()
    lines = list(undecided(seen(*workers)))
    assert lines[0].endswith("not among KEY_BUILDERS on web-2, so its keys were not compared there")
    assert (
        lines[1]
        == "the key builder 'article' was not called on web-3:3: those before it took 1.2 s"
    )


def test_keys_are_shown_as_keys_are() -> None:
    workers = [steady("web-1", 1, made("secret:a")), steady("web-2", 2, made("secret:b"))]
    (found,) = check(seen(*workers), lambda key: f"redacted:{len(key.name)}")
    assert "secret" not in found.message
    assert isinstance(Key(name="a"), Key)


def test_applications_are_not_compared_with_each_other() -> None:
    other = msgspec.structs.replace(steady("web-2", 2, made("b")), application="blog")
    assert judged(steady("web-1", 1, made("a")), other) == ()
