"""What is the case, in the few words that a subject line has room for, by kind of finding.

They follow the finding's subject: "zone eu-central-1a (10.0.1.0/24): no node can carry its addresses". The kind itself
is in the body's first line and in the message's attributes, for those who sort mail by it.
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.domain.findings import Kind

HEADLINES: Mapping[Kind, str] = {
    Kind.CREDENTIAL_ENDING: "ends and was not renewed",
    Kind.SECTION_UNKNOWN: "can't be read",
    Kind.OCM_CLUSTER_NOT_READY: "not ready",
    Kind.OCM_CLUSTER_MISMATCH: "another one than infra_id says",
    Kind.POOL_MISSING: "does not exist",
    Kind.POOL_IMPOSSIBLE: "can't be made",
    Kind.POOL_DIFFERENT: "not as the fleet file says",
    Kind.POOL_CONFLICT: "others write them, too",
    Kind.SECOND_WRITER: "somebody takes it off",
    Kind.POOL_LABEL_MISSING: "lacks the egress label",
    Kind.POOL_SHORT: "has too few nodes",
    Kind.NODE_OUTSIDE_POOLS: "looked after by nobody",
    Kind.NODE_UNUSABLE: "unusable",
    Kind.NODE_LABEL_MISSING: "lacks the egress label",
    Kind.NO_ELIGIBLE_NODE: "no node can carry its addresses",
    Kind.CAPACITY_SHORTFALL: "more addresses than room",
    Kind.CAPACITY_NO_SPARE: "can't lose a node",
    Kind.SUBNET_CHANGED: "its nodes are in another subnet",
    Kind.SUBNET_NEARLY_FULL: "nearly full",
    Kind.INTERFACE_UNTAGGED: "lacks the tag red-hat-managed",
    Kind.CAPACITY_ODD: "announces a capacity that is not so",
    Kind.ADDRESS_LEFTOVER: "nobody asks for it",
    Kind.ADDRESS_OUTSIDE: "in no subnet of egress nodes",
    Kind.ADDRESS_RESERVED_BY_AWS: "AWS keeps it",
    Kind.ADDRESS_TAKEN: "taken by something else",
    Kind.ADDRESS_IS_HOST: "is a host's",
    Kind.ADDRESS_DUPLICATE: "listed twice",
    Kind.ADDRESS_UNASSIGNED: "on no node",
    Kind.ASSIGNMENT_FAILED: "could not be assigned",
    Kind.STATUS_LOST: "missing in the status",
    Kind.STATUS_UNBACKED: "status and facts differ",
    Kind.CPIC_STALE: "a leftover holds the address",
    Kind.EC2_ADDRESS_MISSING: "not there in EC2",
    Kind.ADDRESS_FLAPPING: "moves again and again",
    Kind.SPEC_EDITED: "edited by somebody",
    Kind.OBJECT_MISSING: "does not exist",
    Kind.OBJECT_FOREIGN: "is not ours",
    Kind.SELECTOR_OVERLAP: "select the same pods",
    Kind.FIELD_CONFLICT: "somebody else holds a field",
    Kind.RESERVATION_MISSING: "not reserved",
    Kind.RESERVATION_FOREIGN: "under somebody else's reservation",
    Kind.PLAN_REFUSED: "held back",
    Kind.ACTION_FAILED: "failed",
}
