from __future__ import annotations

import pytest

from cachecheck.rules.ttl import check
from observed import cache, fleet, grouped, healthy, unseen_cache, web


def test_equal_timeouts_are_silent() -> None:
    assert check(healthy()) == ()


def test_another_timeout_on_one_node_is_named() -> None:
    (found,) = check(fleet(web("web-1"), web("web-2"), web("web-3", cache(timeout=3600))))
    assert (found.code, found.severity) == ("T003", "warning")
    assert (found.cache, found.subject) == ("default", "shop")
    assert found.message == "TIMEOUT differs: 3600 s on web-3; 300 s on the other 2 of 3 views"
    assert grouped(found) == {"300 s": ("web-1:1", "web-2:1"), "3600 s": ("web-3:1",)}
    assert found.evidence["timeout_seconds"] == {"A": 300, "B": 3600}


@pytest.mark.parametrize(("timeout", "words"), [(None, "never expires"), (0, "expires at once")])
def test_special_timeouts_are_put_in_words(timeout: float | None, words: str) -> None:
    (found,) = check(fleet(web("web-1"), web("web-2"), web("web-3", cache(timeout=timeout))))
    assert f"{words} on web-3" in found.message


def test_whole_and_fractional_seconds_are_the_same_timeout() -> None:
    assert check(fleet(web("web-1"), web("web-2", cache(timeout=300.0)))) == ()


def test_applications_may_have_timeouts_of_their_own() -> None:
    blog = web("blog-1", cache(timeout=60), application="blog")
    assert check(fleet(web("web-1"), blog)) == ()


def test_timeout_of_a_dummy_or_unseen_cache_means_nothing() -> None:
    dummy = web("web-2", cache(kind="dummy", timeout=60))
    assert check(fleet(web("web-1"), dummy, web("web-3", unseen_cache()))) == ()
