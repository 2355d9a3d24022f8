"""What brings the situations about and what somebody does meanwhile: acts on the lab.

Belongs here: people, platform and time. Does not belong here: which of them make a situation (`situations`).
"""

from __future__ import annotations

from sandbox.aws.events import InstanceStateChange
from sandbox.drift.sides import is_ours, our_objects, reservations
from sandbox.faults.lab import ACCOUNT, LABEL, POLICIES, Lab
from sandbox.plumbing import FunctionError

SHORT_LIFE_SECONDS = 600
"""The shortest life that Kubernetes gives a token."""

REPLACED = (
    *POLICIES[:3],
    "      - name: demo-egress-new",
    "        namespaces: {matchLabels: {kubernetes.io/metadata.name: demo-egress-new}}",
    "        addresses: [10.10.100.230, 10.10.150.230]",
)
WANTED_POOL = "egress-c"
ROLE = "egress-keeper-cluster"


def nothing(_lab: Lab) -> None:
    """Nothing is to be done."""


# Orders


def by_schedule(lab: Lab) -> None:
    """A minute is over."""
    lab.stage.plumbing.tick_schedules()


def approve(lab: Lab) -> None:
    """A person looks at the plan and approves it."""
    name = lab.stage.scenario.name
    (plan,) = lab.stage.documents(f"/clusters/{name}/plan")["clusters"]
    lab.stage.plumbing.request("POST", f"/clusters/{name}/reconcile", {"approve": plan["digest"]})


def ask(lab: Lab) -> None:
    """A person asks for a visit over the REST API, and sees it when that fails."""
    try:
        lab.stage.plumbing.request("POST", f"/clusters/{lab.stage.scenario.name}/reconcile", {})
    except FunctionError:
        return


def announce_an_instance(lab: Lab) -> None:
    """EC2 says that an instance of the cluster runs; there is no schedule."""
    machine = lab.stage.rosa.pool_machines("egress-a")[0]
    stage = lab.stage
    event = InstanceStateChange(
        machine.instance_id, "running", stage.aws.account_id, stage.scenario.region, stage.timeline.now()
    )
    stage.plumbing.emit(event.to_event())


# Answers for stale reads


def answers_at_rest(lab: Lab) -> None:
    """Stale answers are those of a minute in which all was well."""
    lab.new_process()
    lab.calls.record()
    lab.minutes(1)
    lab.calls.stop_recording()


def answers_from_before(lab: Lab) -> None:
    """Stale answers are those that the very first visit got, when nothing of ours was there."""
    undo_everything(lab)
    lab.forget()
    lab.new_process()
    lab.calls.record()
    lab.stage.plumbing.tick_schedules()
    lab.stage.run_for(50)
    lab.calls.stop_recording()
    lab.minutes(2)


# Causes


def undo_everything(lab: Lab) -> None:
    """A cluster where nothing of ours has ever been."""
    for egress_ip in our_objects(lab.stage):
        lab.stage.rosa.kube.delete("egressips", egress_ip["metadata"]["name"])
    for reservation in reservations(lab.stage):
        if is_ours(reservation):
            lab.play.delete_reservation(reservation.cidr)
    lab.play.unseen(30)


def edit_by_hand(lab: Lab) -> None:
    """A label taken, an object edited, a reservation deleted."""
    lab.play.take_label(lab.play.nodes_of("egress-a")[0])
    lab.play.edit("demo-egress-ns", {"egressIPs": ["10.10.100.253"]})
    lab.play.delete_reservation("10.10.150.253/32")
    lab.play.unseen(30)


def edit_again(lab: Lab) -> None:
    """Somebody edits another object at that moment."""
    if any(o["metadata"]["name"] == "demo-egress-pod" for o in our_objects(lab.stage)):
        lab.play.edit("demo-egress-pod", {"egressIPs": []})


def take_a_label(lab: Lab) -> None:
    """One node without its label: a little that one visit puts right."""
    lab.play.take_label(lab.play.nodes_of("egress-a")[0])
    lab.play.unseen(30)


def remove_policy(lab: Lab) -> None:
    """A policy is taken out of the fleet file."""
    lab.play.put_policies(*POLICIES[:3])
    lab.new_process()  # the file is read anew at once, not within a minute


def remove_policies(lab: Lab) -> None:
    """All policies are taken out of the fleet file."""
    lab.stage.put_fleet(lab.stage.default_fleet.partition("    policies:\n")[0] + "    policies: []\n")
    lab.new_process()


def replace_policy(lab: Lab) -> None:
    """A policy makes place in the fleet file for another, whose addresses lie in the same reserved ranges."""
    lab.play.put_policies(*REPLACED)
    lab.new_process()


def replace_a_node(lab: Lab) -> None:
    """A node is replaced: the new one has joined without its label, the old one is on its way out."""
    lab.stage.rosa.set_pool_labels("egress-a", {})
    lab.stage.rosa.scale_pool("egress-a", 3)
    lab.play.unseen(300)
    lab.forget()
    new = lab.play.nodes_of("egress-a")[-1]
    if LABEL in lab.stage.rosa.kube.get("nodes", new)["metadata"]["labels"]:
        lab.play.take_label(new)
    lab.stage.rosa.retire_oldest("egress-a")
    lab.play.unseen(30)
    lab.forget()


def break_two_addresses(lab: Lab) -> None:
    """One address lost in EC2, one object without its status; both seen by a visit, and so settled."""
    lost = lab.play.sides("10.10.150.253")
    lab.play.unassign(lost.interface, lost.address)
    lab.kube.patch("egressips", "demo-egress-pod", [{"op": "remove", "path": "/status"}], manager="kubectl-replace")
    lab.minutes(1)
    lab.play.unseen(20)


def blink(lab: Lab) -> None:
    """Something is wrong for less than a minute: one visit sees it, nobody is told, and it is over."""
    node = lab.play.nodes_of("egress-a")[0]
    lab.play.fall_silent(node)
    lab.minutes(1)
    lab.play.come_back(node)
    lab.play.unseen(10)


def take_pool_label(lab: Lab) -> None:
    """Somebody replaces the labels of a machine pool in OCM; the nodes keep theirs, as on HCP."""
    lab.stage.rosa.set_pool_labels("egress-a", {"team": "network"})


def want_a_pool(lab: Lab) -> None:
    """The fleet file asks for a machine pool that is not there."""
    wanted = f"{{name: {WANTED_POOL}, create: {{instance_type: m5.xlarge, zones: [eu-central-1a], replicas: 1}}}}"
    _edit_fleet(lab, "    machine_pools: [", f"    machine_pools: [{wanted}, ")


def _edit_fleet(lab: Lab, old: str, new: str) -> None:
    """The fleet file with something else in it, read at once."""
    lab.stage.put_fleet(lab.stage.default_fleet.replace(old, new))
    lab.new_process()


def let_the_token_age(lab: Lab) -> None:
    """The cluster's token has an end, and is past the half of its life."""
    namespace, name = ACCOUNT
    issued = lab.kube.tokens.request(
        namespace, name, "", {"spec": {"expirationSeconds": SHORT_LIFE_SECONDS}}, "kubectl-create-token"
    )
    lab.token = issued["status"]["token"]
    lab.play.unseen(SHORT_LIFE_SECONDS * 0.55)


def select_some_pods(lab: Lab) -> None:
    """Somebody's EgressIP selects some pods of a namespace whose traffic ours takes as a whole."""
    kube, namespace = lab.stage.rosa.kube, "demo-egress-ns"
    kube.create("namespaces", {"metadata": {"name": namespace}}, manager="kubectl-create")
    spec = {
        "egressIPs": ["10.10.150.61"],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "podSelector": {"matchLabels": {"app": "partner"}},
    }
    kube.create("egressips", {"metadata": {"name": "partner"}, "spec": spec}, manager="kubectl-create")
    lab.play.unseen(20)


def take_a_label_in_another_account(lab: Lab) -> None:
    """The fleet file names a role in the cluster's account, and there is a little to put right."""
    role = f"arn:aws:iam::{lab.stage.aws.account_id}:role/{ROLE}"
    _edit_fleet(lab, "    infra_id:", f"    role_arn: {role}\n    infra_id:")
    take_a_label(lab)
