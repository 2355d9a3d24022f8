"""What a person can do about an address in trouble: in words, with commands to paste that have the real names in them.

Belongs here: repairs by hand, and when there is nothing to do by hand. Does not belong here: how to look
(`telling.advice`), what the tool does by itself (`treatment`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from chalicelib.domain.healing.treatment import MANAGED_TAG, Need, Outlook
from chalicelib.domain.healing.troubles import Trouble
from chalicelib.domain.snapshot import EgressIpConfig, Subnet
from chalicelib.domain.spec import Mode
from chalicelib.domain.terrain import Terrain, parse_address
from chalicelib.domain.verdicts import Verdict

_KICK = ('oc label egressip {policy} looked-at="$(date +%s)" --overwrite',)
_CYCLE = (
    "oc patch egressip {policy} --type=merge -p '{without}'",
    "oc wait --for=delete cloudprivateipconfig/{address} --timeout=5m",
    "oc patch egressip {policy} --type=merge -p '{whole}'",
)
_AT = "--region {region} --network-interface-id"
_ASSIGN = (f"aws ec2 assign-private-ip-addresses {_AT} {{interface}} --private-ip-addresses {{address}}",)
_TAKE_OFF = (f"aws ec2 unassign-private-ip-addresses {_AT} {{holder}} --private-ip-addresses {{address}}",)
_TAG = (f"aws ec2 create-tags --region {{region}} --resources {{interface}} --tags Key={MANAGED_TAG},Value=true",)
_DESCRIBE = ("oc describe cloudprivateipconfig {address}",)
_PODS = ("oc -n openshift-cloud-network-config-controller get pods",)

_RESTART = ("oc -n openshift-ovn-kubernetes rollout restart deployment/ovnkube-control-plane",)

_OUT_AND_BACK = "take it out of the list and put it back{serve_on}{between}:"
_TAKE_IT_OUT = f"T{_OUT_AND_BACK[1:]}"
_BETWEEN = " (a visit in between says spec-edited, and puts it back once it is released: that is as good)"
_SUPPORT = "It runs with the hosted control plane, out of your sight: ask Red Hat's support."
_NO_ROOM = (
    "Nothing for the address itself: it is assigned as soon as {cidr} has room for it. If no room comes by itself,"
    " scale up {pools}."
)
_NO_NODE = (
    "Nothing for the address itself: it is assigned as soon as {cidr} has a node for it. What to do about that is said"
    " of its zone."
)
_FREE_IT = "Have it freed there: the address can be had only then."


@dataclass(frozen=True, slots=True)
class ByHand:
    """Words, the last of which introduce the commands, if there are any."""

    words: str
    commands: tuple[str, ...] = ()


_BY_TROUBLE = {
    Trouble.UNASSIGNED: ByHand("This makes OVN-Kubernetes look again, and moves nothing that is healthy:", _KICK),
    Trouble.UNBACKED: ByHand(_TAKE_IT_OUT, _CYCLE),
    Trouble.STATUS_LOST: ByHand(_TAKE_IT_OUT, _CYCLE),
    Trouble.STALE_CPIC: ByHand(
        f"{_TAKE_IT_OUT[:-1]}; once more if the status stays empty. Never remove the finalizer of a"
        " CloudPrivateIPConfig, which would leave the address on the interface:",
        _CYCLE,
    ),
    Trouble.REFUSED: ByHand(f"Remove the cause that EC2 names below. Then {_OUT_AND_BACK}", _CYCLE),
    Trouble.THROTTLED: ByHand(
        f"Find out what uses up EC2's request budget of this account (CloudTrail), and stop it. Then {_OUT_AND_BACK}",
        _CYCLE,
    ),
    Trouble.FULL: ByHand(
        f"Scale up {{pools}}, or take a foreign address off the interface. Then {_OUT_AND_BACK}", _CYCLE
    ),
    Trouble.DENIED: ByHand(
        "See that neither the controller's role nor a service control policy denies ec2:AssignPrivateIpAddresses, and"
        f" on HCP that the interface has the tag {MANAGED_TAG}=true. Then {_OUT_AND_BACK}",
        _CYCLE,
    ),
    Trouble.HELD: ByHand(f"{_FREE_IT} Or choose another one in the fleet file."),
    Trouble.NODE_GONE: ByHand(_TAKE_IT_OUT, _CYCLE),
    Trouble.UNANSWERED: ByHand("Once it runs, it takes this up by itself. See why it does not:", _PODS),
    Trouble.LOST: ByHand("Put it back on the first network interface of its node:", _ASSIGN),
    Trouble.ELSEWHERE: ByHand(_FREE_IT),
    Trouble.CYCLING: ByHand("If it takes long, this says what still holds it:", _DESCRIBE),
    Trouble.RETURNING: ByHand("If it takes long, this says what holds it up:", _DESCRIBE),
}


_UNDER_WAY = frozenset({Trouble.CYCLING, Trouble.RETURNING})

_HEALED_BY_RESTART = frozenset({Trouble.STATUS_LOST, Trouble.UNBACKED, Trouble.STALE_CPIC})
"""Of OVN-Kubernetes' cluster manager, which reads CloudPrivateIPConfigs into the status (observed). A failed assignment
it leaves as it is: there the cause is still in the way.
"""


def todo(terrain: Terrain, verdict: Verdict, trouble: Trouble, outlook: Outlook | None) -> str:
    """What to do, commands on lines of their own."""
    hand = _by_need(terrain, verdict, trouble, outlook) if outlook is not None else _BY_TROUBLE[trouble]
    names = _names(terrain, verdict, outlook)
    opening, words = _opening(terrain, trouble, outlook), hand.words
    if opening.endswith(": "):
        words = f"{words[:1].lower()}{words[1:]}"
    words = f"{opening}{words.format(**names)}"  # what is on an interface of somebody else's may have braces
    if not all(names[key] for command in hand.commands for key in names if f"{{{key}}}" in command):
        return f"{words.removesuffix(':')}."
    return "\n".join((words, *(command.format(**names) for command in hand.commands)))


def _opening(terrain: Terrain, trouble: Trouble, outlook: Outlook | None) -> str:
    """Whether it is a person's turn."""
    if outlook is None or outlook.need in (Need.ROOM, Need.TIME):
        return ""
    if outlook.person:
        return f"A person is needed: {outlook.person}. "
    if terrain.desired.mode is not Mode.ENFORCE:
        return "Mode observe leaves it to people. "
    return "Nothing yet. " if trouble in _UNDER_WAY else "Nothing yet; if it can't wait, by hand: "


def _by_need(terrain: Terrain, verdict: Verdict, trouble: Trouble, outlook: Outlook) -> ByHand:
    """What has to come first decides; else the trouble."""
    match outlook.need:
        case Need.ROOM:
            subnet = _home(terrain, verdict)
            return ByHand(_NO_ROOM if subnet is not None and terrain.eligible_in(subnet.cidr) else _NO_NODE)
        case Need.TIME:
            return ByHand("Nothing yet: it {remedy}. What is done by hand before that is in vain as well.")
        case Need.HOUR:
            return ByHand(
                f"There is no hurry. At an hour at which it may be interrupted for a minute, {_OUT_AND_BACK}",
                _CYCLE,
            )
        case Need.FINDING:
            return ByHand("What to do is said there.")
        case Need.TAG:
            return ByHand("Put it there, and the next try succeeds:", _TAG)
        case Need.HOLDER if verdict.interface_node:
            return ByHand("Take it off there; then it comes back by itself:", _TAKE_OFF)
        case Need.HOLDER:
            return _BY_TROUBLE[Trouble.HELD if trouble is Trouble.HELD else Trouble.ELSEWHERE]
        case Need.IDEAS if trouble is Trouble.UNASSIGNED:
            return ByHand(f"The events below may say why. {_TAKE_IT_OUT}", _CYCLE)
        case Need.IDEAS if trouble in _HEALED_BY_RESTART:
            return _restart(terrain)
        case _ if trouble is Trouble.UNANSWERED and terrain.hosted:
            return ByHand(f"{_SUPPORT} Once it runs, it takes this up by itself.")
        case _:
            return _BY_TROUBLE[trouble]


def _restart(terrain: Terrain) -> ByHand:
    words = "What is left is a restart of OVN-Kubernetes' cluster manager."
    if terrain.hosted:
        return ByHand(f"{words} {_SUPPORT}")
    return ByHand(f"{words} In some releases it moves every address:", _RESTART)


def _names(terrain: Terrain, verdict: Verdict, outlook: Outlook | None) -> dict[str, str]:
    """Names for words and commands; empty where they are not known: then the commands that need them are left out."""
    there = terrain.egress_ip_by_name.get(verdict.policy)
    whole = list(there.spec.addresses) if there is not None else []
    if verdict.address not in whole:
        whole.append(verdict.address)
    others = there is not None and {address for address, _ in there.items} - {verdict.address}
    subnet = _home(terrain, verdict)
    return {
        "address": verdict.address,
        "policy": verdict.policy,
        "region": terrain.desired.region,
        "interface": _first_interface(terrain, verdict),
        "holder": verdict.interface,
        "serve_on": ", while the other addresses serve on" if others else "",
        "between": _BETWEEN if terrain.desired.mode is Mode.ENFORCE else "",
        "whole": _patch(whole),
        "without": _patch([address for address in whole if address != verdict.address]),
        "cidr": str(subnet.cidr) if subnet else "",
        "remedy": outlook.remedy if outlook is not None else "",
        "pools": terrain.pools_in(subnet.cidr if subnet else None),
    }


def _home(terrain: Terrain, verdict: Verdict) -> Subnet | None:
    parsed = parse_address(verdict.address)
    return terrain.subnet_of(parsed) if parsed else None


def _patch(addresses: list[str]) -> str:
    return json.dumps({"spec": {"egressIPs": addresses}}, separators=(",", ":"))


def _first_interface(terrain: Terrain, verdict: Verdict) -> str:
    """The one on which its node carries egress addresses, by the annotation; empty where that is silent."""
    cpic = terrain.cpic_by_address.get(verdict.address)
    node = terrain.node_by_name.get(cpic.status_node or cpic.spec_node) if cpic is not None else None
    return node.egress_config.interface if node and isinstance(node.egress_config, EgressIpConfig) else ""
