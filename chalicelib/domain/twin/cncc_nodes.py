"""How CNCC synchronises one Node: the annotation `cloud.network.openshift.io/egress-ipconfig` and its capacity.

Belongs here: the steps and the capacity formula. Does not belong here: when it happens (`cncc`): only when the Node
appears, at start, and when its taints change, which is why the number can be stale.

The number is the node's total egress capacity, not what is left of it:
    by owner (current):  limit − addresses on the interface that no CPIC of the node claims or holds
    older:               limit + CPICs assigned to the node − all addresses on the interface
The limit is that of one interface of the instance type. The primary address counts as used.
Source: `cncc: pkg/controller/node/node_controller.go`, `pkg/cloudprovider/aws.go`.
"""

from __future__ import annotations

from dataclasses import replace

from chalicelib.domain.twin.addressing import is_ipv4
from chalicelib.domain.twin.api import AnnotateNode
from chalicelib.domain.twin.behaviours import Behaviours
from chalicelib.domain.twin.cncc_work import Ended, Progress, Stage, Work
from chalicelib.domain.twin.ec2 import (
    Answer,
    DescribeInstance,
    DescribeInstanceType,
    DescribeSubnet,
    InstanceView,
    Interface,
    Subnet,
    TypeLimits,
)
from chalicelib.domain.twin.values import UNINITIALIZED_TAINT, Assigned, EgressConfig, Objects


def begin(name: str, objects: Objects, behaviours: Behaviours) -> Progress:
    """Start on one Node, up to its first EC2 call."""
    node = objects.nodes.get(name)
    if node is None or any(key == UNINITIALIZED_TAINT for key, _ in node.taints):
        return Ended(), ()
    owned = _held_by_cpics(name, objects, behaviours)
    return Work(name, node.instance, Stage.LOOK, DescribeInstance(node.instance), owned=owned), ()


def _held_by_cpics(name: str, objects: Objects, behaviours: Behaviours) -> frozenset[str]:
    """Addresses that do not count as used by others."""
    if behaviours.capacity_by_owner:
        return frozenset(c.address for c in objects.cpics.values() if name in (c.spec_node, c.status_node))
    return frozenset(c.address for c in objects.cpics.values() if c.status_node == name and c.assigned is Assigned.TRUE)


def proceed(work: Work, answer: Answer, behaviours: Behaviours) -> Progress:
    """Go on after EC2 answered, the SDK's own retries being over."""
    match answer:
        case InstanceView(type=kind):
            return replace(work.ask(Stage.LIMITS, DescribeInstanceType(kind)), view=answer), ()
        case TypeLimits() if work.view is not None and work.view.interface is not None:
            return replace(work.ask(Stage.SUBNET, DescribeSubnet(work.view.interface.subnet)), limits=answer), ()
        case Subnet() if work.view is not None and work.view.interface is not None and work.limits is not None:
            config = _config(work.view.interface, work.limits, answer, work.owned, behaviours)
            return Ended(), (AnnotateNode(work.node, config),)
        case _:
            return Ended(failed=True), ()


def _config(
    interface: Interface, limits: TypeLimits, subnet: Subnet, owned: frozenset[str], behaviours: Behaviours
) -> EgressConfig:
    if behaviours.capacity_by_owner:
        used, given_back = [address for address in interface.addresses if address not in owned], frozenset[str]()
    else:
        used, given_back = list(interface.addresses), owned
    ipv4 = limits.ipv4 - sum(map(is_ipv4, used)) + sum(map(is_ipv4, given_back))
    ipv6 = limits.ipv6 - sum(not is_ipv4(a) for a in used) + sum(not is_ipv4(a) for a in given_back)
    return EgressConfig(interface.id, subnet.cidr, ipv4, ipv6, subnet.cidr_ipv6)
