"""What a sample says of the whole: confidence intervals of a share."""

from __future__ import annotations

import math


def wilson(successes: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Bound the share behind ``successes`` of ``n``: the Wilson score interval, low and high.

    ``z`` is the normal quantile of the confidence wanted; the default gives 95 %. With ``n`` 0
    nothing is known: (0, 1). Raises ValueError unless 0 <= successes <= n.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22 (1927), 209-212. Chosen over the normal
    approximation, which leaves [0, 1] and has no width at shares of 0 and 1.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie between 0 and n: {successes} of {n}")
    if n == 0:
        return 0.0, 1.0
    ratio = successes / n
    spread = z * z / n
    centre = (ratio + spread / 2) / (1 + spread)
    margin = z * math.sqrt(ratio * (1 - ratio) / n + spread / (4 * n)) / (1 + spread)
    # Rounding must not push the bounds past the ratio or out of [0, 1].
    low = 0.0 if successes == 0 else min(max(centre - margin, 0.0), ratio)
    high = 1.0 if successes == n else max(min(centre + margin, 1.0), ratio)
    return low, high


def none_seen(n: int, confidence: float = 0.95) -> float:
    """Bound from above the share of what was not seen once in a random sample of ``n``.

    The exact one-sided bound, 1 - (1 - confidence)^(1/n): about 3/n at 95 %, the rule of three
    (J. A. Hanley and A. Lippman-Hand, If nothing goes wrong, is everything all right?, Journal of
    the American Medical Association 249 (1983), 1743-1745). With ``n`` 0 nothing is known: 1.
    Raises ValueError for a negative ``n`` or a confidence outside (0, 1).
    """
    if n < 0 or not 0 < confidence < 1:
        raise ValueError(f"no bound for a sample of {n} at confidence {confidence}")
    return 1.0 if n == 0 else -math.expm1(math.log1p(-confidence) / n)
