"""Machine pools in OCM that are not as they should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from chalicelib.adapters.errors import Denied
from chalicelib.domain.pools import OcmCluster, Scaling
from chalicelib.domain.spec import PoolCreation, PoolSpec
from tests.alert_situations.night import Night, with_pools
from tests.fakes import FakeOcm


def ocm_cluster_not_ready() -> Night:
    night = with_pools()
    assert night.ocm is not None
    night.ocm.cluster = replace(night.ocm.cluster, state="error")
    return night.watch()


def ocm_cluster_mismatch() -> Night:
    return with_pools(infra_id="demo-x7k2p-old").watch()


def pool_missing() -> Night:
    return with_pools(PoolSpec("egress-d")).watch()


def pool_impossible() -> Night:
    creation = PoolCreation("m5.large", Scaling(1, 3, auto=True), subnets=("subnet-z",))
    return with_pools(PoolSpec("egress-d", creation)).watch()


def pool_different() -> Night:
    creation = PoolCreation("m5.2xlarge", Scaling(3, 3, auto=False), zones=("eu-central-1c",))
    return with_pools(PoolSpec("egress-c", creation)).watch()


def takes_label(night: Night, pool: str = "egress-a") -> None:
    """What Terraform does: the map of labels as it knows it."""
    assert night.ocm is not None
    night.ocm.write_labels(pool, {"team": "payments"})


class Overwritten(FakeOcm):
    """Somebody else writes the whole map of labels at the same moment, without one that was there."""

    def set_pool_labels(self, cluster: OcmCluster, name: str, labels: Mapping[str, str]) -> None:
        super().set_pool_labels(cluster, name, {key: value for key, value in labels.items() if key != "team"})


def pool_conflict() -> Night:
    night = with_pools()
    takes_label(night)
    assert night.ocm is not None
    night.ocm = Overwritten(night.ocm.cluster, *night.ocm.pools.values())
    return night.watch()


def second_writer() -> Night:
    """A pipeline takes the label off whenever it runs."""
    night = with_pools()
    for _ in range(4):
        takes_label(night)
        night.watch(3600)
    return night


def pool_label_missing() -> Night:
    night = with_pools()
    takes_label(night)
    return night.watch()


def pool_label_refused() -> Night:
    night = with_pools()
    takes_label(night)
    assert night.ocm is not None
    night.ocm.fail("set_pool_labels", Denied("OCM", "edit machine pool", "403: ACCT-MGMT-11: not allowed"))
    return night.watch()


def pool_short() -> Night:
    night = with_pools()
    assert night.ocm is not None
    night.ocm.pools["egress-a"] = replace(night.ocm.pools["egress-a"], scaling=Scaling(3, 3, auto=False))
    return night.watch(600, 600, 600)
