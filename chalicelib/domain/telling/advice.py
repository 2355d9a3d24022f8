"""Commands to paste, by kind of finding: how a person looks at it, with the real names filled in.

Belongs here: looking only. What repairs a finding is in its own words (`Finding.todo`), what lies behind it in
`docs/runbooks`. A command whose names the finding does not give is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from chalicelib.domain.findings import Kind

_SUBJECTS = (
    re.compile(r"address (?P<address>\S+) of (?P<egress_ip>\S+)"),
    re.compile(r"address (?P<address>\S+) on (?P<eni>\S+)"),
    re.compile(r"interface (?P<eni>\S+)"),
    re.compile(r"CloudPrivateIPConfig (?P<address>\S+)"),
    re.compile(r"EgressIP (?P<egress_ip>\S+) and EgressIP \S+"),
    re.compile(r"(host-cidrs of )?node (?P<node>\S+)"),
    re.compile(r"zone (?P<zone>\S+) \(\S+\)"),
    re.compile(r"policy (?P<egress_ip>\S+) in (?P<zone>\S+)"),
    re.compile(r"(selector of )?EgressIP (?P<egress_ip>\S+)"),
    re.compile(r"(label of )?machine pool (?P<pool>\S+)"),
    re.compile(r"range \S+ in (?P<subnet>subnet-\S+)"),
    re.compile(r"subnet (?P<cidr>\S+)"),
    re.compile(r"token in secret (?P<secret>\S+)"),
    re.compile(r"labels of machine pool (?P<pool>\S+)"),
    re.compile(r"action (apply|create|delete) EgressIP (?P<egress_ip>[^\s:]+):.*"),
)
"""What subjects of findings name."""

_CAPACITY = "egress-keeper capacity --cluster {cluster}"
_PLAN = "egress-keeper plan --cluster {cluster}"
_DRIFT = "egress-keeper drift --cluster {cluster}"
_OBJECT = "oc get egressip {egress_ip} -o yaml --show-managed-fields"
_CPIC = "oc get cloudprivateipconfig {address} -o yaml"
_EVENTS = "oc get events -n default --field-selector involvedObject.kind=EgressIP,involvedObject.name={egress_ip}"
_INTERFACE = (
    "aws ec2 describe-network-interfaces --region {region} --filters Name=addresses.private-ip-address,Values={address}"
)
_LABELLED = "oc get nodes -l k8s.ovn.org/egress-assignable -L topology.kubernetes.io/zone"
_RESERVATIONS = "aws ec2 get-subnet-cidr-reservations --region {region} --subnet-id {subnet}"
_WHO_DELETED = (
    "aws cloudtrail lookup-events --region {region}"
    " --lookup-attributes AttributeKey=EventName,AttributeValue=DeleteSubnetCidrReservation"
)
_POOLS = "rosa list machinepools --cluster {cluster}"
_THREE_SIDES = (_OBJECT, _CPIC, _INTERFACE)

_ENI = "aws ec2 describe-network-interfaces --region {region} --network-interface-ids {eni}"
_SELECTORS = (
    "oc get egressip -o custom-columns='NAME:.metadata.name,NAMESPACES:.spec.namespaceSelector,PODS:.spec.podSelector'"
)
_CLUSTER = "rosa describe cluster --cluster {cluster}"
_POOL = "rosa describe machinepool --cluster {cluster} --machinepool {pool}"

COMMANDS: Mapping[Kind, tuple[str, ...]] = {
    Kind.CREDENTIAL_ENDING: ("aws secretsmanager describe-secret --secret-id {secret}", _DRIFT),
    Kind.OCM_CLUSTER_NOT_READY: (_CLUSTER,),
    Kind.OCM_CLUSTER_MISMATCH: (_CLUSTER, "oc get infrastructure cluster -o yaml"),
    Kind.POOL_MISSING: (_POOLS,),
    Kind.POOL_IMPOSSIBLE: (_POOLS, _PLAN),
    Kind.POOL_DIFFERENT: (_POOL,),
    Kind.POOL_CONFLICT: (_POOL, _POOLS),
    Kind.SECOND_WRITER: (_POOL,),
    Kind.POOL_LABEL_MISSING: (_POOL,),
    Kind.POOL_SHORT: (_POOL, _LABELLED),
    Kind.NODE_OUTSIDE_POOLS: (_LABELLED, _POOLS),
    Kind.SECTION_UNKNOWN: (_DRIFT, "oc get --raw /readyz", "aws sts get-caller-identity"),
    Kind.NODE_UNUSABLE: (
        "oc describe node {node}",
        "oc -n openshift-ovn-kubernetes get pods -o wide --field-selector spec.nodeName={node}",
        _CAPACITY,
    ),
    Kind.NODE_LABEL_MISSING: ("oc get node {node} --show-labels", _POOLS),
    Kind.NO_ELIGIBLE_NODE: (_CAPACITY, _LABELLED, _POOLS),
    Kind.CAPACITY_SHORTFALL: (_CAPACITY, _LABELLED, _POOLS),
    Kind.CAPACITY_NO_SPARE: (_CAPACITY, _LABELLED, _POOLS),
    Kind.SUBNET_CHANGED: (_CAPACITY, _LABELLED),
    Kind.INTERFACE_UNTAGGED: (_ENI, _CAPACITY),
    Kind.CAPACITY_ODD: (_CAPACITY, "oc describe node {node}"),
    Kind.ADDRESS_LEFTOVER: (_ENI, _CPIC),
    Kind.SELECTOR_OVERLAP: (_SELECTORS, _OBJECT),
    Kind.ADDRESS_FLAPPING: (_CPIC, _EVENTS, _LABELLED, "oc get network.operator cluster -o yaml"),
    Kind.SUBNET_NEARLY_FULL: (
        "aws ec2 describe-subnets --region {region} --filters Name=cidr-block,Values={cidr}",
        _CAPACITY,
    ),
    Kind.ADDRESS_OUTSIDE: (_CAPACITY, _LABELLED),
    Kind.ADDRESS_RESERVED_BY_AWS: (_PLAN,),
    Kind.ADDRESS_TAKEN: (_INTERFACE, _CPIC),
    Kind.ADDRESS_IS_HOST: (
        "oc get nodes -o custom-columns='NAME:.metadata.name,HOSTS:.metadata.annotations.k8s\\.ovn\\.org/host-cidrs'",
        _INTERFACE,
    ),
    Kind.ADDRESS_DUPLICATE: ("oc get egressip -o wide", _OBJECT),
    Kind.ADDRESS_UNASSIGNED: (_OBJECT, _EVENTS, _CAPACITY),
    Kind.ASSIGNMENT_FAILED: (_CPIC, _INTERFACE),
    Kind.STATUS_LOST: _THREE_SIDES,
    Kind.STATUS_UNBACKED: _THREE_SIDES,
    Kind.CPIC_STALE: _THREE_SIDES,
    Kind.EC2_ADDRESS_MISSING: (_INTERFACE, _CPIC),
    Kind.SPEC_EDITED: (_OBJECT, _PLAN),
    Kind.OBJECT_MISSING: ("oc get egressip", _PLAN),
    Kind.OBJECT_FOREIGN: (_OBJECT,),
    Kind.FIELD_CONFLICT: (_OBJECT, _PLAN),
    Kind.RESERVATION_MISSING: (
        _RESERVATIONS,
        _WHO_DELETED,
    ),
    Kind.RESERVATION_FOREIGN: (_PLAN,),
    Kind.PLAN_REFUSED: (_PLAN,),
    Kind.ACTION_FAILED: (_PLAN, _DRIFT),
}


_UNREAD: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("nodes", "EgressIP objects", "CloudPrivateIPConfig objects", "namespaces", "pods"),
        ("oc get --raw /readyz", _CLUSTER, _DRIFT),
    ),
    **dict.fromkeys(
        (
            "instances",
            "subnets",
            "network interfaces",
            "subnet CIDR reservations",
            "address limits of instance types",
        ),
        ("aws sts get-caller-identity", "aws ec2 describe-instances --region {region} --max-items 1", _DRIFT),
    ),
    "machine pools": (_CLUSTER, _DRIFT),
}
"""For sections that could not be read: only what has to do with the system that did not give them."""


def commands_for(kind: str, subject: str, *, cluster: str, region: str) -> tuple[str, ...]:
    """How a person looks at this finding.

    Args:
        region: AWS Region of the cluster; empty where it is not known: then the caller's own counts.
    """
    names = {"cluster": cluster, "region": region, **_names(subject)}
    templates = COMMANDS.get(Kind(kind), ())
    if kind == Kind.SECTION_UNKNOWN:
        templates = _UNREAD.get(subject, templates)
    if not region:
        templates = tuple(template.replace(" --region {region}", "") for template in templates)
    return tuple(template.format(**names) for template in templates if _fields(template) <= set(names))


def _names(subject: str) -> dict[str, str]:
    found = next((match for pattern in _SUBJECTS if (match := pattern.fullmatch(subject))), None)
    return {key: value for key, value in found.groupdict().items() if value} if found else {}


def _fields(template: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", template))
