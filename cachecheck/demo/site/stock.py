"""What a worker puts into its caches when it starts, with the faults that are planted in it.

All expiries are those of one moment for the whole deployment, however long a node took to start.
"""

from __future__ import annotations

import os
import time

from django.core.cache import caches

_PRODUCTS = 60
_PRICE = {"sku": 42, "amount": "49.00", "currency": "EUR"}
_OLD_PRICE = {"sku": 42, "amount": "39.00", "currency": "EUR"}


def fill(worker: int) -> None:
    """Fill the caches of this worker; ``worker`` counts those of its node from 1."""
    _fill_default(is_stale=str(worker) == os.environ["SHOP_STALE_WORKER"])
    if worker == 1:
        _fill_pages()


def _fill_default(*, is_stale: bool) -> None:
    cache = caches["default"]
    cache.set("price:42", _OLD_PRICE if is_stale else _PRICE, _seconds_to("SHOP_EXPIRES_AT"))
    cache.set("rates:eur", {"usd": "1.08", "gbp": "0.86"}, _seconds_to("SHOP_RATES_EXPIRE_AT"))
    for number in range(1, _PRODUCTS + 1):
        product = {"sku": number, "name": f"Product {number}", "tags": ["new", "blue"]}
        cache.set(f"product:{number}", product, _seconds_to("SHOP_EXPIRES_AT"))


def _fill_pages() -> None:
    for number in range(1, _PRODUCTS + 1):
        html = f"<h1>Product {number}</h1>"
        caches["pages"].set(f"page:{number}", html, _seconds_to("SHOP_EXPIRES_AT"))


def _seconds_to(variable: str) -> float:
    return float(os.environ[variable]) - time.time()
