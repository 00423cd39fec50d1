"""Every key of several stores, compared by sums: ``--all``.

::

    audit ──► scheme    how entries are summed, and which buckets are worth listing (pure)
      ├─────► summing   one store, page after page, into bucket sums
      ├─────► listing   the entries of buckets that differ, and the keys that differ in them
      └─────► ledger    what is done so far, so that a run can be resumed

One pass over each distinct store brings sums; where they agree, all entries do, and nothing more
crosses the network. Buckets that differ are listed in a second pass, and the keys found there are
read and confirmed like those of a sample.
"""

from __future__ import annotations

from cachecheck.coordinator.audit.audit import Audit, Auditor, Question
from cachecheck.coordinator.audit.ledger import Ledger, State

__all__ = ["Audit", "Auditor", "Ledger", "Question", "State"]
