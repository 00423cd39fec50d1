"""Key functions and key builders that a site might have of its own."""

import hashlib
import os
import uuid


def version_first(key: str, key_prefix: str, version: int) -> str:
    """Make a key whose parts stand in another order than Django's."""
    return f"{version}:{key_prefix}:{key}"


def hashed(key: str, key_prefix: str, version: int) -> str:
    """Make a key from which the logical one cannot be recovered."""
    return f"{key_prefix}:{version}:{hashlib.md5(key.encode()).hexdigest()}"


# --- key builders, for KEY_BUILDERS ----------------------------------------------------------


def article_key(number: int = 7) -> str:
    """Build a key that is the same everywhere."""
    return f"article:{number}"


def hashing_key(title: str = "cache") -> str:
    """Build a key with Python's own hash, which differs from process to process."""
    return f"article:{hash(title)}"


def random_key() -> str:
    """Build another key at every call."""
    return f"article:{uuid.uuid4()}"


def host_key() -> str:
    """Build a key from what is set on the host alone."""
    return f"article:{os.environ.get('CACHECHECK_TEST_SHOP', 'main')}"


def failing_key() -> str:
    """Build no key on a host that lacks what is set on others."""
    return f"article:{os.environ['CACHECHECK_TEST_SHOP']}"
