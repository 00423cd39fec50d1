"""What was found of the entries of a cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachecheck.coordinator.audit import Audit
from cachecheck.coordinator.probing import Unit
from cachecheck.coordinator.replicas import ComparedReplica
from cachecheck.coordinator.sample import Surveyance
from cachecheck.coordinator.suspects import Examination, Examined
from cachecheck.coordinator.verifying import Verification
from cachecheck.coordinator.views import Cohort
from cachecheck.model import Key, Value
from cachecheck.rules.observations import KeyOutcome, Located, View
from cachecheck.rules.value import CODES

if TYPE_CHECKING:
    from collections.abc import Sequence


class Entries(Value, frozen=True, kw_only=True):
    """What was found of the entries of one cohort.

    ``surveys`` are what the units that were surveyed hold, ``keys_known`` how many distinct keys
    that is; ``is_apart`` says that the stores fill at their own time, ``is_meant_apart`` that the
    site declares so. ``sampled`` are the keys of a sample or, where every key was audited, those
    that differed; ``examples`` are some of those, where they were too many. ``servers`` are those
    of a cluster, by view and key. ``located`` says where values differ, ``unreadable`` are keys
    that some view's application cannot read. ``not_audited`` says why not every key was audited,
    where that was asked for. ``verifications`` are what came of holding them against the site's
    source of truth. ``replicas`` are the servers that only reads go to, each beside the one that
    takes writes.
    """

    cohort: Cohort
    surveys: tuple[tuple[Unit, Surveyance], ...]
    keys_known: int | None
    named: Examination
    sampled: Examination
    examples: Examination = Examination()
    audit: Audit | None = None
    not_audited: str | None = None
    is_apart: bool
    is_meant_apart: bool
    are_stores_distinct: bool
    tolerance_seconds: float
    servers: dict[tuple[View, Key], str] = {}
    verifications: tuple[Verification, ...] = ()
    located: dict[Key, Located] = {}
    unreadable: tuple[KeyOutcome, ...] = ()
    replicas: tuple[ComparedReplica, ...] = ()
    replicas_left_out: int = 0

    @property
    def examined(self) -> tuple[Examined, ...]:
        """All keys that were compared, or should have been, one by one."""
        return self.named.keys + self.sampled.keys + self.examples.keys

    @property
    def units(self) -> dict[View, Unit]:
        """The units through which keys were read, by the view under which each is reported."""
        groups = (self.named, self.sampled, self.examples)
        return {unit.view: unit for group in groups for unit in group.units}

    @property
    def is_whole(self) -> bool:
        """Whether every key was compared."""
        return self.audit is not None and self.audit.is_whole

    @property
    def quiet(self) -> int:
        """How many keys agreed without having been looked at one by one.

        Named keys are: each is counted with what came of it, and not here as well.
        """
        if self.audit is None or self.audit.keys is None or not self.is_whole:
            return 0
        one_by_one = {*self.audit.suspects, *(one.key for one in self.named.keys)}
        return max(0, self.audit.keys - len(one_by_one))

    @property
    def lost(self) -> tuple[View, ...]:
        """The views that were described and could not be heard again."""
        units = dict.fromkeys(self.named.lost + self.sampled.lost + self.examples.lost)
        return tuple(view for unit in units for view in unit.stands_for)

    @property
    def losses(self) -> tuple[str, ...]:
        """Why those views were lost."""
        reasons = self.named.reasons + self.sampled.reasons + self.examples.reasons
        return tuple(dict.fromkeys(reasons))

    @property
    def outcomes(self) -> tuple[KeyOutcome, ...]:
        """What the rules are to judge; of stores that are apart the sample alone makes a rate."""
        return self.unreadable + tuple(
            self._outcome(one, group.units, is_named=is_named)
            for is_named, group in (
                (True, self.named),
                (False, self.sampled),
                (False, self.examples),
            )
            for one in group.keys
            if one.judgement in CODES and not (group is self.examples and self.is_apart)
        )

    def _outcome(self, one: Examined, units: Sequence[Unit], *, is_named: bool) -> KeyOutcome:
        last = one.looks[-1]
        return KeyOutcome(
            cache=self.cohort.cache,
            key=one.key,
            verdict=one.judgement,
            is_named=is_named,
            is_audited=self.is_whole,
            is_apart=self.is_apart,
            is_meant_apart=self.is_meant_apart,
            are_stores_distinct=self.are_stores_distinct,
            readings=tuple(
                (unit.view, reading) for unit, reading in zip(units, last.readings, strict=True)
            ),
            stand_for=tuple(unit.stands_for for unit in units),
            servers=tuple(
                (unit.view, server)
                for unit in units
                if (server := self.servers.get((unit.view, one.key))) is not None
            ),
            located=self.located.get(one.key),
            looked=len(one.looks),
            persisted_seconds=last.at - one.looks[0].at,
            tolerance_seconds=self.tolerance_seconds,
        )
