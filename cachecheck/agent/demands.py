"""What a request must hold beyond what its decoding can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.errors import CachecheckError
from cachecheck.sums import BUCKET_BYTES

if TYPE_CHECKING:
    from cachecheck.agent.conf import Conf
    from cachecheck.sums import Summing
    from cachecheck.wire import Collect, RefusalReason, Survey

_OTHER_BYTES = 2_000  # of an answer with sums: worker, times, counts


class Unmet(CachecheckError):
    """A request that this worker does not answer, with the reason that is sent back."""

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(detail)


def demand_survey(request: Survey, conf: Conf) -> None:
    """Raise ``Unmet`` where the parts of a survey do not go together, or sums would not fit."""
    if request.summing is None:
        if request.page is not None:
            raise Unmet("bad-request", "a page number, and nothing that is to be summed")
        return
    if request.sample:
        raise Unmet("bad-request", "sums and a sample are asked for one at a time")
    _demand_sums(request.summing)
    answer_bytes = request.summing.buckets * BUCKET_BYTES * 4 // 3 + _OTHER_BYTES
    if answer_bytes > conf.max_answer_bytes:
        detail = (
            f"sums over {request.summing.buckets} buckets have {answer_bytes} bytes, "
            f"{conf.max_answer_bytes} are allowed"
        )
        raise Unmet("too-large", detail)


def demand_collect(request: Collect) -> None:
    """Raise ``Unmet`` where the bitmap is not one of the request's buckets."""
    _demand_sums(request.summing)
    wanted_bits = len(request.wanted) * 8
    if wanted_bits != request.summing.buckets:
        detail = f"a bitmap of {wanted_bits} bits for {request.summing.buckets} buckets"
        raise Unmet("bad-request", detail)


def _demand_sums(summing: Summing) -> None:
    if summing.buckets & (summing.buckets - 1):
        raise Unmet("bad-request", f"{summing.buckets} buckets, which is no power of two")
    if summing.by != "digests":
        raise Unmet("bad-request", "sums by hashes, which mean nothing outside their process")
