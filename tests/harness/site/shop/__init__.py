"""What the site keeps in its caches; what there is of it depends on the setting SHOP_RELEASE."""
