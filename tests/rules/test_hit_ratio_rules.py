from __future__ import annotations

import pytest

from cachecheck.rules.hit_ratio import check
from observed import cache, fleet, grouped, healthy, unseen_cache, web

ON = cache(is_counting=True)


def test_counting_on_some_nodes_only_is_information() -> None:
    (found,) = check(fleet(web("web-1", ON), web("web-2", ON), web("web-3")))
    assert (found.code, found.severity) == ("H003", "info")
    assert (found.cache, found.subject) == ("default", "shop")
    assert "not counted on web-3" in found.message
    assert grouped(found) == {"counted": ("web-1:1", "web-2:1"), "not counted": ("web-3:1",)}


def test_one_setting_for_all_caches_is_one_finding() -> None:
    counted = [cache(alias, is_counting=True) for alias in ("default", "sessions")]
    uncounted = [cache("default"), cache("sessions")]
    (found,) = check(fleet(web("web-1", *counted), web("web-2", *uncounted)))
    assert found.cache is None
    assert found.evidence["caches"] == ["default", "sessions"]


@pytest.mark.parametrize("is_counting", [True, False])
def test_the_same_everywhere_is_silent(*, is_counting: bool) -> None:
    same = cache(is_counting=is_counting)
    assert check(fleet(web("web-1", same), web("web-2", same))) == ()


def test_nothing_is_said_of_applications_that_count_and_others_that_do_not() -> None:
    assert check(fleet(web("web-1", ON), web("blog-1", application="blog"))) == ()


def test_backend_that_could_not_be_looked_at_is_no_difference() -> None:
    assert check(fleet(web("web-1", ON), web("web-2", unseen_cache()))) == ()
    assert check(healthy()) == ()
