"""Others write to our objects, each in its own tool's way: what a visit sees, puts back, leaves alone and says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.stage import Stage
from tests.e2e.staging import staged
from tests.e2e.test_main_job import POLICIES, minutes, scenario, serving
from tests.sandbox.kube.client import EGRESS_IPS, Api, Reply

pytestmark = pytest.mark.slow  # a dozen seconds of visits; `make conformance` runs it on the real server

NAME = "demo-egress-ns"
PATH = f"{EGRESS_IPS}/{NAME}"
WANTED = ["10.10.100.253", "10.10.150.253", "10.10.200.253"]
THEIRS = {"egressIPs": WANTED[:1], "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAME}}}
OBJECT = {"apiVersion": "k8s.ovn.org/v1", "kind": "EgressIP", "metadata": {"name": NAME}, "spec": THEIRS}
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A cluster at rest. Each test leaves it so, because that is what a visit does."""
    with staged(scenario(), POLICIES) as running:
        minutes(running, 3)
        running.run_for(1800)
        running.read_mail()
        yield running


@contextmanager
def writing(stage: Stage, tmp_path: Path) -> Iterator[Api]:
    """The cluster API as its administrator has it; the platform has seen what was written when it closes."""
    ca_file = None
    if stage.rosa.ca_pem is not None:
        (tmp_path / "ca.pem").write_text(stage.rosa.ca_pem)
        ca_file = str(tmp_path / "ca.pem")
    api = Api(stage.rosa.api_url, {"admin": stage.admin_token}, ca_file)
    yield api
    api.close()
    stage.rosa.kube.settle()


def live(stage: Stage) -> dict[str, Any]:
    return stage.rosa.kube.get("egressips", NAME)


def seen(stage: Stage, kind: str) -> list[str]:
    """What the visits of the last minutes found of that kind, newest first."""
    runs = [stage.documents(f"/runs/{run['run_id']}") for run in stage.documents("/clusters/payments/runs")["runs"][:4]]
    visits = [visit for run in runs for visit in (run["visit"] or {}).get("clusters", ())]
    return [found["summary"] for visit in visits for found in visit["findings"] if found["kind"] == kind]


def kubectl_edit(api: Api) -> Reply:
    return api.merge(f"{PATH}?fieldManager=kubectl-edit", {"spec": {"egressIPs": WANTED[:1]}})


def kubectl_apply(api: Api) -> Reply:
    annotations = {LAST_APPLIED: json.dumps(OBJECT)}
    changed = {"metadata": {"annotations": annotations}, "spec": THEIRS}
    return api.merge(f"{PATH}?fieldManager=kubectl-client-side-apply", changed)


def kubectl_replace(api: Api) -> Reply:
    there = api.get(PATH).body
    return api.call("PUT", f"{PATH}?fieldManager=kubectl-replace", {**there, "spec": THEIRS})


def argo_cd(api: Api) -> Reply:
    return api.apply(PATH, OBJECT, "argocd-controller", force=True)


def terraform(api: Api) -> Reply:
    labels = {"app.kubernetes.io/managed-by": "terraform"}
    return api.apply(PATH, {**OBJECT, "metadata": {"name": NAME, "labels": {**labels}}}, "Terraform", force=True)


WRITERS = {
    "kubectl-edit": kubectl_edit,
    "kubectl-client-side-apply": kubectl_apply,
    "kubectl-replace": kubectl_replace,
    "argocd-controller": argo_cd,
}


@pytest.mark.parametrize("manager", WRITERS)
def test_what_another_tool_changed_is_put_back_and_said(stage: Stage, tmp_path: Path, manager: str) -> None:
    """Whoever holds the field by whatever verb: it is taken back, and the visit names the manager."""
    with writing(stage, tmp_path) as api:
        assert WRITERS[manager](api).status == 200
    assert live(stage)["spec"]["egressIPs"] == WANTED[:1]
    minutes(stage, 1)
    assert manager in seen(stage, "spec-edited")[0]
    minutes(stage, 2)
    assert live(stage)["spec"]["egressIPs"] == WANTED
    assert len(serving(stage)) == 6


def test_what_others_add_beside_our_fields_stays(stage: Stage, tmp_path: Path) -> None:
    """Labels, annotations and selector keys of others are theirs; nothing is planned because of them."""
    with writing(stage, tmp_path) as api:
        theirs = {"apiVersion": "k8s.ovn.org/v1", "kind": "EgressIP"}
        labels = {"name": NAME, "labels": {"team": "payments"}, "annotations": {"note": "ask us first"}}
        assert api.apply(PATH, {**theirs, "metadata": labels}, "Terraform").status == 200
        assert api.merge(f"{PATH}?fieldManager=kubectl-label", {"metadata": {"labels": {"tier": "1"}}}).status == 200
    before = live(stage)
    minutes(stage, 2)
    after = live(stage)
    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    assert {"team": "payments", "tier": "1"}.items() <= after["metadata"]["labels"].items()
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_a_tool_that_never_gives_up_is_told_of_and_not_flooded(stage: Stage, tmp_path: Path) -> None:
    """Two desired states fight: ours is put back each time, and people get few messages, not one a minute."""
    for _ in range(12):
        with writing(stage, tmp_path) as api:
            argo_cd(api)
        minutes(stage, 1)
        assert live(stage)["spec"]["egressIPs"] == WANTED
    assert "argocd-controller" in seen(stage, "spec-edited")[0]
    mail = [one for one in stage.read_mail() if one.attributes["kind"] == "spec-edited"]
    assert 1 <= len(mail) <= 4, "what the tests before this one did included"


def test_an_object_that_another_tool_claims_is_left_to_it(stage: Stage, tmp_path: Path) -> None:
    """Terraform puts its own name into the label by which we know our objects: from then on people decide."""
    with writing(stage, tmp_path) as api:
        assert terraform(api).status == 200
    minutes(stage, 3)
    assert live(stage)["spec"]["egressIPs"] == WANTED[:1]
    assert seen(stage, "object-foreign")
    with writing(stage, tmp_path) as api:
        ours = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "egress-keeper"}}}
        api.merge(f"{PATH}?fieldManager=kubectl-label", ours)
    minutes(stage, 2)
    assert live(stage)["spec"]["egressIPs"] == WANTED


def test_the_admission_policy_stops_nobody_but_those_who_touch_the_mark(stage: Stage, tmp_path: Path) -> None:
    """OVN-Kubernetes' mark is on the object; our own applies go through, and a person who changes it is refused."""
    mark = "k8s.ovn.org/egressip-mark"
    before = live(stage)["metadata"]["annotations"][mark]
    with writing(stage, tmp_path) as api:
        refused = api.merge(PATH, {"metadata": {"annotations": {mark: "1"}}})
        assert (refused.status, "cannot be modified" in refused.message) == (422, True)
        assert api.merge(PATH, {"metadata": {"annotations": {mark: None}}}).status == 422
        kubectl_edit(api)
    minutes(stage, 3)
    assert live(stage)["spec"]["egressIPs"] == WANTED
    assert live(stage)["metadata"]["annotations"][mark] == before
