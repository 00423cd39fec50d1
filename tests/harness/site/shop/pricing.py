"""Plain classes; one of them goes with the second release."""

from dataclasses import dataclass

from django.conf import settings


@dataclass
class Price:
    """What something costs."""

    amount: int
    currency: str = "EUR"


if getattr(settings, "SHOP_RELEASE", 1) == 1:

    @dataclass
    class Discount:
        """What the first release still grants."""

        percent: int
