"""One situation for each kind of finding, as it comes about in life, watched by visits until somebody is told.

Belongs here: what happens on the three sides. Does not belong here: the words that follow from it, which the product
makes and `alert_texts` keeps. A name is the kind's, with one word more where the words differ by cause.
"""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.domain.findings import Kind
from tests.alert_situations import machine_pools, objections, objects, own_work, readings, troubles, zones
from tests.alert_situations.night import Night

SITUATIONS: dict[str, Callable[[], Night]] = {
    "credential-ending": readings.credential_ending,
    "section-unknown": readings.api_silent,
    "section-unknown.token": readings.token_expired,
    "section-unknown.secret": readings.secret_missing,
    "section-unknown.ec2": readings.ec2_denies,
    "section-unknown.ocm": readings.ocm_silent,
    "ocm-cluster-not-ready": machine_pools.ocm_cluster_not_ready,
    "ocm-cluster-mismatch": machine_pools.ocm_cluster_mismatch,
    "pool-missing": machine_pools.pool_missing,
    "pool-impossible": machine_pools.pool_impossible,
    "pool-different": machine_pools.pool_different,
    "pool-conflict": machine_pools.pool_conflict,
    "second-writer": machine_pools.second_writer,
    "pool-label-missing": machine_pools.pool_label_missing,
    "pool-label-missing.refused": machine_pools.pool_label_refused,
    "pool-short": machine_pools.pool_short,
    "node-outside-pools": zones.node_outside_pools,
    "node-unusable": zones.node_unusable,
    "node-unusable.host-cidrs": zones.node_without_host_cidrs,
    "node-unusable.not-ready": zones.node_not_ready,
    "node-label-missing": zones.node_label_missing,
    "node-label-missing.classic": zones.node_label_not_ours_to_set,
    "no-eligible-node": zones.no_eligible_node,
    "capacity-shortfall": zones.capacity_shortfall,
    "capacity-no-spare": zones.capacity_no_spare,
    "subnet-changed": zones.subnet_changed,
    "subnet-nearly-full": zones.subnet_nearly_full,
    "interface-untagged": zones.interface_untagged,
    "capacity-odd": zones.capacity_odd,
    "address-leftover": zones.address_leftover,
    "address-outside": objections.address_outside,
    "address-reserved-by-aws": objections.address_reserved_by_aws,
    "address-taken": objections.address_taken,
    "address-is-host": objections.address_is_host,
    "address-duplicate": objections.address_duplicate,
    "address-duplicate.serving": objections.address_duplicate_serving,
    "address-unassigned": troubles.address_unassigned,
    "address-unassigned.person": troubles.address_unassigned_for_good,
    "address-unassigned.observed": troubles.address_unassigned_observed,
    "assignment-failed": troubles.assignment_denied,
    "assignment-failed.untagged": troubles.assignment_untagged,
    "assignment-failed.held": troubles.assignment_held,
    "assignment-failed.full": troubles.assignment_full,
    "assignment-failed.throttled": troubles.assignment_throttled,
    "assignment-failed.refused": troubles.assignment_refused,
    "assignment-failed.node-gone": troubles.assignment_node_gone,
    "assignment-failed.unanswered": troubles.assignment_unanswered,
    "status-lost": troubles.status_lost,
    "status-unbacked": troubles.status_unbacked,
    "status-unbacked.may-serve": troubles.status_unbacked_may_serve,
    "cpic-stale": troubles.cpic_stale,
    "cpic-stale.in-the-way": troubles.cpic_stale_in_the_way,
    "cpic-stale.stuck": troubles.cpic_stuck,
    "ec2-address-missing": troubles.ec2_address_missing,
    "ec2-address-missing.elsewhere": troubles.ec2_address_elsewhere,
    "address-flapping": troubles.address_flapping,
    "spec-edited": objects.spec_edited,
    "spec-edited.garbled": objects.spec_garbled,
    "object-missing": objects.object_missing,
    "object-foreign": objects.object_foreign,
    "selector-overlap": objects.selector_overlap,
    "selector-overlap.by-labels": objects.selector_overlap_by_labels,
    "field-conflict": objects.field_conflict,
    "field-conflict.selector": objects.selector_narrowed,
    "reservation-missing": objects.reservation_missing,
    "reservation-foreign": objections.reservation_foreign,
    "plan-refused": own_work.plan_refused,
    "plan-refused.held-back": own_work.change_held_back,
    "action-failed": own_work.action_refused,
    "action-failed.unanswered": own_work.action_unanswered,
}
"""By name of the text: at least one a kind, more where the cause decides on what a person has to do."""


def kind_of(name: str) -> Kind:
    return Kind(name.partition(".")[0])
