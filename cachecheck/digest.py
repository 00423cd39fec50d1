"""Keyed digests of keys and of stored bytes.

Every run draws a random seed; digests made with it mean nothing outside that run. They are
BLAKE2b in keyed mode (RFC 7693), 128 bits wide, written as 32 hexadecimal digits.
"""

from __future__ import annotations

import hashlib
import secrets

SEED_BYTES = 16
DIGEST_BYTES = 16

_KEY = b"cachecheck key"
_ENTRY = b"cachecheck ent"
_AHEAD = b"\0"


def new_seed() -> bytes:
    """Draw the seed of a run: 16 random bytes."""
    return secrets.token_bytes(SEED_BYTES)


def key_digest(seed: bytes, key: str) -> str:
    """Digest a logical (or, where there is none, a stored) key."""
    return _keyed(seed, _KEY, key.encode("utf-8", "surrogatepass"))


def hasher(seed: bytes, purpose: bytes) -> hashlib.blake2b:
    """Give a state that, copied and fed data, digests it as all digests here are made.

    A byte ahead of the data has the block with the key compressed once, and not in each copy.
    """
    begun = hashlib.blake2b(key=seed, person=purpose, digest_size=DIGEST_BYTES)
    begun.update(_AHEAD)
    return begun


def key_hasher(seed: bytes) -> hashlib.blake2b:
    """Give a state that, copied and fed a key in UTF-8, digests it as ``key_digest`` does."""
    return hasher(seed, _KEY)


def entry_digest(seed: bytes, stored: bytes, flags: int = 0) -> str:
    """Digest the stored bytes of an entry, with the flags that decide how they are decoded."""
    return _keyed(seed, _ENTRY, flags.to_bytes(8, "big") + stored)


def pseudonym(key: str) -> str:
    """Name a key that must not be shown, the same way in every run: 16 hexadecimal digits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _keyed(seed: bytes, purpose: bytes, data: bytes) -> str:
    begun = hasher(seed, purpose)
    begun.update(data)
    return begun.hexdigest()
