"""The one page of the shop: it believes what its cache says, as sites do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from django.core.cache import cache
from django.http import HttpResponse

if TYPE_CHECKING:
    from django.http import HttpRequest


def front(_request: HttpRequest) -> HttpResponse:
    """Show the price that this worker has, and who this worker is."""
    price = cache.get("price:42", {"amount": "unknown"})
    worker = f"{os.environ['SHOP_NODE']}:{os.getpid()}"
    return HttpResponse(f"price:42 is {price['amount']}, says {worker}\n", "text/plain")
