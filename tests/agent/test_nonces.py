"""A signed request is good for one answer, for as long as it could be accepted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from cachecheck.agent.nonces import CAPACITY, Nonces

KEEP = 120.0


def test_nonce_is_new_once() -> None:
    nonces = Nonces()
    assert nonces.is_new("a", now=0.0, keep_seconds=KEEP)
    assert not nonces.is_new("a", now=0.0, keep_seconds=KEEP)
    assert not nonces.is_new("a", now=KEEP - 0.1, keep_seconds=KEEP)
    assert nonces.is_new("b", now=KEEP - 0.1, keep_seconds=KEEP)


def test_nonce_is_forgotten_once_its_request_is_too_old() -> None:
    nonces = Nonces()
    nonces.is_new("a", now=0.0, keep_seconds=KEEP)
    assert nonces.is_new("a", now=KEEP + 0.1, keep_seconds=KEEP)
    assert not nonces.is_new("a", now=KEEP + 0.2, keep_seconds=KEEP)


def test_no_more_than_so_many_are_kept_and_the_oldest_go_first() -> None:
    nonces = Nonces()
    for number in range(CAPACITY + 10):
        assert nonces.is_new(f"{number}", now=0.0, keep_seconds=KEEP)
    assert not nonces.is_new(f"{CAPACITY + 9}", now=0.0, keep_seconds=KEEP)
    assert not nonces.is_new("100", now=0.0, keep_seconds=KEEP)
    assert nonces.is_new("0", now=0.0, keep_seconds=KEEP)


def test_of_threads_that_bring_one_nonce_only_one_is_first() -> None:
    nonces = Nonces()
    with ThreadPoolExecutor(8) as pool:
        for number in range(200):
            brought = [
                pool.submit(nonces.is_new, f"{number}", now=0.0, keep_seconds=KEEP)
                for _ in range(8)
            ]
            assert sum(one.result() for one in brought) == 1
