"""Remedies of one plan: every address in trouble, treated in order, and what their objects have to remember.

Belongs here: all addresses together, the remedy labels. Does not belong here: which remedy fits (`treatment`), writing
it into objects (`objects`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace

from chalicelib.domain.actions import LABEL_CYCLE_PREFIX, LABEL_KICK, AssignAddress
from chalicelib.domain.healing.treatment import Outlook, Patient, Step
from chalicelib.domain.healing.troubles import kind_of, trouble_of
from chalicelib.domain.healing.ward import Ward
from chalicelib.domain.policies.placement import Placement
from chalicelib.domain.remembered import Remembered
from chalicelib.domain.terrain import Terrain, is_our_object
from chalicelib.domain.tried import Tried, kicked
from chalicelib.domain.verdicts import State, Verdict


@dataclass(frozen=True, slots=True)
class Remedies:
    """What to do, for all policies.

    Attributes:
        outlooks: By policy and address, for every address in trouble whose object is ours.
        marks: Remedy labels that each object of ours should carry, by policy; complete.
    """

    outlooks: Mapping[str, Mapping[str, Outlook]] = field(default_factory=dict)
    marks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def taken_out(self, policy: str) -> tuple[str, ...]:
        """Addresses whose cycle begins now, sorted."""
        return tuple(sorted(a for a, o in self.outlooks.get(policy, {}).items() if o.step is Step.CYCLE))

    @property
    def assignments(self) -> tuple[AssignAddress, ...]:
        """Addresses to put back on their interfaces, sorted by policy and address."""
        by_policy = sorted(self.outlooks.items())
        return tuple(o.action for _, here in by_policy for o in here.values() if o.action is not None)

    def told(self, verdict: Verdict) -> Verdict:
        """The verdict, with what becomes of it."""
        outlook = self.outlooks.get(verdict.policy, {}).get(verdict.address)
        return verdict if outlook is None else replace(verdict, remedy=outlook.remedy, person=outlook.person)

    def reasons(self, policy: str) -> tuple[str, ...]:
        """Why the object is written to, one clause for each address that is treated now, sorted."""
        here = sorted(self.outlooks.get(policy, {}).items(), key=lambda item: item[0])
        return tuple(f"{o.kind} of {a}: {o.remedy}" for a, o in here if o.step in (Step.KICK, Step.CYCLE) or o.returns)

    def kicks(self, policy: str) -> bool:
        """Whether the object is kicked now."""
        return any(outlook.step is Step.KICK for outlook in self.outlooks.get(policy, {}).values())


def plan_remedies(
    terrain: Terrain,
    verdicts: tuple[Verdict, ...],
    placement: Placement,
    memory: Remembered,
) -> Remedies:
    """Decide for every address in trouble that a policy wants. Where something speaks against it, no remedy helps."""
    ward = Ward(terrain, placement.findings, memory)
    wanted = {(a.policy, str(a.address)) for a in placement.allocations}
    coming_back = {
        (a.policy, str(a.address)) for a in placement.allocations if not a.held and terrain.is_out(a.policy, a.address)
    }
    by_policy = _by_policy(terrain, (v for v in verdicts if (v.policy, v.address) in wanted))
    outlooks: dict[str, dict[str, Outlook]] = {}
    marks: dict[str, dict[str, str]] = {}
    for policy, here in by_policy.items():
        outlooks[policy] = treated = _treat(ward, policy, here, coming_back)
        marks[policy] = _kick_mark(ward, policy, here, treated) | _cycle_marks(ward, policy, here, treated, coming_back)
    return Remedies(outlooks, marks)


def _by_policy(terrain: Terrain, verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """Verdicts of the objects that are there, are ours, and stay."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        there = terrain.egress_ip_by_name.get(verdict.policy)
        if there is not None and is_our_object(there) and not there.deleting:
            found.setdefault(verdict.policy, []).append(verdict)
    return found


def _treat(ward: Ward, policy: str, verdicts: list[Verdict], coming_back: Set[tuple[str, str]]) -> dict[str, Outlook]:
    kicks = kicked(ward.terrain.egress_ip_by_name[policy], ward.now)
    treated: dict[str, Outlook] = {}
    for verdict in verdicts:
        trouble = trouble_of(ward.terrain, verdict)
        if trouble is not None:
            cycles = ward.terrain.cycles[policy].get(verdict.address)
            kind = kind_of(ward.terrain, verdict, trouble)
            back = (policy, verdict.address) in coming_back
            treated[verdict.address] = Patient(ward, verdict, trouble, kind, kicks, cycles, back).outlook()
    return treated


def _kick_mark(ward: Ward, policy: str, verdicts: list[Verdict], treated: Mapping[str, Outlook]) -> dict[str, str]:
    """How often the object was kicked: counted on while a kick is the remedy or its effect not known yet."""
    before = kicked(ward.terrain.egress_ip_by_name[policy], ward.now)
    kick = next((outlook for outlook in treated.values() if outlook.step is Step.KICK), None)
    if kick is not None:
        return {LABEL_KICK: Tried(kick.kind, (before.tries if before else 0) + 1, ward.now).value}
    counts = any(o.kickable for o in treated.values()) or any(v.state is State.MOVING for v in verdicts)
    return {LABEL_KICK: before.value} if before is not None and counts else {}


def _cycle_marks(
    ward: Ward,
    policy: str,
    verdicts: list[Verdict],
    treated: Mapping[str, Outlook],
    coming_back: Set[tuple[str, str]],
) -> dict[str, str]:
    """The cycle of each address: begun, put back (which starts its time anew), or not known yet to have helped."""
    marks: dict[str, str] = {}
    for verdict in verdicts:
        before = ward.terrain.cycles[policy].get(verdict.address)
        outlook = treated.get(verdict.address)
        key = f"{LABEL_CYCLE_PREFIX}{verdict.address}"
        if outlook is not None and outlook.step is Step.CYCLE:
            marks[key] = Tried(outlook.kind, (before.tries if before else 0) + 1, ward.now).value
        elif before is not None and (policy, verdict.address) in coming_back:
            marks[key] = Tried(before.kind, before.tries, ward.now).value
        elif before is not None and verdict.state is not State.SERVING:
            marks[key] = before.value
    return marks
