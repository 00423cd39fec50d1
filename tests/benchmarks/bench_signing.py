"""What an exchange costs each side in signatures, in our own form and in another's.

    .venv/bin/python -m pytest tests/benchmarks/bench_signing.py -q -s \
        -o python_files='bench_*.py' -o python_functions='bench_*'

The coordinator signs the request and verifies the answer, the node verifies the request and signs
the answer. A request that differs in its label alone is not in our form, and read by the library.
"""

from __future__ import annotations

import timeit
from typing import TYPE_CHECKING

from cachecheck.signing import (
    Keyring,
    authenticate_request,
    secret_from_text,
    sign_request,
    sign_response,
    verify_response,
)
from harness.nodes import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

_RING = Keyring((secret_from_text(SECRET),))
_BODY = b"x" * 1_000
_ROUNDS, _TIMES = 7, 300


def bench_signatures() -> None:
    """Print microseconds for each step, the best of several rounds."""
    sent = sign_request(keyring=_RING, node="web-1", body=_BODY, now=1e9, nonce="n" * 32)
    foreign = sent | {
        name: sent[name].replace("cachecheck=", "other=", 1)
        for name in ("signature-input", "signature")
    }
    asked = authenticate_request(keyring=_RING, method="POST", headers=sent)
    got = sign_response(keyring=_RING, request=asked, status=200, body=_BODY, now=1e9)
    steps: dict[str, Callable[[], object]] = {
        "sign a request": lambda: sign_request(
            keyring=_RING, node="web-1", body=_BODY, now=1e9, nonce="n" * 32
        ),
        "verify it": lambda: authenticate_request(keyring=_RING, method="POST", headers=sent),
        "verify one in another form": lambda: authenticate_request(
            keyring=_RING, method="POST", headers=foreign
        ),
        "sign the answer": lambda: sign_response(
            keyring=_RING, request=asked, status=200, body=_BODY, now=1e9
        ),
        "verify the answer": lambda: verify_response(
            keyring=_RING, request_headers=sent, status=200, headers=got, body=_BODY
        ),
    }
    for name, step in steps.items():
        seconds = min(timeit.repeat(step, number=_TIMES, repeat=_ROUNDS)) / _TIMES
        print(f"\n{name:28} {seconds * 1e6:5.0f} µs", end="")  # noqa: T201  that is its result
