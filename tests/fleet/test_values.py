"""What a good fleet file becomes: domain values, defaults merged in, selectors in canonical form."""

from __future__ import annotations

from datetime import datetime, time
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.findings import Kind
from chalicelib.domain.pools import Scaling, Taint
from chalicelib.domain.quiet import Maintenance
from chalicelib.domain.spec import (
    ApiSpec,
    ClusterSpec,
    Fleet,
    Mode,
    OcmSpec,
    PolicySpec,
    PoolCreation,
    PoolSpec,
    SecretRef,
)
from chalicelib.fleet import load_fleet
from tests.fleet.texts import OCM_ID, PEM, changed, cluster, fleet, parse, policy

EXAMPLE = Path(__file__).parents[2] / "examples" / "fleet.yaml"


def no_s3(bucket: str, key: str) -> str:
    raise AssertionError(f"asked S3 for {bucket}/{key}")


def test_the_example_is_the_guides_two_policies() -> None:
    """The example file is read whole: an address list, a choice by zone, selectors, defaults."""
    namespaces = '{"matchLabels":{"kubernetes.io/metadata.name":"demo-egress-%s"}}'
    ns = PolicySpec(
        name="demo-egress-ns",
        namespace_selector=namespaces % "ns",
        addresses=(IPv4Address("10.10.100.253"), IPv4Address("10.10.150.253"), IPv4Address("10.10.200.253")),
    )
    pod = PolicySpec(
        name="demo-egress-pod",
        namespace_selector=namespaces % "pod",
        pod_selector='{"matchLabels":{"run":"demo-egress-pod"}}',
        per_zone=1,
    )
    demo = ClusterSpec(
        name="demo",
        region="eu-central-1",
        infra_id="demo-x7k2p",
        api=ApiSpec("https://api.demo.abcd.p1.openshiftapps.com:6443", SecretRef(secret_id="egress-keeper/demo")),
        policies=(ns, pod),
        machine_pools=(PoolSpec("worker"),),
        mode=Mode.OBSERVE,
    )
    assert load_fleet(str(EXAMPLE), no_s3) == Fleet({"demo": demo})


def test_clusters_keep_the_files_order() -> None:
    """Reports list clusters as the file does."""
    assert list(parse(fleet(cluster("z"), cluster("a"), cluster("m"))).clusters) == ["z", "a", "m"]


def test_a_spec_can_be_a_key() -> None:
    """Adapters are kept by cluster: what the file becomes is hashable."""
    assert len({*parse(fleet(cluster("z"), cluster("a"))).clusters.values()}) == 2


TAINT = {"key": "egress", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("field", "default", "own"),
    [
        ("mode", "observe", "enforce"),
        ("region", "us-east-1", "eu-west-1"),
        ("max_change_share", 0.5, 0.0),
        ("block_prefix", 29, 32),
        ("role_arn", "arn:aws:iam::123456789012:role/shared", "arn:aws-us-gov:iam::123456789012:role/path/own"),
    ],
)
def test_defaults_fill_what_a_cluster_does_not_say(field: str, default: Any, own: Any) -> None:
    """A cluster's own value wins, zero included; where it has none, the default counts."""
    silent, loud = cluster("a"), cluster("b", **{field: own})
    if field == "region":
        del silent["region"]
    read = parse(fleet(silent, loud, defaults={field: default})).clusters
    assert getattr(read["a"], field) == default
    assert getattr(read["b"], field) == own


def test_maintenance_windows_become_the_domains() -> None:
    """Once or weekly, in their own time zone; a cluster's list, an empty one too, replaces the default."""
    weekly = {"why": "nodes", "days": ["sat", "sun"], "from": "22:00", "until": "04:00", "time_zone": "Europe/Berlin"}
    once = {"why": "test", "from": "2026-03-07T09:00", "until": "2026-03-07T11:30", "kinds": ["node-unusable"]}
    silent, none, own = cluster("a"), cluster("b", maintenance=[]), cluster("c", maintenance=[weekly, once])
    read = parse(fleet(silent, none, own, defaults={"maintenance": [once]})).clusters
    made = Maintenance(
        "test",
        ZoneInfo("UTC"),
        datetime(2026, 3, 7, 9),  # noqa: DTZ001 - wall-clock time of the window's zone
        datetime(2026, 3, 7, 11, 30),  # noqa: DTZ001
        kinds=frozenset({Kind.NODE_UNUSABLE}),
    )
    assert read["a"].maintenance == (made,)
    assert read["b"].maintenance == ()
    weekends = Maintenance("nodes", ZoneInfo("Europe/Berlin"), time(22), time(4), days=frozenset({5, 6}))
    assert read["c"].maintenance == (weekends, made)


def test_what_nobody_says_is_the_domains() -> None:
    """Mode, share and block size that the file is silent about come from one place, the domain's dataclass."""
    read = parse(fleet(cluster())).clusters["a"]
    assert (read.mode, read.max_change_share, read.block_prefix, read.role_arn, read.ocm, read.api.ca) == (
        Mode.ENFORCE, 0.25, 28, None, None, None,
    )  # fmt: skip


def test_none_turns_a_default_off() -> None:
    """One cluster in our own account, with a public certificate, needs neither the shared role nor the shared CA."""
    defaults = {"role_arn": "arn:aws:iam::123456789012:role/shared", "api": {"ca": PEM}}
    own = cluster("b", role_arn="none")
    own["api"]["ca"] = "none"
    read = parse(fleet(cluster("a"), own, defaults=defaults)).clusters
    assert (read["a"].role_arn, read["a"].api.ca) == (defaults["role_arn"], PEM)
    assert (read["b"].role_arn, read["b"].api.ca) == (None, None)


@pytest.mark.parametrize(
    ("place", "ref"),
    [
        ("secretsmanager:egress-keeper/a", SecretRef(secret_id="egress-keeper/a")),
        (
            "secretsmanager:arn:aws:secretsmanager:eu-central-1:123456789012:secret:k/a-AbCdEf",
            SecretRef(secret_id="arn:aws:secretsmanager:eu-central-1:123456789012:secret:k/a-AbCdEf"),
        ),
        ("env:CLUSTER_TOKEN", SecretRef(env="CLUSTER_TOKEN")),
        ("file:/run/secrets/a b:c", SecretRef(file="/run/secrets/a b:c")),
        ("file:tokens/a", SecretRef(file="/etc/fleet/tokens/a")),
    ],
    ids=["name", "ARN", "variable", "file", "relative file"],
)
def test_places_of_secrets(place: str, ref: SecretRef) -> None:
    """A secret is named by its place, which is not looked into; relative files lie beside the fleet file."""
    document = changed({("clusters", 0, "api", "token"): place})
    assert parse(document, base_dir=Path("/etc/fleet")).clusters["a"].api.token == ref


def test_pools_to_be_made() -> None:
    """The two ways to say where and how many, with taints and labels, as the domain keeps them."""
    place = {"zones": ["eu-central-1b", "eu-central-1a"], "replicas": 3, "labels": {"z": "1", "a": ""}}
    subnets = {"subnets": ["subnet-01234567"], "autoscaling": {"min": 1, "max": 4}, "taints": [TAINT]}
    listed = [
        {"name": "by-zone", "create": {"instance_type": "m5.large", **place}},
        {"name": "by-subnet", "create": {"instance_type": "m5.xlarge", **subnets}},
        {"name": "there"},
    ]
    document = fleet(cluster(ocm={"cluster": OCM_ID, "credentials": "env:OCM"}, machine_pools=listed))
    assert parse(document).clusters["a"].machine_pools == (
        PoolSpec(
            "by-zone",
            PoolCreation(
                "m5.large",
                Scaling(3, 3, auto=False),
                zones=("eu-central-1b", "eu-central-1a"),
                labels=(("a", ""), ("z", "1")),
            ),
        ),
        PoolSpec(
            "by-subnet",
            PoolCreation(
                "m5.xlarge",
                Scaling(1, 4, auto=True),
                subnets=("subnet-01234567",),
                taints=(Taint("egress", "", "NoSchedule"),),
            ),
        ),
        PoolSpec("there"),
    )


def test_ocm_is_filled_in() -> None:
    """`ocm` shares credentials and addresses through the defaults; on HCP its id is the infrastructure id."""
    hcp = cluster("hcp", ocm={"cluster": OCM_ID})
    del hcp["infra_id"]
    classic = cluster("classic", ocm={"cluster": "my-name", "url": "https://api.openshiftusgov.com"})
    shared = {"credentials": "secretsmanager:egress-keeper/ocm", "token_url": "https://sso.example.com/token"}
    read = parse(fleet(hcp, classic, cluster("bare"), defaults={"ocm": shared})).clusters
    credentials = SecretRef(secret_id="egress-keeper/ocm")
    assert read["hcp"].infra_id == OCM_ID
    assert read["hcp"].ocm == OcmSpec(OCM_ID, credentials, token_url=shared["token_url"])
    assert read["classic"].infra_id == "classic-x7k2p"
    assert read["classic"].ocm == OcmSpec(
        "my-name", credentials, "https://api.openshiftusgov.com", token_url=shared["token_url"]
    )
    assert read["bare"].ocm is None


@pytest.mark.parametrize(
    ("selector", "canonical"),
    [
        ({}, "{}"),
        ({"matchLabels": {"b": "2", "a": ""}}, '{"matchLabels":{"a":"","b":"2"}}'),
        (
            {
                "matchExpressions": [
                    {"key": "z", "operator": "NotIn", "values": ["b", "a"]},
                    {"key": "a", "operator": "Exists", "values": []},
                ],
                "matchLabels": {"app.kubernetes.io/name": "x"},
            },
            (
                '{"matchExpressions":[{"key":"z","operator":"NotIn","values":["b","a"]},'
                '{"key":"a","operator":"Exists"}],"matchLabels":{"app.kubernetes.io/name":"x"}}'
            ),
        ),
    ],
    ids=["everything", "labels", "expressions"],
)
def test_selectors_are_canonical(selector: dict[str, Any], canonical: str) -> None:
    """Keys are sorted, conditions keep their order, empty lists go: the text is what the API server would keep."""
    document = changed({("clusters", 0, "policies", 0, "namespaces"): selector})
    read = parse(document).clusters["a"].policies[0]
    assert read.namespace_selector == canonical


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({}, None), ({"pods": {}}, None), ({"pods": {"matchLabels": {"run": "x"}}}, '{"matchLabels":{"run":"x"}}')],
    ids=["absent", "every pod", "some"],
)
def test_every_pod_is_no_selector(fields: dict[str, Any], expected: str | None) -> None:
    """`pods: {}` means every pod, as leaving it out does: both become the same object."""
    read = parse(fleet(cluster(policies=[policy(**fields)]))).clusters["a"].policies[0]
    assert read.pod_selector == expected


def test_a_cluster_may_have_no_policies() -> None:
    """An empty list is a wish (nothing of ours is to be left), so it must be written."""
    assert parse(fleet(cluster(policies=[]))).clusters["a"].policies == ()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8001", "http://localhost:8001", "http://[::1]:8001/"])
def test_loopback_needs_no_tls(url: str) -> None:
    """A server on this machine may be reached by http; many clusters may share it."""
    both = [cluster(name) for name in "ab"]
    for one in both:
        one["api"]["url"] = url
    assert {c.api.url for c in parse(fleet(*both)).clusters.values()} == {url.rstrip("/")}
