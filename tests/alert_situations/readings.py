"""Credentials that end, and what could not be read."""

from __future__ import annotations

from chalicelib.adapters.errors import AdapterError, Denied, NotFound, Unreachable
from tests.alert_situations.night import Night, with_pools
from tests.tokens import FakeToken, token_text


def credential_ending() -> Night:
    """The secret may be read and not written."""
    night = Night()
    night.token = FakeToken(token_text(60))
    night.token.errors["store"] = Denied("Secrets Manager", "PutSecretValue", "AccessDeniedException")
    return night.watch()


def cannot_read(error: AdapterError, *operations: str) -> Night:
    night = Night()
    for operation in operations:
        night.cluster.fail(operation, error)
        night.ec2.fail(operation, error)
    return night.watch(65, 300)


READS = ("fetch_egress_ips", "fetch_cpics", "fetch_nodes")


def api_silent() -> Night:
    return cannot_read(Unreachable("cluster API", "list", "connection timed out"), *READS)


def token_expired() -> Night:
    return cannot_read(Denied("cluster API", "list", "401 Unauthorized"), *READS)


def secret_missing() -> Night:
    return cannot_read(NotFound("secrets", "read", "environment variable DEMO_TOKEN is not set"), *READS)


def ec2_denies() -> Night:
    return cannot_read(Denied("EC2", "DescribeInstances", "UnauthorizedOperation"), "fetch_instances")


def ocm_silent() -> Night:
    night = with_pools()
    assert night.ocm is not None
    night.ocm.fail("fetch_cluster", Denied("OCM", "get token", "401: invalid_client"))
    return night.watch()
