"""How machines come and go: the steps of `sandbox.rosa.life` on virtual time, on the twin's values.

The order between labels, network and Ready is not fixed on ROSA; here it is the usual one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from chalicelib.domain.addresses import aws_reserved
from chalicelib.domain.twin import outside
from chalicelib.domain.twin.choices import Found
from chalicelib.domain.twin.ec2 import Interface
from chalicelib.domain.twin.values import UNINITIALIZED_TAINT, UNSCHEDULABLE_TAINT, Node
from sandbox.rosa.naming import EGRESS_LABEL
from sandbox.rosa.nodes import NOT_READY, UNREACHABLE, private_dns_name
from sandbox.rosa.scenario import Flavour
from sandbox.rosa.timing import RosaTiming
from sandbox.virtual.facts import Machine, NodeFacts, Phase, Step, Zone

if TYPE_CHECKING:
    from sandbox.virtual.rosa import VirtualRosa

JOINING = frozenset({Phase.RUNS, Phase.REGISTERS, Phase.INITIALISES, Phase.LABELS, Phase.NETWORKS, Phase.READY})

SILENT_TAINTS = (NOT_READY["key"], UNREACHABLE["key"])


class NoFreeAddress(Exception):
    """EC2: InsufficientFreeAddressesInSubnet."""


class Life:
    """Takes the steps of every machine of one cluster."""

    def __init__(self, rosa: VirtualRosa) -> None:
        self._rosa = rosa

    def machines(self, pool: str) -> list[Machine]:
        """The machines of a pool that are not on their way out, oldest first."""
        found = [m for m in self._rosa.facts.machines.values() if m.pool == pool and not m.leaving]
        return sorted(found, key=lambda machine: (machine.launched_at, machine.id))

    def machine_of(self, node: str) -> Machine:
        """The machine whose node has that name, the latest if several had it. KeyError if none ever had."""
        found = [machine for machine in self._rosa.facts.machines.values() if machine.node == node]
        if not found:
            raise KeyError(node)
        return max(found, key=lambda machine: machine.id)

    def launch(
        self, pool: str, zone: str, timing: RosaTiming, *, without: Iterable[Phase] = (), age_seconds: float = 0.0
    ) -> Machine:
        """RunInstances for one machine, whose node joins at the pace of *timing*, less the steps *without*.

        Raises:
            NoFreeAddress: The subnet has no address that is free and not reserved.
        """
        rosa = self._rosa
        place = rosa.facts.zones[zone]
        address = str(self._free_address(place))
        number = rosa.number()
        made = Machine(
            f"i-{number:017x}",
            pool,
            zone,
            f"eni-{number:017x}",
            address,
            private_dns_name(IPv4Address(address), zone[:-1]),
            rosa.now - age_seconds,
            age_seconds=age_seconds,
        )
        self._enter(made, "pending")
        kind = rosa.facts.pools[pool].instance_type
        interface = Interface(made.interface, place.subnet_id, (address,))
        rosa.world = outside.launch_instance(rosa.world, made.id, kind, interface)
        steps = (
            (rosa.ec2_timing.running_after_seconds, Phase.RUNS),
            (timing.registers_seconds, Phase.REGISTERS),
            *_joining(timing),
        )
        left_out = set(without)
        self._plan(made.id, tuple((wait, phase) for wait, phase in steps if phase not in left_out))
        return made

    def rejoin(self, machine: Machine, timing: RosaTiming) -> None:
        """The node of a running machine registers and joins again."""
        self._plan(machine.id, ((0.0, Phase.REGISTERS), *_joining(timing)))

    def leave(self, machine: str, timing: RosaTiming) -> None:
        """Drain the node, end the instance, let the node go."""
        self._plan(
            machine,
            (
                (0.0, Phase.CORDONS),
                (timing.drain_seconds, Phase.TERMINATES),
                (timing.unreachable_seconds, Phase.UNREACHABLE),
                (timing.deleted_seconds, Phase.DELETED),
            ),
        )
        self._put(replace(self._rosa.facts.machines[machine], leaving=True))

    def end(self, machine: str, release_after_seconds: float) -> None:
        """TerminateInstances: interface and addresses stay for that long. The node is not told."""
        rosa = self._rosa
        there = rosa.facts.machines[machine]
        if there.state in ("shutting-down", "terminated"):
            return
        self._enter(replace(there, leaving=True), "shutting-down")
        self._plan(machine, ((release_after_seconds, Phase.IS_GONE),))
        rosa.became(outside.terminate_instance(rosa.world, machine, release_after_seconds=release_after_seconds))

    def follow(self, machine: str, timing: RosaTiming) -> None:
        """The node of a machine that ended falls silent and is deleted."""
        self._plan(machine, ((timing.unreachable_seconds, Phase.UNREACHABLE), (timing.deleted_seconds, Phase.DELETED)))

    def take(self, step: Step) -> None:
        """Take one step, and plan the next one. A machine on its way out joins no further."""
        machine = self._rosa.facts.machines[step.machine]
        if step.phase in JOINING and machine.leaving:
            return
        if step.rest:
            self._plan(step.machine, step.rest)
        self._actions()[step.phase](machine)

    def _actions(self) -> dict[Phase, Callable[[Machine], object]]:
        """What each step is."""
        rosa = self._rosa
        return {
            Phase.RUNS: lambda m: self._enter(m, "running"),
            Phase.REGISTERS: lambda m: self.register(m, age_seconds=m.age_seconds),
            Phase.INITIALISES: self._initialise,
            Phase.LABELS: self.label,
            Phase.NETWORKS: self.network,
            Phase.READY: lambda m: self.set_ready(m.node, ready=True),
            Phase.CORDONS: lambda m: self.cordon(m.node),
            Phase.TERMINATES: lambda m: self.end(m.id, rosa.ec2_timing.terminated_after_seconds),
            Phase.IS_GONE: lambda m: self._enter(m, "terminated"),
            Phase.UNREACHABLE: lambda m: self.set_ready(m.node, ready=False, silent=True),
            Phase.DELETED: lambda m: rosa.became(outside.delete_node(rosa.world, m.node)),
        }

    def _enter(self, machine: Machine, state: str) -> None:
        """The instance is in another state, and says so."""
        self._put(replace(machine, state=state))
        self._rosa.told.instances.append((self._rosa.now, machine.id, state))

    # Single steps

    def register(self, machine: Machine, *, age_seconds: float = 0.0) -> None:
        """Kubelet creates the Node, tainted and not ready."""
        rosa = self._rosa
        facts = NodeFacts(rosa.now - age_seconds, machine.id)
        rosa.facts = replace(rosa.facts, nodes=rosa.facts.nodes.put(machine.node, facts))
        taints = tuple(sorted((key, "NoSchedule") for key in (UNINITIALIZED_TAINT, NOT_READY["key"])))
        new = Node(machine.node, "", ready=False, host_cidrs=None, primary_ifaddr=False, taints=taints)
        rosa.became(outside.put_node(rosa.world, new))

    def _initialise(self, machine: Machine) -> None:
        rosa = self._rosa
        if (known := rosa.facts.nodes.get(machine.node)) is not None:
            rosa.facts = replace(rosa.facts, nodes=rosa.facts.nodes.put(machine.node, replace(known, placed=True)))
            self._change(machine.node, instance=machine.id, without=(UNINITIALIZED_TAINT,))

    def label(self, machine: Machine) -> None:
        """The pool's labels are put on the node: on HCP once, on classic whenever they change."""
        rosa = self._rosa
        known = rosa.facts.nodes.get(machine.node)
        if known is None:
            return
        if rosa.flavour is Flavour.HCP:
            named = replace(known, pool_label=f"{rosa.name}-{machine.pool}")
            rosa.facts = replace(rosa.facts, nodes=rosa.facts.nodes.put(machine.node, named))
        self._change(machine.node, labelled=EGRESS_LABEL in dict(rosa.facts.pools[machine.pool].labels))

    def network(self, machine: Machine) -> None:
        """OVN-Kubernetes writes its annotations on the node."""
        prefix = self._rosa.facts.zones[machine.zone].cidr.prefixlen
        self._change(machine.node, host_cidrs=(f"{machine.address}/{prefix}",), primary_ifaddr=True)

    def set_ready(self, name: str, *, ready: bool, silent: bool = False) -> None:
        """The Ready condition (Unknown where the node is silent) and the taint that goes with it."""
        taint = UNREACHABLE["key"] if silent else NOT_READY["key"]
        self._change(name, ready=ready, without=SILENT_TAINTS, taint="" if ready else taint)

    def cordon(self, name: str) -> None:
        """The node takes no new pods."""
        self._change(name, taint=UNSCHEDULABLE_TAINT)

    def uncordon(self, name: str) -> None:
        """The node takes pods again."""
        self._change(name, without=(UNSCHEDULABLE_TAINT,))

    def set_label(self, name: str, *, labelled: bool) -> None:
        """Somebody puts the egress label on the node, or takes it off."""
        self._change(name, labelled=labelled)

    def _change(
        self,
        name: str,
        *,
        instance: str | None = None,
        labelled: bool | None = None,
        ready: bool | None = None,
        host_cidrs: tuple[str, ...] | None = None,
        primary_ifaddr: bool | None = None,
        without: Iterable[str] = (),
        taint: str = "",
    ) -> None:
        """One write to a Node; nothing where there is none."""
        rosa = self._rosa
        old = rosa.world.objects.nodes.get(name)
        if old is None:
            return
        gone = {*without, taint}
        taints = [pair for pair in old.taints if pair[0] not in gone] + ([(taint, "NoSchedule")] if taint else [])
        new = replace(
            old,
            instance=old.instance if instance is None else instance,
            labelled=old.labelled if labelled is None else labelled,
            ready=old.ready if ready is None else ready,
            host_cidrs=old.host_cidrs if host_cidrs is None else host_cidrs,
            primary_ifaddr=old.primary_ifaddr if primary_ifaddr is None else primary_ifaddr,
            taints=tuple(sorted(taints)),
        )
        rosa.became(outside.put_node(rosa.world, new))

    def _free_address(self, place: Zone) -> IPv4Address:
        """EC2 picks any address that is nobody's and that no reservation, of either kind, keeps from it."""
        found = Found(self._free(place))
        if not found:
            raise NoFreeAddress(place.subnet_id)
        return self._rosa.choose(f"address in {place.subnet_id}", found)

    def _free(self, place: Zone) -> Iterator[IPv4Address]:
        rosa = self._rosa
        kept = aws_reserved(place.cidr)
        ranges = [r.cidr for r in rosa.facts.reservations.values() if r.subnet_id == place.subnet_id]
        for address in place.cidr:
            taken = address in kept or str(address) in rosa.world.plane.holders
            if not taken and not any(address in cidr for cidr in ranges):
                yield address

    def _put(self, machine: Machine) -> None:
        self._rosa.facts = replace(self._rosa.facts, machines=self._rosa.facts.machines.put(machine.id, machine))

    def _plan(self, machine: str, steps: tuple[tuple[float, Phase], ...]) -> None:
        (wait, phase), *rest = steps
        self._rosa.later(Step(self._rosa.now + wait, self._rosa.number(), machine, phase, tuple(rest)))


def _joining(timing: RosaTiming) -> tuple[tuple[float, Phase], ...]:
    """What follows the registration of a node."""
    return (
        (timing.initialised_seconds, Phase.INITIALISES),
        (timing.labelled_seconds, Phase.LABELS),
        (timing.networked_seconds, Phase.NETWORKS),
        (timing.ready_seconds, Phase.READY),
    )
