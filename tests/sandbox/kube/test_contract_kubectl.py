"""The real kubectl: the steps of the guide that the product replaces, and what people do to objects by hand.

Part of the contract any server of the cluster API must keep; ``conftest.py`` chooses the server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.kube.client import (
    CLOUD_IPS,
    CONTROL_PLANE,
    EGRESS_IPS,
    NAMESPACES,
    NODES,
    Api,
    egress_ip,
    node,
    unique,
)
from tests.sandbox.kube.conftest import Kubectl

pytestmark = (
    pytest.mark.slow
)  # each command of kubectl costs half a second; `make conformance` runs them on both servers

LABEL = "k8s.ovn.org/egress-assignable"


@pytest.fixture
def name(api: Api) -> Iterator[str]:
    """The name of an EgressIP that kubectl makes, taken away afterwards."""
    made = unique("web")
    yield made
    api.delete(f"{EGRESS_IPS}/{made}")


def made_node(api: Api, **metadata: object) -> str:
    made = unique("node")
    assert api.post(NODES, node(made, **metadata)).status == 201
    return made


# The guide


def test_nodes_are_labelled_found_and_unlabelled(api: Api, kubectl: Kubectl) -> None:
    """The label by which OVN-Kubernetes knows its egress nodes; a second time is no error."""
    made = made_node(api)
    assert kubectl("label", "node", made, f"{LABEL}=").stdout.strip() == f"node/{made} labeled"
    assert kubectl("label", "node", made, f"{LABEL}=").stdout.strip() == f"node/{made} not labeled"
    assert api.get(f"{NODES}/{made}").body["metadata"]["labels"] == {LABEL: ""}
    assert kubectl("get", "nodes", "-l", LABEL, "-o", "name").stdout.split() == [f"node/{made}"]
    refused = kubectl("label", "node", made, f"{LABEL}=true")
    assert "already has a value" in refused.stderr
    assert kubectl("label", "node", made, f"{LABEL}-").stdout.strip() == f"node/{made} unlabeled"
    assert kubectl("get", "nodes", "-l", LABEL, "-o", "name").stdout == ""


def test_capacities_are_read_from_annotations(api: Api, kubectl: Kubectl) -> None:
    """-o json for jq, -o jsonpath with the dots of a key escaped."""
    capacity = '[{"interface":"eni-1","ifaddr":{"ipv4":"10.0.1.0/24"},"capacity":{"ipv4":14}}]'
    made = made_node(api, annotations={"cloud.network.openshift.io/egress-ipconfig": capacity})
    shown = json.loads(kubectl("get", "node", made, "-o", "json").stdout)
    assert json.loads(shown["metadata"]["annotations"]["cloud.network.openshift.io/egress-ipconfig"])
    path = "{.metadata.annotations.cloud\\.network\\.openshift\\.io/egress-ipconfig}"
    assert kubectl("get", "node", made, "-o", f"jsonpath={path}").stdout == capacity


def test_an_egress_ip_is_applied_and_looked_at(api: Api, kubectl: Kubectl, name: str) -> None:
    """The columns of the CRD, by short name; wide; described; the assignment by jsonpath."""
    assert kubectl("apply", "-f", "-", stdin=egress_ip(name, "10.0.1.5")).stdout.split()[-1] == "created"
    items = [{"node": "n1", "egressIP": "10.0.1.5"}]
    api.merge(f"{EGRESS_IPS}/{name}", {"status": {"items": items}}, role=CONTROL_PLANE)
    header, row = kubectl("get", "eip", name).stdout.splitlines()
    assert header.split("  ")[0] == "NAME"
    assert "ASSIGNED EGRESSIPS" in header
    assert row.split() == [name, "10.0.1.5", "n1", "10.0.1.5"]
    assert kubectl("get", "egressip", name, "-o", "wide").stdout.splitlines()[1].split() == row.split()
    found = kubectl("get", "egressips", name, "-o", "jsonpath={.status.items[*].node}").stdout
    assert found == "n1"
    described = kubectl("describe", "eip", name).stdout
    assert "10.0.1.5" in described
    assert kubectl("explain", "egressip.spec.egressIPs").returncode == 0


def test_client_side_apply_changes_what_it_created(api: Api, kubectl: Kubectl, name: str) -> None:
    """Custom kinds by a merge patch, core kinds by a strategic one; the same again changes nothing."""
    for address, word in (("10.0.1.5", "created"), ("10.0.1.6", "configured"), ("10.0.1.6", "unchanged")):
        done = kubectl("apply", "-f", "-", stdin=egress_ip(name, address))
        assert (done.stderr, done.stdout.split()[-1]) == ("", word)
    assert api.get(f"{EGRESS_IPS}/{name}").body["spec"]["egressIPs"] == ["10.0.1.6"]
    made = made_node(api)
    api.delete(f"{NODES}/{made}")
    for labels in ({"a": "1", "b": "1"}, {"a": "2"}):
        assert kubectl("apply", "-f", "-", stdin=node(made, labels=labels)).stderr == ""
    assert api.get(f"{NODES}/{made}").body["metadata"]["labels"] == {"a": "2"}
    api.delete(f"{NODES}/{made}")


def test_a_watch_shows_changes_as_they_come(api: Api, kubectl: Kubectl, name: str) -> None:
    """What is there first; the server ends the watch when it was asked to."""
    api.post(EGRESS_IPS, egress_ip(name, "10.0.1.5"))
    shown = kubectl("get", "eip", name, "--watch", "--request-timeout=1s", "-o", "name")
    assert shown.stdout.split() == [f"egressip.k8s.ovn.org/{name}"]


def test_a_cloud_ip_is_read_by_its_address(api: Api, kubectl: Kubectl) -> None:
    """Its name is the address; waiting for its condition ends at once where it holds."""
    address = "10.99.4.1"
    kind = {"apiVersion": "cloud.network.openshift.io/v1", "kind": "CloudPrivateIPConfig"}
    api.post(CLOUD_IPS, {**kind, "metadata": {"name": address}, "spec": {"node": "n1"}})
    condition = {
        "type": "Assigned",
        "status": "True",
        "reason": "CloudResponseSuccess",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    api.merge(f"{CLOUD_IPS}/{address}/status", {"status": {"conditions": [condition], "node": "n1"}})
    assert address in kubectl("get", "cloudprivateipconfigs", address).stdout
    waited = kubectl("wait", "--for=condition=Assigned", f"cloudprivateipconfig/{address}", "--timeout=5s")
    assert waited.stdout.split()[-2:] == ["condition", "met"]


def test_deleting_says_what_went_and_waits_until_it_has(api: Api, kubectl: Kubectl, name: str) -> None:
    """A second time is an error unless that is asked to be none."""
    api.post(EGRESS_IPS, egress_ip(name, "10.0.1.5"))
    assert kubectl("delete", "eip", name).stdout.strip() == f'egressip.k8s.ovn.org "{name}" deleted'
    again = kubectl("delete", "eip", name)
    assert f'egressips.k8s.ovn.org "{name}" not found' in again.stderr
    assert kubectl("delete", "eip", name, "--ignore-not-found").returncode == 0


def test_a_finalizer_keeps_kubectl_waiting(api: Api, kubectl: Kubectl, name: str) -> None:
    """The object is marked, kubectl's patience ends, and the object goes with its last finalizer."""
    kept = egress_ip(name, "10.0.1.5")
    kept["metadata"]["finalizers"] = ["example.com/keep"]
    api.post(EGRESS_IPS, kept)
    assert "timed out" in kubectl("delete", "eip", name, "--timeout=1s").stderr
    assert api.get(f"{EGRESS_IPS}/{name}").body["metadata"]["deletionTimestamp"]
    patch = '{"metadata":{"finalizers":null}}'
    assert kubectl("patch", "eip", name, "--type=merge", "-p", patch).returncode == 0
    assert api.get(f"{EGRESS_IPS}/{name}").status == 404


# By hand


def test_server_side_apply_reports_conflicts_and_forces_through_them(api: Api, kubectl: Kubectl, name: str) -> None:
    """The other manager is named with its version and the field."""
    config = egress_ip(name, "10.0.1.5")
    apply = ("apply", "--server-side", "-f", "-")
    assert "serverside-applied" in kubectl(*apply, stdin=config).stdout
    api.merge(f"{EGRESS_IPS}/{name}", {"spec": {"egressIPs": ["10.0.1.7"]}}, agent="editor/1")
    refused = kubectl(*apply, stdin=config)
    assert 'conflict with "editor" using k8s.ovn.org/v1: .spec.egressIPs' in refused.stderr
    assert kubectl(*apply, "--force-conflicts", stdin=config).returncode == 0
    assert api.get(f"{EGRESS_IPS}/{name}").body["spec"]["egressIPs"] == ["10.0.1.5"]


def test_edit_changes_the_object_as_kubectl_edit(api: Api, kubectl: Kubectl, name: str, tmp_path: Path) -> None:
    """An editor that changes one address; the field then belongs to a manager of that name."""
    api.post(EGRESS_IPS, egress_ip(name, "10.0.1.5"))
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/10.0.1.5/10.0.1.6/ "$1"\n')
    editor.chmod(0o755)
    assert kubectl("edit", "eip", name, env={"KUBE_EDITOR": str(editor)}).stdout.split()[-1] == "edited"
    changed = api.get(f"{EGRESS_IPS}/{name}")
    assert changed.body["spec"]["egressIPs"] == ["10.0.1.6"]
    assert ("kubectl-edit", "Update", "") in changed.owners


def test_patches_of_all_kinds(api: Api, kubectl: Kubectl, name: str) -> None:
    """Merge and JSON for custom kinds, strategic for core ones only."""
    api.post(EGRESS_IPS, egress_ip(name, "10.0.1.5"))
    merge = '{"spec":{"egressIPs":["10.0.1.6"]}}'
    assert kubectl("patch", "eip", name, "--type=merge", "-p", merge).returncode == 0
    operations = '[{"op":"add","path":"/spec/egressIPs/-","value":"10.0.1.7"}]'
    assert kubectl("patch", "eip", name, "--type=json", "-p", operations).returncode == 0
    assert api.get(f"{EGRESS_IPS}/{name}").body["spec"]["egressIPs"] == ["10.0.1.6", "10.0.1.7"]
    refused = kubectl("patch", "eip", name, "-p", merge)
    assert "strategic-merge-patch+json is not supported by k8s.ovn.org/v1" in refused.stderr
    made = made_node(api)
    assert kubectl("cordon", made).stdout.strip() == f"node/{made} cordoned"
    assert kubectl("taint", "node", made, "a=b:NoSchedule").stdout.strip() == f"node/{made} tainted"
    assert api.get(f"{NODES}/{made}").body["spec"]["unschedulable"] is True


def test_replace_needs_the_version_it_read(api: Api, kubectl: Kubectl, name: str) -> None:
    """A file that was read before somebody else wrote is refused."""
    api.post(EGRESS_IPS, egress_ip(name, "10.0.1.5"))
    read = api.get(f"{EGRESS_IPS}/{name}").body
    api.merge(f"{EGRESS_IPS}/{name}", {"metadata": {"labels": {"a": "1"}}})
    refused = kubectl("replace", "-f", "-", stdin=read)
    assert "the object has been modified" in refused.stderr


def test_a_diff_is_a_dry_run(api: Api, kubectl: Kubectl, name: str) -> None:
    """Exit code 1 and the changed lines; nothing is stored."""
    kubectl("apply", "-f", "-", stdin=egress_ip(name, "10.0.1.5"))
    difference = kubectl("diff", "-f", "-", stdin=egress_ip(name, "10.0.1.6"))
    assert (difference.returncode, "+  - 10.0.1.6" in difference.stdout) == (1, True)
    assert api.get(f"{EGRESS_IPS}/{name}").body["spec"]["egressIPs"] == ["10.0.1.5"]


def test_the_mark_is_not_for_people(api: Api, kubectl: Kubectl, name: str) -> None:
    """The admission policy's sentence reaches who tries."""
    api.post(EGRESS_IPS, egress_ip(name, "10.0.1.5"))
    refused = kubectl("annotate", "eip", name, "k8s.ovn.org/egressip-mark=50000")
    assert "A regular user must not add" in refused.stderr


def test_unknown_members_are_refused_by_default(kubectl: Kubectl) -> None:
    """kubectl asks for strict validation."""
    refused = kubectl("create", "-f", "-", stdin=egress_ip("web", "10.0.1.5", foo=1))
    assert 'unknown field "spec.foo"' in refused.stderr


def test_objects_come_out_as_they_are(api: Api, kubectl: Kubectl) -> None:
    """-o json, owners included."""
    made = made_node(api)
    shown = json.loads(kubectl("get", "node", made, "-o", "json", "--show-managed-fields").stdout)
    assert shown == api.get(f"{NODES}/{made}").body


def test_a_token_is_created_and_works(api: Api, kubectl: Kubectl) -> None:
    """kubectl sends these bodies as protobuf."""
    team = unique("team")
    assert kubectl("create", "namespace", team).returncode == 0
    try:
        assert kubectl("create", "serviceaccount", "keeper", f"--namespace={team}").returncode == 0
        assert kubectl("create", "secret", "generic", "s", "--from-literal=a=b", f"--namespace={team}").returncode == 0
        assert api.get(f"{NAMESPACES}/{team}/secrets/s").body["data"] == {"a": "Yg=="}
        token = kubectl("create", "token", "keeper", f"--namespace={team}", "--duration=20m").stdout.strip()
        assert api.get(f"{NAMESPACES}/{team}/serviceaccounts/keeper", token=token).status in (200, 403)
    finally:
        kubectl("delete", "namespace", team, "--wait=false")
