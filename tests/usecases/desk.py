"""A cluster whose fleet file asks for less than it has, and a person who has approved the plan.

On a virtual cluster, with the platform's model at work, so that what is left is what a real visit would find.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.domain.approving import Approval
from chalicelib.domain.records import ApprovedPlan
from chalicelib.domain.spec import Mode
from chalicelib.usecases.visit import Outcome, Outside, visit
from sandbox.virtual import Killed
from sandbox.virtual.fakes import FakeMemory
from sandbox.virtual.keeper import PACE, Keeper
from tests.sandbox.virtual.fleets import policy, served, standing, wish

REDELIVERY_SECONDS = 150.0
BEFORE = wish(policy("api", "10.10.100.251", "10.10.150.251"), policy("db", per_zone=1), policy("web", "10.10.100.250"))
AFTER = wish(policy("db", "10.10.150.240"), policy("new", "10.10.200.250"))
"""Two policies go, one is given other addresses, one comes."""


class MortalMemory(FakeMemory):
    """A table whose notes of approved plans are writes at which a visit may be killed, too."""

    def __init__(self, before_write: Callable[[str], None]) -> None:
        super().__init__()
        self.before_write = before_write

    def store_approved(self, plan: ApprovedPlan) -> None:
        self.before_write("store_approved")
        super().store_approved(plan)


@dataclass
class Desk:
    """A cluster, a fleet file that asks for less than it has, and a person who has approved the plan.

    Attributes:
        lives: Writes until the visit is killed; None for no end.
    """

    keeper: Keeper = field(default_factory=lambda: served(Keeper(standing(), BEFORE)))
    lives: int | None = None

    def __post_init__(self) -> None:
        rosa = self.keeper.rosa
        self.keeper.memory = self.memory = MortalMemory(self._before_write)
        self.keeper.wishes(AFTER)
        rosa.before_write = self._before_write
        rosa.cluster.writes.clear()
        rosa.ec2.writes.clear()
        self.approval = self.approve()

    def approve(self) -> Approval:
        """A person reads the plan and takes its digest, now."""
        outside = Outside(self.keeper.rosa.cluster, self.keeper.rosa.ec2, self.keeper.rosa.clock)
        observing = replace(self.keeper.desired, mode=Mode.OBSERVE)
        planned = visit(observing, outside, PACE, run_id="look").look.planned
        return Approval(planned.digest, self.keeper.rosa.clock())

    def _before_write(self, _operation: str) -> None:
        if self.lives is not None:
            self.lives -= 1
            if self.lives < 0:
                raise Killed

    def visit(
        self, approval: Approval | None = None, *, lives: int | None = None, tells: bool = True
    ) -> Outcome | None:
        """One visit; None where it was killed."""
        keeper, self.lives = self.keeper, lives
        outside = Outside(keeper.rosa.cluster, keeper.rosa.ec2, keeper.rosa.clock, memory=keeper.memory)
        outside = replace(outside, alerts=keeper.alerts) if tells else outside
        try:
            return visit(keeper.desired, outside, PACE, run_id="demo.1", approval=approval)
        except Killed:
            return None
        finally:
            self.lives = None

    def whole_visit(self, approval: Approval | None = None, *, tells: bool = True) -> Outcome:
        """One visit that nobody kills."""
        outcome = self.visit(approval, tells=tells)
        assert outcome is not None
        return outcome

    def later(self, seconds: float = REDELIVERY_SECONDS) -> None:
        self.keeper.rosa.run_for(seconds)

    def rest(self) -> None:
        """Ordinary visits, until there is nothing left to do."""
        for _ in range(4):
            self.later(60)
            assert self.whole_visit().status == "done"

    @property
    def objects(self) -> set[str]:
        return {egress_ip.name for egress_ip in self.keeper.rosa.cluster.fetch_egress_ips()}

    @property
    def state(self) -> Mapping[str, Any]:
        """Everything that two runs must agree on."""
        rosa = self.keeper.rosa
        return {
            "objects": {e.name: (e.spec, dict(e.labels)) for e in rosa.cluster.fetch_egress_ips()},
            "reservations": {r.cidr: dict(r.tags) for r in rosa.facts.reservations.values()},
            "serving": {name: sorted(found) for name, found in rosa.serving().items()},
        }

    @property
    def deletions(self) -> Counter[str]:
        return Counter(
            name for operation, name, *_ in self.keeper.rosa.cluster.writes if operation.startswith("delete")
        )
