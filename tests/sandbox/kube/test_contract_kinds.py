"""Core kinds, and the admission policy for an EgressIP's mark.

Part of the contract any server of the cluster API must keep; ``conftest.py`` chooses the server.
"""

from __future__ import annotations

from urllib.parse import quote

from tests.sandbox.kube.client import (
    CONTROL_PLANE,
    EGRESS_IPS,
    EVENTS,
    NAMESPACES,
    NODES,
    STRATEGIC,
    TABLE,
    Api,
    applied,
    egress_ip,
    node,
    unique,
)

MARK = "k8s.ovn.org/egressip-mark"


def test_a_node_brings_its_status_along(api: Api) -> None:
    """As kubelet registers it; a Node has no generation, and its status is owned through its own endpoint only."""
    name = unique("n")
    reply = api.post(NODES, node(name), agent="kubelet/v1")
    assert reply.body["status"]["conditions"][0]["type"] == "Ready"
    assert "generation" not in reply.body["metadata"]
    assert "f:status" not in reply.owners["kubelet", "Update", ""]


def test_a_node_label_is_applied_and_taken_back(api: Api) -> None:
    """The labels of others stay both times."""
    name = unique("n")
    api.post(NODES, node(name, labels={"zone": "a"}))
    config = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    labelled = {**config, "metadata": {"name": name, "labels": {"k8s.ovn.org/egress-assignable": ""}}}
    reply = api.apply(f"{NODES}/{name}", labelled)
    assert reply.body["metadata"]["labels"] == {"zone": "a", "k8s.ovn.org/egress-assignable": ""}
    assert api.apply(f"{NODES}/{name}", config).body["metadata"]["labels"] == {"zone": "a"}


def test_strategic_merge_knows_items_by_key(api: Api) -> None:
    """Conditions and addresses merge by type; taints are replaced."""
    name = unique("n")
    api.post(NODES, node(name))
    status = {
        "conditions": [{"type": "Ready", "status": "False"}, {"type": "DiskPressure", "status": "False"}],
        "addresses": [{"type": "ExternalIP", "address": "1.1.1.1"}],
    }
    patched = api.call("PATCH", f"{NODES}/{name}/status", {"status": status}, STRATEGIC).body["status"]
    assert [(c["type"], c["status"], c.get("reason")) for c in patched["conditions"]] == [
        ("Ready", "False", "KubeletReady"),
        ("DiskPressure", "False", None),
    ]
    assert [address["type"] for address in patched["addresses"]] == ["ExternalIP", "InternalIP", "Hostname"]
    taint = {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}
    api.call("PATCH", f"{NODES}/{name}", taint, STRATEGIC)
    replaced = {"spec": {"taints": [{"key": "b", "effect": "NoSchedule"}]}}
    assert (
        api.call("PATCH", f"{NODES}/{name}", replaced, STRATEGIC).body["spec"]["taints"] == replaced["spec"]["taints"]
    )


def test_a_wrong_type_in_a_core_object_is_400_or_422(api: Api) -> None:
    """400 when it is posted, 422 when a patch makes it so."""
    name = unique("n")
    assert api.post(NODES, {**node(name), "spec": {"taints": "x"}}).status == 400
    api.post(NODES, node(name))
    reply = api.merge(f"{NODES}/{name}", {"spec": {"unschedulable": "yes"}})
    assert (reply.status, reply.causes[0]["field"]) == (422, "patch")


def test_a_namespace_is_labelled_with_its_name(api: Api) -> None:
    """The label selectors rely on; it cannot be taken away."""
    name = unique("team")
    label = {"kubernetes.io/metadata.name": name}
    created = api.post(NAMESPACES, {"metadata": {"name": name}}).body
    assert (created["metadata"]["labels"], created["status"]) == (label, {"phase": "Active"})
    without = {"metadata": {"labels": {"kubernetes.io/metadata.name": None}}}
    assert api.merge(f"{NAMESPACES}/{name}", without).body["metadata"]["labels"] == label


def test_objects_need_their_namespace(api: Api) -> None:
    """404 about the namespace; a body that names another one is 400."""
    reply = api.post(f"{NAMESPACES}/nowhere/secrets", {"metadata": {"name": "s"}})
    assert (reply.status, reply.message) == (404, 'namespaces "nowhere" not found')
    other = api.post(f"{NAMESPACES}/default/secrets", {"metadata": {"name": "s", "namespace": "nowhere"}})
    assert other.status == 400


def test_events_are_found_by_what_they_are_about(api: Api) -> None:
    """Field selectors on involvedObject, in the default namespace for cluster-scoped objects."""
    name = unique("e")
    event = {
        "metadata": {"name": name},
        "involvedObject": {"kind": "EgressIP", "name": name},
        "reason": "NoMatchingNodeFound",
    }
    assert api.post(EVENTS, event).status == 201
    query = quote(f"involvedObject.kind=EgressIP,involvedObject.name={name}")
    found = api.get(f"{EVENTS}?fieldSelector={query}").body["items"]
    assert [item["reason"] for item in found] == ["NoMatchingNodeFound"]
    assert api.get(f"{EVENTS}?fieldSelector={query},reason!=NoMatchingNodeFound").body["items"] == []


def test_a_service_account_gets_a_token(api: Api) -> None:
    """A JWT with its expiry; ten minutes are the least."""
    name = unique("keeper")
    accounts = f"{NAMESPACES}/default/serviceaccounts"
    api.post(accounts, {"metadata": {"name": name}})
    reply = api.post(f"{accounts}/{name}/token", {"spec": {"expirationSeconds": 3600}})
    assert (reply.status, reply.body["kind"]) == (201, "TokenRequest")
    assert reply.body["status"]["token"].count(".") == 2
    assert reply.body["status"]["expirationTimestamp"].endswith("Z")
    known = api.get(NODES, token=reply.body["status"]["token"])
    assert known.status != 401, "whether it may read nodes is for the roles to say"
    short = api.post(f"{accounts}/{name}/token", {"spec": {"expirationSeconds": 10}})
    assert (short.status, short.causes[0]["field"]) == (422, "spec.expirationSeconds")


def test_nobody_creates_an_egress_ip_with_the_mark(api: Api) -> None:
    """Not even OVN-Kubernetes; 422 with reason Invalid, though the message says forbidden."""
    config = egress_ip(unique("web"), "10.0.1.5")
    config["metadata"]["annotations"] = {MARK: "50000"}
    reply = api.post(EGRESS_IPS, config, role=CONTROL_PLANE)
    assert (reply.status, reply.reason) == (422, "Invalid")
    assert "is forbidden: ValidatingAdmissionPolicy 'egressip-mark-annotation-validation' with binding" in reply.message
    assert "cannot be created with" in reply.causes[0]["message"]


def test_only_ovn_adds_the_mark_and_nobody_changes_it(api: Api) -> None:
    """Applying without mentioning it is fine; a PUT that drops it is refused."""
    path, config = applied(api, "10.0.1.5")
    marked = {"metadata": {"annotations": {MARK: "50000"}}}
    assert "A regular user must not add" in api.merge(path, marked).message
    assert api.merge(path, marked, role=CONTROL_PLANE).status == 200
    for change in ({MARK: "50001"}, {MARK: None}):
        reply = api.merge(path, {"metadata": {"annotations": change}}, role=CONTROL_PLANE)
        assert (reply.status, "cannot be modified or removed once set" in reply.message) == (422, True)
    assert api.apply(path, config).body["metadata"]["annotations"] == {MARK: "50000"}
    current = api.get(path).body
    del current["metadata"]["annotations"]
    assert api.call("PUT", path, current).status == 422


def test_a_pod_gets_defaults_and_is_found_by_fields(api: Api) -> None:
    """Phase, container defaults, generation; its table shows what kubectl prints."""
    name, pods = unique("p"), f"{NAMESPACES}/default/pods"
    created = api.post(pods, {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    assert (created.body["status"]["phase"], created.body["metadata"]["generation"]) == ("Pending", 1)
    assert created.body["spec"]["containers"][0]["imagePullPolicy"] == "Always"
    tagged = {"metadata": {"name": unique("p")}, "spec": {"containers": [{"name": "c", "image": "host:5000/i:1"}]}}
    other = api.post(f"{pods}?dryRun=All", tagged)
    assert other.body["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    status = {"status": {"phase": "Running", "podIP": "10.128.0.9"}}
    written = api.call("PATCH", f"{pods}/{name}/status", status, STRATEGIC).body["status"]
    assert written["podIPs"] == [{"ip": "10.128.0.9"}]
    query = f"fieldSelector=status.phase%3DRunning,metadata.name%3D{name}"
    table = api.get(f"/api/v1/pods?{query}", accept=TABLE).body
    cells = table["rows"][0]["cells"]
    assert [cells[index] for index in (0, 1, 2, 3, 5)] == [name, "0/1", "Running", "0", "10.128.0.9"]
    assert api.delete(f"{pods}/{name}").body["kind"] == "Pod"


def test_a_secret_is_encoded(api: Api) -> None:
    """stringData becomes data, and the type has a default."""
    name, secrets = unique("s"), f"{NAMESPACES}/default/secrets"
    created = api.post(secrets, {"metadata": {"name": name}, "stringData": {"a": "b"}}).body
    assert (created["data"], created["type"], "stringData" in created) == ({"a": "Yg=="}, "Opaque", False)
    table = api.get(f"{secrets}/{name}", accept=TABLE).body
    assert table["rows"][0]["cells"][:3] == [name, "Opaque", 1]
    assert api.delete(f"{secrets}/{name}").body["status"] == "Success"


def test_a_deleted_service_account_is_sent_back(api: Api) -> None:
    """As a pod is; its table counts secrets."""
    name, accounts = unique("sa"), f"{NAMESPACES}/default/serviceaccounts"
    api.post(accounts, {"metadata": {"name": name}})
    assert api.get(f"{accounts}/{name}", accept=TABLE).body["rows"][0]["cells"][:2] == [name, 0]
    assert api.delete(f"{accounts}/{name}").body["kind"] == "ServiceAccount"


def test_the_event_table_is_what_kubectl_prints(api: Api) -> None:
    """Type, reason, object and message; empty members are shown as the server shows them."""
    name = unique("e")
    event = {
        "metadata": {"name": name},
        "involvedObject": {"kind": "EgressIP", "name": "web"},
        "reason": "NoMatchingNodeFound",
        "message": "m",
        "type": "Warning",
        "source": {"component": "ovnk-controlplane"},
        "count": 3,
    }
    created = api.post(EVENTS, event).body
    assert (created["eventTime"], created["reportingComponent"]) == (None, "")
    cells = api.get(f"{EVENTS}/{name}", accept=TABLE).body["rows"][0]["cells"]
    assert cells[1:7] == ["Warning", "NoMatchingNodeFound", "egressip/web", "", "ovnk-controlplane", "m"]
    assert cells[0] == "<unknown>"
    assert cells[8:] == [3, name]
    assert api.get(f"/api/v1/events?fieldSelector=source%3Dovnk-controlplane,metadata.name%3D{name}").body["items"]


def test_a_namespace_keeps_its_finalizer(api: Api) -> None:
    """Neither spec nor status is written through the main resource."""
    path = f"{NAMESPACES}/default"
    assert api.merge(path, {"spec": {"finalizers": ["a.b/c"]}}).body["spec"] == {"finalizers": ["kubernetes"]}
    assert api.get(path, accept=TABLE).body["rows"][0]["cells"][:2] == ["default", "Active"]
