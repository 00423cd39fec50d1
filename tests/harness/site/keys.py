"""Key functions that a site might have of its own, for KEY_FUNCTION."""

import hashlib


def version_first(key: str, key_prefix: str, version: int) -> str:
    """Make a key whose parts stand in another order than Django's."""
    return f"{version}:{key_prefix}:{key}"


def hashed(key: str, key_prefix: str, version: int) -> str:
    """Make a key from which the logical one cannot be recovered."""
    return f"{key_prefix}:{version}:{hashlib.md5(key.encode()).hexdigest()}"
