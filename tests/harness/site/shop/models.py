"""A model that gains a field with the second release, and one that goes with it."""

from django.conf import settings
from django.db import models

RELEASE = getattr(settings, "SHOP_RELEASE", 1)


class Product(models.Model):
    """What is sold."""

    name = models.CharField(max_length=100)
    price = models.IntegerField(default=0)
    if RELEASE > 1:
        email = models.CharField(max_length=100, default="")

    class Meta:
        """Where it belongs."""

        app_label = "shop"

    def __str__(self) -> str:
        return self.name


if RELEASE == 1:

    class Voucher(models.Model):
        """What the first release still gives away."""

        code = models.CharField(max_length=100)

        class Meta:
            """Where it belongs."""

            app_label = "shop"

        def __str__(self) -> str:
            return self.code
