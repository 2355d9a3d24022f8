"""`deploy/rbac.yaml` grants what the product needs, and nothing else: shown by the server that enforces it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.adapters.aws import Aws
from chalicelib.adapters.cluster import KubernetesApi
from chalicelib.adapters.cluster_token import ClusterTokenStore
from chalicelib.adapters.cluster_wire import ClusterWire
from chalicelib.adapters.errors import Denied
from chalicelib.adapters.secrets import Secrets
from chalicelib.domain.drift.credential import ServiceAccount
from chalicelib.domain.snapshot import EgressIpSpec
from chalicelib.domain.spec import SecretRef
from sandbox.rosa import PoolSpec, Scenario
from tests.conformance.harness import ACCOUNT, Real, rules
from tests.e2e.staging import staged
from tests.sandbox.kube.client import EGRESS_IPS, NODES, Api, egress_ip, node

LABEL = "k8s.ovn.org/egress-assignable"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
ROLES = "/apis/rbac.authorization.k8s.io/v1"
THERE, NEW, NODE = "rights-there", "rights-new", "rights"


@dataclass(frozen=True)
class Product:
    """The adapters as a visit has them, with the token that a cluster-admin gave them."""

    cluster: KubernetesApi
    token: ClusterTokenStore
    uid: str


def spec(address: str) -> EgressIpSpec:
    return EgressIpSpec((address,), '{"matchLabels":{"team":"web"}}', None)


CHECKS: Mapping[str, Callable[[Product], object]] = {
    "nodes are read": lambda product: product.cluster.fetch_nodes(),
    "EgressIPs are read": lambda product: product.cluster.fetch_egress_ips(),
    "CloudPrivateIPConfigs are read": lambda product: product.cluster.fetch_cpics(),
    "namespaces are read": lambda product: product.cluster.fetch_namespaces(["team"]),
    "pods are read": lambda product: product.cluster.fetch_pods(["default"], ["app"]),
    "an EgressIP is changed": lambda product: product.cluster.apply_egress_ip(THERE, spec("10.0.1.6"), {}, force=True),
    "an EgressIP is created": lambda product: product.cluster.apply_egress_ip(NEW, spec("10.0.1.7"), {}, force=False),
    "an EgressIP is deleted": lambda product: product.cluster.delete_egress_ip(THERE, product.uid),
    "a node is labelled": lambda product: product.cluster.label_node(NODE, {LABEL: ""}),
    "the token is renewed": lambda product: product.token.request(
        ServiceAccount("egress-keeper", "egress-keeper"), timedelta(hours=1), datetime.now(UTC)
    ),
}
"""What the product does in a cluster, each by the call that does it. A new right needs a line here that needs it."""


@pytest.fixture
def admin(real: Real) -> Iterator[Api]:
    with real.api() as api:
        yield api


@pytest.fixture
def token(real: Real) -> str:
    """The roles as they are in the file, and the token that the page on deploying tells how to get."""
    return real.install()


def product_of(real: Real, admin: Api, token: str) -> Product:
    """A product with something to work on."""
    for name in (THERE, NEW):
        admin.delete(f"{EGRESS_IPS}/{name}")
    there = admin.post(EGRESS_IPS, egress_ip(THERE, "10.0.1.5"))
    admin.post(NODES, node(NODE))
    secrets = Secrets(Aws(attempts=1), environment={"TOKEN": token})
    ref = SecretRef(env="TOKEN")
    wire = ClusterWire(real.url, secrets.token_source(ref), ca=real.ca_pem)
    store = ClusterTokenStore(secrets, ref, lambda source: ClusterWire(real.url, source, ca=real.ca_pem))
    return Product(KubernetesApi(wire), store, there.body["metadata"]["uid"])


def denied(product: Product) -> dict[str, str]:
    """The checks that the server did not allow, with what it said."""
    found = {}
    for name, check in CHECKS.items():
        try:
            check(product)
        except Denied as error:
            found[name] = error.detail
    return found


def may(api: Api, group: str, resource: str, verb: str) -> bool:
    """Whether the server allows it to whoever asks, now: roles come into force a moment after they were written."""
    plural, _, subresource = resource.partition("/")
    about = {"group": group, "resource": plural, "subresource": subresource, "verb": verb}
    if subresource:
        about |= {"namespace": "egress-keeper", "name": "egress-keeper"}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    answer = api.post(REVIEWS, {**review, "spec": {"resourceAttributes": about}})
    assert answer.status == 201, answer.body
    return bool(answer.body["status"]["allowed"])


def wait_until(api: Api, right: tuple[str, str, str], *, allowed: bool) -> None:
    end = time.monotonic() + 30
    while may(api, *right) is not allowed:
        assert time.monotonic() < end, f"{right} is still {'denied' if allowed else 'allowed'}"
        time.sleep(0.02)


RIGHTS = [
    (group, resource, verb)
    for rule in rules()
    for group in rule["apiGroups"]
    for resource in rule["resources"]
    for verb in rule["verbs"]
]


def role_path(owner: Mapping[str, Any]) -> str:
    metadata = owner["metadata"]
    scope = f"/namespaces/{metadata['namespace']}" if owner["kind"] == "Role" else ""
    return f"{ROLES}{scope}/{owner['kind'].lower()}s/{metadata['name']}"


def without(owner: Mapping[str, Any], right: tuple[str, str, str]) -> list[dict[str, Any]]:
    """The rules of a role less one verb on one resource."""
    left = []
    for rule in owner["rules"]:
        hit = right[0] in rule["apiGroups"] and right[1] in rule["resources"] and right[2] in rule["verbs"]
        verbs = [verb for verb in rule["verbs"] if not (hit and verb == right[2])]
        if verbs:
            left.append({**rule, "verbs": verbs})
    return left


def test_everything_is_allowed_with_the_roles_as_they_are(real: Real, admin: Api, token: str) -> None:
    """The table of checks needs no other right than those in the file."""
    with real.api(token) as own:
        for right in RIGHTS:
            wait_until(own, right, allowed=True)
    assert denied(product_of(real, admin, token)) == {}


@pytest.mark.parametrize("right", RIGHTS, ids=lambda right: " ".join(filter(None, right)))
def test_no_right_can_be_missing(real: Real, admin: Api, token: str, right: tuple[str, str, str]) -> None:
    """Without any one verb something that the product does is refused: none is granted for nothing."""
    owners = {json.dumps(rule["owner"]): rule["owner"] for rule in rules()}
    with real.api(token) as own:
        wait_until(own, right, allowed=True)
        for owner in owners.values():
            assert admin.merge(role_path(owner), {"rules": without(owner, right)}).status == 200
        wait_until(own, right, allowed=False)
        refused = denied(product_of(real, admin, token))
        for owner in owners.values():
            admin.merge(role_path(owner), {"rules": owner["rules"]})
        wait_until(own, right, allowed=True)
    assert refused
    assert all(f'cannot {right[2]} resource "{right[1]}"' in said for said in refused.values())


def test_nothing_beside_the_listed_rights_is_allowed(real: Real, token: str) -> None:
    """What would hurt most, asked of the server itself."""
    with real.api(token) as own:
        wait_until(own, RIGHTS[0], allowed=True)
        for right in (
            ("k8s.ovn.org", "egressips", "update"),
            ("cloud.network.openshift.io", "cloudprivateipconfigs", "delete"),
            ("", "nodes", "delete"),
            ("", "nodes", "create"),
            ("", "secrets", "list"),
            ("", "pods", "get"),
            ("", "namespaces", "patch"),
            ("rbac.authorization.k8s.io", "clusterroles", "create"),
        ):
            assert not may(own, *right), right


def used(real: Real, start: int) -> tuple[set[tuple[str, str, str]], list[Mapping[str, Any]]]:
    """Rights that the account used since line *start* of the audit log, and its requests that were refused.

    A server-side apply that creates is logged as patch; that it was authorised as create, too, shows in the 201.
    """
    found, refused = set(), []
    for line in real.audit_log.read_text(encoding="utf-8").splitlines()[start:]:
        event = json.loads(line)
        if event["user"]["username"] != ACCOUNT or "objectRef" not in event:
            continue
        about, code = event["objectRef"], event["responseStatus"]["code"]
        group = about.get("apiGroup", "")
        resource = about["resource"] + (f"/{about['subresource']}" if "subresource" in about else "")
        if code == 403:
            refused.append(event)
        found.add((group, resource, event["verb"]))
        if event["verb"] == "patch" and code == 201:
            found.add((group, resource, "create"))
    return found, refused


def test_the_audit_log_shows_every_right_used_and_nothing_refused(real: Real) -> None:
    """One cluster's life under exactly this identity: addresses given, a foreign EgressIP looked at, a label put back,
    a policy given up, a token renewed.
    """
    start = len(real.audit_log.read_text(encoding="utf-8").splitlines())
    pools = tuple(
        PoolSpec(name=f"egress-{zone}", zones=(f"eu-central-1{zone}",), replicas=2, labels={LABEL: ""}) for zone in "ab"
    )
    policy = [
        "      - name: {name}",
        "        namespaces: {{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}",
        "        addresses: [10.10.100.25{last}, 10.10.150.25{last}]",
    ]
    first, second = (
        [line.format(name=name, last=last) for line in policy] for name, last in (("first", 3), ("second", 4))
    )
    with staged(Scenario(name="payments", pools=pools), [*first, *second]) as stage:

        def minutes(number: int) -> None:
            for _ in range(number):
                stage.plumbing.tick_schedules()
                stage.run_for(60)

        # The stage lets half an hour pass in seconds; the server, by its own clock, takes the token all along.
        short = real.kubectl("create", "token", "egress-keeper", "-n", "egress-keeper", "--duration=1h").strip()
        secrets = stage.aws.client("secretsmanager")
        secret_id = f"egress-keeper/{stage.scenario.name}"
        secrets.put_secret_value(SecretId=secret_id, SecretString=short)
        minutes(2)
        with real.api() as admin:  # somebody's EgressIP whose pods may be those of the first policy: they are looked at
            admin.post("/api/v1/namespaces", {"metadata": {"name": "first"}})
            legacy = egress_ip("legacy", "10.99.0.9")
            legacy["spec"] = {**legacy["spec"], "namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "db"}}}
            assert admin.post(EGRESS_IPS, legacy).status == 201
            minutes(1)
            assert admin.delete(f"{EGRESS_IPS}/legacy").status == 200
        stage.rosa.take_label(stage.rosa.node_name(stage.rosa.pool_machines("egress-a")[0]))
        stage.run_for(1800)
        minutes(3)
        assert secrets.get_secret_value(SecretId=secret_id)["SecretString"] != short
        assert {found["metadata"]["name"] for found in stage.rosa.kube.list("egressips")} == {"first", "second"}
        stage.put_fleet(stage.default_fleet.replace("\n".join(second), ""))
        minutes(2)
        refused_plan = stage.documents("/clusters/payments/plan")["clusters"][0]
        body = {"approve": refused_plan["digest"]}
        assert stage.plumbing.request("POST", "/clusters/payments/reconcile", body).status == 202
        minutes(2)
        assert {found["metadata"]["name"] for found in stage.rosa.kube.list("egressips")} == {"first"}
        assert not [run.error for run in stage.plumbing.invocations if run.error]
    found, refused = used(real, start)
    assert refused == []
    assert found == set(RIGHTS)
