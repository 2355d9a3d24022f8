"""The next token of a cluster: asked for with the present one, proven, and put into its secret."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.adapters.aws import Aws
from chalicelib.adapters.cluster_token import ClusterTokenStore
from chalicelib.adapters.cluster_wire import ClusterWire, Patience
from chalicelib.adapters.errors import AdapterError, Denied, NotFound, Unreachable
from chalicelib.adapters.secrets import Secrets
from chalicelib.domain.drift.credential import ServiceAccount, read_claims
from chalicelib.domain.spec import SecretRef
from sandbox.aws import AwsSandbox
from sandbox.kube import Fault, KubeCluster, KubeServer

ACCOUNT = ServiceAccount("egress-keeper", "egress-keeper")
USER = "system:serviceaccount:egress-keeper:egress-keeper"
DAYS_30 = timedelta(days=30)
REF = SecretRef(secret_id="keeper/prod")


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def cluster() -> KubeCluster:
    found = KubeCluster(tokens={"first": USER})
    found.create("namespaces", {"metadata": {"name": ACCOUNT.namespace}}, manager="admin")
    found.create("serviceaccounts", {"metadata": {"name": ACCOUNT.name}}, namespace=ACCOUNT.namespace, manager="admin")
    return found


@pytest.fixture
def token(cluster: KubeCluster, aws_sandbox: AwsSandbox) -> Iterator[ClusterTokenStore]:
    aws_sandbox.client("secretsmanager").create_secret(Name="keeper/prod", SecretString="first")
    with KubeServer(cluster) as server:
        patience = Patience(attempts=1)
        yield ClusterTokenStore(
            Secrets(Aws(attempts=1), environment={}, clock=time.monotonic),
            REF,
            lambda source: ClusterWire(server.url, source, patience=patience),
        )


def stored(aws_sandbox: AwsSandbox) -> str:
    return str(aws_sandbox.client("secretsmanager").get_secret_value(SecretId="keeper/prod")["SecretString"])


def test_the_next_token_is_proven_and_stored(
    cluster: KubeCluster, token: ClusterTokenStore, aws_sandbox: AwsSandbox
) -> None:
    """By two requests: one with the present token, one with the new one."""
    issued = token.request(ACCOUNT, DAYS_30, now())
    token.store(issued)
    assert stored(aws_sandbox) == issued.text == token.read()
    claims = read_claims(issued.text)
    assert claims is not None
    assert (claims.account, claims.life) == (ACCOUNT, DAYS_30)
    assert [(seen.method, seen.path, seen.user) for seen in cluster.requests] == [
        ("POST", "/api/v1/namespaces/egress-keeper/serviceaccounts/egress-keeper/token", USER),
        ("GET", "/apis/k8s.ovn.org/v1/egressips", USER),
    ]


def test_the_server_says_when_it_ends(cluster: KubeCluster, token: ClusterTokenStore) -> None:
    """A cluster may issue tokens for less than was asked for."""
    end = (now() + timedelta(hours=1)).replace(microsecond=0)
    status = f'{{"token": "short", "expirationTimestamp": "{end:%Y-%m-%dT%H:%M:%SZ}"}}'
    cluster.faults.add(Fault(path="/token$", status=201, body=f'{{"kind": "TokenRequest", "status": {status}}}'))
    cluster.tokens.grant("short", USER)
    assert token.request(ACCOUNT, DAYS_30, now()).expires_at == end


def test_a_token_that_the_api_refuses_is_not_kept(
    cluster: KubeCluster, token: ClusterTokenStore, aws_sandbox: AwsSandbox
) -> None:
    """It would lock us out, and the present one is still good."""
    body = '{"kind": "TokenRequest", "status": {"token": "unknown", "expirationTimestamp": "2999-01-01T00:00:00Z"}}'
    cluster.faults.add(Fault(path="/token$", status=201, body=body))
    with pytest.raises(Denied, match="try the new token: 401"):
        token.request(ACCOUNT, DAYS_30, now())
    assert stored(aws_sandbox) == "first"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(path="/token$", status=403), Denied),
        (Fault(path="/token$", status=404), NotFound),
        (Fault(path="/token$", status=503), Unreachable),
        (Fault(path="/token$", drop=True), Unreachable),
        (Fault(path="/token$", status=201, body='{"kind": "Status"}'), Unreachable),
        (Fault(path="/token$", status=201, body='{"status": {"token": ""}}'), Unreachable),
        (
            Fault(path="/token$", status=201, body='{"status": {"token": "t", "expirationTimestamp": "soon"}}'),
            Unreachable,
        ),
        (
            Fault(
                path="/token$",
                status=201,
                body='{"status": {"token": "t", "expirationTimestamp": "2020-01-01T00:00:00Z"}}',
            ),
            Unreachable,
        ),
    ],
    ids=["denied", "no account", "down", "cut", "no token", "empty", "no time", "ended"],
)
def test_a_refused_or_broken_request_is_an_error(
    cluster: KubeCluster, token: ClusterTokenStore, fault: Fault, error: type[AdapterError]
) -> None:
    """Never half a token."""
    cluster.faults.add(fault)
    with pytest.raises(error, match="request token"):
        token.request(ACCOUNT, DAYS_30, now())


def test_a_token_that_could_not_be_stored_is_offered_again(
    cluster: KubeCluster, token: ClusterTokenStore, aws_sandbox: AwsSandbox
) -> None:
    """While it is good: a cluster is not made to issue a token a minute because a secret cannot be written."""
    from sandbox.aws.faults import denied

    issued = token.request(ACCOUNT, DAYS_30, now())
    aws_sandbox.faults.inject("secretsmanager", "PutSecretValue", denied("secretsmanager"))
    with pytest.raises(Denied, match="PutSecretValue: secret keeper/prod"):
        token.store(issued)
    aws_sandbox.faults.heal()
    assert token.request(ACCOUNT, DAYS_30, now()) == issued
    assert token.request(ACCOUNT, DAYS_30, now() + timedelta(days=16)) != issued
    token.store(issued)
    assert stored(aws_sandbox) == issued.text


def test_a_file_is_not_a_place_to_store(cluster: KubeCluster) -> None:
    """It is somebody else's."""
    secrets = Secrets(Aws(attempts=1), environment={})
    found = ClusterTokenStore(
        secrets, SecretRef(file="token"), lambda source: ClusterWire("http://127.0.0.1:9", source)
    )
    assert (found.storable, found.where) == (False, "file token")
