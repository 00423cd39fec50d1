"""What a probe's signatures must cover and say: no more, no less, no other way.

The library accepts requests without nonce or expiry, and more coverage than was asked for; each
would be a second way to say the same, and so a way around one of the rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachecheck.errors import SignatureError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

TAG = "cachecheck-probe"
"""The ``tag`` of every signature: it keeps those made for other purposes out."""

NODE_HEADER = "cachecheck-node"
"""The node's name as the coordinator knows it, so that no other node can be sent the request."""

MAX_AGE_SECONDS = 60
"""The longest from ``created`` to ``expires``, and the usual window around the verifier's clock."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The components (as RFC 9421 writes their identifiers) and parameters of one direction."""

    covered: tuple[str, ...]
    parameters: frozenset[str]

    def demand(self, covered: Collection[str], parameters: Mapping[str, int | str]) -> None:
        """Raise ``SignatureError`` unless coverage, parameters and tag are exactly these."""
        if set(covered) != {*self.covered, '"@signature-params"'}:
            raise SignatureError("the signature does not cover exactly what it has to")
        if parameters.keys() != self.parameters:
            raise SignatureError("the signature does not have exactly the parameters it has to")
        if parameters["tag"] != TAG:
            raise SignatureError("the signature was made for another purpose")


# Not @authority, @target-uri or @path: proxies rewrite them.
REQUEST = Profile(
    covered=('"@method"', '"content-type"', '"content-digest"', f'"{NODE_HEADER}"'),
    parameters=frozenset({"created", "expires", "nonce", "keyid", "tag"}),
)

# The request's signature binds the answer to it: swapped or replayed, it no longer verifies.
RESPONSE = Profile(
    covered=('"@status"', '"content-type"', '"content-digest"', '"signature";req'),
    parameters=frozenset({"created", "keyid", "tag"}),
)
