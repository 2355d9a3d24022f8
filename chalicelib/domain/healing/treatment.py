"""Which remedy fits one address that does not serve, and whether its time has come: the rules, address by address.

Belongs here: trouble → remedy, and what must hold first. Does not belong here: telling troubles apart (`troubles`), all
addresses together and what their objects remember (`remedies`), words for people beyond one clause
(`address_findings`).

- *kick*: change a label of ours on the EgressIP; OVN-Kubernetes looks again and moves nothing healthy.
- *cycle*: take the one address out of the list, wait until its CloudPrivateIPConfig is gone, put it back. The object's
  other addresses serve on.
- *assign*: put an address that EC2 lost back on its interface. Nothing else sees that it is missing.

Each only for a finding that has settled, a few times with growing pauses, and not while something is known that would
undo it: what a remedy needs and does not find (a free interface, room on the node that OVN-Kubernetes would choose)
makes it wait, or makes it a matter for a person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from chalicelib.domain.actions import AssignAddress
from chalicelib.domain.findings import Kind, fingerprint_of
from chalicelib.domain.healing.troubles import Trouble, in_the_way, is_leaving, subject_of
from chalicelib.domain.healing.ward import Ward
from chalicelib.domain.remembered import Memo
from chalicelib.domain.terrain import LEAVING_TIME
from chalicelib.domain.tried import Tried
from chalicelib.domain.verdicts import Verdict

MOST_KICKS = 2
MOST_ASSIGNS = 2
MOST_CYCLES = 3
"""One for most troubles, two where the first leaves the status empty, and one for bad luck."""
KICK_PAUSE = timedelta(minutes=2)
CYCLE_PAUSE = timedelta(minutes=10)
"""Between two tries for the same trouble; each further pause is twice as long."""

LONGEST_SILENCE = timedelta(minutes=4)
"""The cloud network controller's longest pause between two tries is 164 s (5 ms doubled fifteen times), and each try
rewrites the condition: one older than this, with a minute to spare for slow calls and clocks, is its last word."""
RETRIES = timedelta(minutes=6)
THROTTLED_RETRIES = timedelta(minutes=8)
"""How long it tries in all: 5.5 minutes, and about 8 where EC2 throttles each try."""
QUIET = timedelta(minutes=1)
"""So long after its last try the condition must have stood still, even when its time is over."""


_STILL_TRIED = frozenset({Trouble.REFUSED, Trouble.THROTTLED, Trouble.FULL, Trouble.HELD, Trouble.NODE_GONE})
"""Failures that heal without anybody's help in every other scale-in, within the cloud network controller's time."""


MANAGED_TAG = "red-hat-managed"
"""On HCP the cloud network controller's role may change only interfaces with this tag, "true" (the role's policy)."""


class Step(StrEnum):
    """What this plan does about an address."""

    NONE = "none"
    KICK = "kick"
    CYCLE = "cycle"
    ASSIGN = "assign"


class Need(StrEnum):
    """What has to come first: before it, what is done by hand helps no more than a remedy."""

    NOTHING = "nothing"
    ROOM = "room"
    TIME = "time"
    HOLDER = "holder"
    """Another network interface has to let go of the address, and won't by itself."""
    TAG = "tag"
    """The network interface of its node needs its tag back (HCP)."""
    FINDING = "finding"
    """Another finding says what is in the way."""
    HOUR = "hour"
    """It may serve: what repairs it interrupts that."""
    IDEAS = "ideas"
    """Its remedies were tried, and did not help."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of one trouble.

    Attributes:
        kind: Of the finding that tells it.
        step: What this plan does about it.
        remedy: What the tool does, or will do and what for it waits, as one clause; empty where it can do nothing.
        person: Why it takes a person, as one clause; empty where it does not, or not yet.
        kickable: A kick is, or was, the fitting remedy.
        returns: This plan puts the address back.
        action: For a step that is not written into the object.
        patience: For how long the platform may still heal it by itself; people need not hear of it before.
        need: What has to come first.
    """

    kind: Kind
    step: Step = Step.NONE
    remedy: str = ""
    person: str = ""
    kickable: bool = False
    returns: bool = False
    action: AssignAddress | None = None
    patience: timedelta = timedelta()
    need: Need = Need.NOTHING


@dataclass(frozen=True, slots=True)
class Patient:
    """One address in trouble.

    Attributes:
        kicks: Kicks of its object so far.
        cycles: Cycles of this address so far.
        coming_back: This plan puts it back into the list.
    """

    ward: Ward
    verdict: Verdict
    trouble: Trouble
    kind: Kind
    kicks: Tried | None
    cycles: Tried | None
    coming_back: bool = False

    def outlook(self) -> Outlook:
        """What becomes of it."""
        return replace(self._outlook(), patience=self._patience())

    def _outlook(self) -> Outlook:
        if self.trouble is Trouble.CYCLING:
            return self._cycling()
        if self.trouble is Trouble.RETURNING:
            return self._says("cycle under way: put back, and the platform is at work on it")
        if (objection := self.ward.objected.get(subject_of(self.verdict))) is not None:
            return self._asks(f"while {objection} stands, no remedy can help", Need.FINDING)
        return self._blocked() or self._treatment()

    def _treatment(self) -> Outlook:
        """The remedy that fits the trouble, with nothing in its way."""
        match self.trouble:
            case Trouble.UNASSIGNED:
                return self._kick() or replace(
                    self._asks(f"{MOST_KICKS} kicks did not help", Need.IDEAS), kickable=True
                )
            case Trouble.UNBACKED:
                return self._kick() or replace(self._cycle(), kickable=True)
            case Trouble.NODE_GONE if self._cpic_says_no():
                return self._kick() or replace(self._cycle(), kickable=True)
            case Trouble.UNANSWERED:
                return self._asks("the cloud network controller does not act on it, and seems not to run")
            case Trouble.DENIED if self._is_untagged():
                return self._asks(f"its node's network interface lacks the tag {MANAGED_TAG}=true", Need.TAG)
            case Trouble.DENIED:
                return replace(self._cycle(), person="EC2 does not allow the cloud network controller to assign it")
            case Trouble.LOST:
                return self._assign() or self._cycle()
            case _:
                return self._cycle()

    def _cycling(self) -> Outlook:
        if self.coming_back:
            return replace(self._says("cycle under way: it is put back"), returns=True)
        terrain = self.ward.terrain
        if self.verdict.address in terrain.cpic_by_address:
            return self._says("cycle under way: it is put back once its CloudPrivateIPConfig is gone")
        return self._says("cycle under way: it is put back as soon as nothing speaks against it")

    # What stands in the way

    def _blocked(self) -> Outlook | None:
        node = self.verdict.interface_node
        if node and node == self.verdict.claimed_node:
            person = f"it is on node {node}, as the status says, and may serve: a cycle would interrupt that"
            return self._asks(person, Need.HOUR)
        holder = in_the_way(self.ward.terrain, self.verdict.address)
        if holder is not None and is_leaving(self.ward.terrain, holder):
            name = holder.holder or holder.id
            return self._says(f"waits until {name}, which is on its way out, lets go of it", Need.TIME)
        if holder is not None:
            left = holder.instance_id in self.ward.terrain.instance_by_id
            whose = "nothing asks for it there" if left else "it is not ours"
            person = f"network interface {holder.id} ({holder.holder}) has the address, and {whose}"
            return self._asks(person, Need.HOLDER)
        if self.ward.blind:
            node = self.ward.blind[0]
            return self._says(f"waits for host-cidrs of node {node}: until then every remedy is lost", Need.TIME)
        landing = self.ward.landing(self.verdict)
        if not landing:
            text = "waits for a node: no eligible one of its subnet is without an address of the EgressIP"
            return self._says(text, Need.ROOM)
        if full := sorted(row.node for row in landing if not self.ward.has_room(self.verdict, row)):
            return self._says(f"waits for room: OVN-Kubernetes would put it on {full[0]}, which has none", Need.ROOM)
        if leaving := self._leaving_node():
            return self._says(f"waits until node {leaving}, whose instance is gone, is gone too", Need.TIME)
        return None

    def _leaving_node(self) -> str:
        """A node from which the address is to be released and can't be, because its instance is gone; "" if none.

        Once the Node object goes, so does the release; before that, a cycle would only have it fail again and again.
        """
        cpic = self.ward.terrain.cpic_by_address.get(self.verdict.address)
        there = self.ward.terrain.node_by_name.get(cpic.status_node) if cpic is not None else None
        if there is None:
            return ""
        instance = self.ward.terrain.instance_by_id.get(there.instance_id or "")
        lives = instance is not None and instance.state in ("pending", "running")
        return "" if lives else there.name

    # The remedies

    def _kick(self) -> Outlook | None:
        """A kick, now or later; None where kicks did not help."""
        tries = self.kicks.tries if self.kicks else 0
        if not self._settled():
            return replace(self._says("kick, once it has settled"), kickable=True)
        if self.kicks and (wait := self._wait(self.kicks, KICK_PAUSE)):
            return replace(self._says(f"kicked {_times(tries)}; next try in {wait}"), kickable=True)
        if tries >= MOST_KICKS:
            return None
        self.ward.land(self.verdict)
        return Outlook(self.kind, Step.KICK, f"kick (try {tries + 1} of {MOST_KICKS})", kickable=True)

    def _assign(self) -> Outlook | None:
        """Putting it back on its interface in EC2; None where that is not possible, was refused, or did not help."""
        action = self.ward.assignment(self.verdict)
        memo = self._memo()
        tries = memo.tries if memo else 0
        if action is None or tries >= MOST_ASSIGNS or self._was_refused(action):
            return None
        if not self._settled():
            return self._says("assign it to its interface again, once it has settled")
        if memo and memo.tried_at and timedelta(0) <= self.ward.now - memo.tried_at < KICK_PAUSE:
            return self._says("assigned to its interface again; being verified")
        return Outlook(self.kind, Step.ASSIGN, f"assign it again (try {tries + 1} of {MOST_ASSIGNS})", action=action)

    def _was_refused(self, action: AssignAddress) -> bool:
        subject = f"action {action.summary}"
        memo = self.ward.memory.memo(fingerprint_of(self.ward.terrain.desired.name, Kind.ACTION_FAILED, subject))
        return memo is not None and memo.open

    def _cycle(self) -> Outlook:
        tries = self.cycles.tries if self.cycles else 0
        if not self._settled():
            return self._says("cycle, once it has settled")
        if not self._given_up():
            return self._says("cycle, once the cloud network controller has stopped trying")
        if self.cycles and self.cycles.kind is self.kind and (wait := self._wait(self.cycles, CYCLE_PAUSE)):
            return self._says(f"cycled {_times(tries)}; next try in {wait}")
        if tries >= MOST_CYCLES:
            return self._asks(f"{MOST_CYCLES} cycles did not help", Need.IDEAS)
        self.ward.land(self.verdict)
        return Outlook(self.kind, Step.CYCLE, f"cycle (try {tries + 1} of {MOST_CYCLES})")

    def _patience(self) -> timedelta:
        """The cloud network controller's own tries, while they go on and may yet succeed."""
        holder = in_the_way(self.ward.terrain, self.verdict.address)
        stays = holder is not None and holder.instance_id not in self.ward.terrain.instance_by_id
        if self.trouble is Trouble.NODE_GONE:
            # The kick that follows heals it where the controller has given up. One that says nothing, as that of
            # OpenShift 4.18, has been taken for an assignment under way for longer than that already.
            return RETRIES if self._cpic_says_no() else timedelta()
        if self.trouble in _STILL_TRIED and self._leaving_node():
            return LEAVING_TIME
        if self.trouble not in _STILL_TRIED or stays or self._given_up():
            return timedelta()
        return THROTTLED_RETRIES if self.trouble is Trouble.THROTTLED else RETRIES

    def _wait(self, tried: Tried, pause: timedelta) -> str:
        """How long until the next try, in words; empty where it may be now. A label may say any number of tries."""
        doublings = min(max(tried.tries, 1), MOST_CYCLES) - 1
        left = pause * (1 << doublings) - (self.ward.now - tried.at)
        return f"{max(1, round(left.total_seconds() / 60))} min" if left > timedelta(0) else ""

    def _memo(self) -> Memo | None:
        return self.ward.memory.memo(self._fingerprint())

    def _fingerprint(self) -> str:
        return fingerprint_of(self.ward.terrain.desired.name, self.kind, subject_of(self.verdict))

    def _settled(self) -> bool:
        return self.ward.memory.settled(self._fingerprint(), self.ward.now)

    def _given_up(self) -> bool:
        """Whether the cloud network controller has stopped trying, as far as can be told.

        Its condition changes with each try, so one that stands still for longer than its longest pause is its last.
        Sooner, where the failure has been known for all of its time, and the condition stands still at least a little.
        A cycle that comes too early costs nothing: the address does not serve, and its failing assignment begins anew.
        """
        cpic = self.ward.terrain.cpic_by_address.get(self.verdict.address)
        if cpic is None or cpic.healthy:
            return True
        since = cpic.changed_at or cpic.created_at
        if since is not None and self.ward.now - since >= LONGEST_SILENCE:
            return True
        patience = THROTTLED_RETRIES if self.trouble is Trouble.THROTTLED else RETRIES
        known_for = self.ward.memory.open_for(self._fingerprint(), self.ward.now)
        known_long = known_for is not None and known_for >= patience
        return known_long and (since is None or self.ward.now - since >= QUIET)

    def _is_untagged(self) -> bool:
        """Whether EC2 shows why it denies it (HCP): then a try is in vain before the tag is there."""
        terrain = self.ward.terrain
        cpic = terrain.cpic_by_address.get(self.verdict.address)
        node = terrain.node_by_name.get(cpic.spec_node) if cpic is not None else None
        instance = terrain.instance_by_id.get((node.instance_id if node is not None else None) or "")
        there = next((i for i in terrain.observed.interfaces if instance and i.id == instance.interface_id), None)
        return bool(terrain.hosted and there and there.tags is not None and there.tags.get(MANAGED_TAG) != "true")

    def _cpic_says_no(self) -> bool:
        """Older controllers leave it "Unknown" when the node is gone; then OVN-Kubernetes does not look again."""
        cpic = self.ward.terrain.cpic_by_address.get(self.verdict.address)
        return cpic is not None and cpic.assigned == "False"

    def _says(self, remedy: str, need: Need = Need.NOTHING) -> Outlook:
        return Outlook(self.kind, remedy=remedy, need=need)

    def _asks(self, person: str, need: Need = Need.NOTHING) -> Outlook:
        return Outlook(self.kind, person=person, need=need)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
