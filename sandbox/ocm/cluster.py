"""One cluster as OCM knows it: its document, and its pools with the rules by which they are made and changed.

Labels and the number of machines are the cluster's own (`Pools`), so that OCM shows them whoever changed them; all else
of a pool is kept here as it was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.ocm import kinds
from sandbox.ocm.errors import API, OcmError, bad_request, not_found
from sandbox.ocm.kinds import PoolKind, Size
from sandbox.ocm.pools import Pools
from sandbox.rosa import Flavour, PoolSpec, PoolState

_SENT_ELSEWHERE = frozenset(
    {"kind", "id", "href", "labels", "replicas", "autoscaling"}
    | {"instance_type", "availability_zone", "availability_zones", "subnet", "subnets"}
)
"""Fields of a request that are not kept as they came."""


class OcmCluster:
    """A cluster in OCM.

    Args:
        document: All that GET of the cluster shows, but for `state`, which may be set at any time.
        flavour: Decides which of the two kinds of pools it has.
        pools: Where they are.
        zone_by_subnet: The subnets of its VPC; several may lie in one zone.
    """

    def __init__(
        self, document: Mapping[str, Any], flavour: Flavour, pools: Pools, zone_by_subnet: Mapping[str, str]
    ) -> None:
        self.id = str(document["id"])
        self.state = str(document.get("state", "ready"))
        self.kind: PoolKind = kinds.KINDS[flavour]
        self.autoscaler: Mapping[str, Any] | None = None
        self._document = dict(document)
        self._pools = pools
        self._zone_by_subnet = zone_by_subnet
        self._settings: dict[str, dict[str, Any]] = {}
        self._limits: dict[str, Size] = {}

    @property
    def document(self) -> dict[str, Any]:
        """The cluster as GET shows it."""
        nodes = {**self._document.get("nodes", {}), "compute": self._machine_count()}
        return {**self._document, "state": self.state, "status": {"state": self.state}, "nodes": nodes}

    @property
    def href(self) -> str:
        """Where the cluster is."""
        return f"{API}/clusters/{self.id}"

    # --- reading ---

    def pools(self) -> list[dict[str, Any]]:
        """All pools, oldest first."""
        return [self.pool(name) for name in self._pools.pool_names()]

    def pool(self, pool_id: str) -> dict[str, Any]:
        """One pool as GET shows it. Raises OcmError 404."""
        if pool_id not in self._pools.pool_names():
            raise not_found(f"{self.kind.words} with id '{pool_id}'")
        state = self._pools.pool_state(pool_id)
        shown = {
            "kind": self.kind.kind,
            "id": pool_id,
            "href": f"{self.href}/{self.kind.collection}/{pool_id}",
            **(self._hcp_part(state) if self.kind is kinds.HCP else self._classic_part(state)),
            **self._size_part(state),
        }
        if state.labels:
            shown["labels"] = dict(state.labels)
        if not shown.get("taints"):  # absent when empty, as the labels are
            shown.pop("taints", None)
        return shown

    # --- writing ---

    def create_pool(self, body: Any) -> dict[str, Any]:
        """POST. Raises OcmError 400 for what cannot be, 409 where the name is taken."""
        sent = kinds.check_fields(self.kind, body)
        self._must_be_ready()
        name = kinds.check_id(self.kind, sent.get("id"))
        if name in self._pools.pool_names():
            raise OcmError(409, f"{self.kind.words} with id '{name}' already exists")
        zones = self._zones_in(sent)
        size = kinds.size_in(self.kind, sent, len(zones))
        if size is None:
            raise bad_request("One of 'replicas' and 'autoscaling' is mandatory")
        spec = PoolSpec(
            name=name,
            zones=zones,
            replicas=size.least,
            instance_type=kinds.instance_type_in(self.kind, sent),
            labels=dict(sent.get("labels") or {}),
        )
        self._settings[name] = {key: value for key, value in sent.items() if key not in _SENT_ELSEWHERE}
        if "subnet" in sent:
            self._settings[name]["subnet"] = sent["subnet"]
        self._limit(name, size)
        self._pools.add_pool(spec)
        return self.pool(name)

    def change_pool(self, pool_id: str, body: Any) -> dict[str, Any]:
        """PATCH: fields that are not sent stay; `labels` and `taints` are replaced as a whole. Raises OcmError."""
        sent = kinds.check_fields(self.kind, body)
        before = self.pool(pool_id)
        self._must_be_ready()
        for name in sorted({"id", *self.kind.fixed} & sent.keys()):
            if sent[name] != before.get(name):
                raise bad_request(f"Attribute '{name}' of a {self.kind.words.lower()} cannot be changed")
        if "aws_node_pool" in sent and kinds.instance_type_in(self.kind, sent) != self._state(pool_id).instance_type:
            raise bad_request("Attribute 'aws_node_pool.instance_type' of a node pool cannot be changed")
        size = kinds.size_in(self.kind, sent, len(self._state(pool_id).zones))
        kept = self._settings.setdefault(pool_id, {})
        kept.update({key: value for key, value in sent.items() if key not in _SENT_ELSEWHERE})
        if "labels" in sent:
            self._pools.set_pool_labels(pool_id, sent["labels"])
        if size is not None:
            self._limit(pool_id, size)
            self._pools.scale_pool(pool_id, size.replicas(self._pools.pool_state(pool_id).replicas))
        return self.pool(pool_id)

    def delete_pool(self, pool_id: str) -> None:
        """DELETE. Raises OcmError 404."""
        self.pool(pool_id)
        self._settings.pop(pool_id, None)
        self._limits.pop(pool_id, None)
        self._pools.remove_pool(pool_id)

    # --- inside ---

    def _must_be_ready(self) -> None:
        if self.state != "ready":
            raise bad_request(f"Cluster '{self.id}' is in state '{self.state}', it must be 'ready'")

    def _state(self, pool_id: str) -> PoolSpec:
        return self._pools.pool_state(pool_id).spec

    def _machine_count(self) -> int:
        return sum(self._pools.pool_state(name).machine_count for name in self._pools.pool_names())

    def _limit(self, pool_id: str, size: Size) -> None:
        """A pool has either a number of replicas or limits; asking for one drops the other."""
        if size.automatic:
            self._limits[pool_id] = size
        else:
            self._limits.pop(pool_id, None)

    def _zones_in(self, sent: Mapping[str, Any]) -> tuple[str, ...]:
        """The zones that a new pool is to lie in."""
        if self.kind is kinds.HCP:
            if "subnet" not in sent:
                raise bad_request("Attribute 'subnet' is mandatory")
            return (self._zone_of(sent["subnet"]),)
        zones, subnets = sent.get("availability_zones"), sent.get("subnets")
        if zones and subnets:
            raise bad_request("Attributes 'availability_zones' and 'subnets' cannot be used together")
        if subnets:
            if not self._document.get("aws", {}).get("subnet_ids"):
                raise bad_request("Attribute 'subnets' is allowed for clusters in a VPC of yours only")
            return tuple(self._zone_of(subnet) for subnet in subnets)
        known = self._zones()
        if unknown := sorted(set(zones or ()) - set(known)):
            raise bad_request(f"Availability zone '{unknown[0]}' isn't one of the cluster's: {', '.join(known)}")
        return tuple(zones or (known if self._document.get("multi_az") else known[:1]))

    def _zones(self) -> tuple[str, ...]:
        return tuple(self._document.get("nodes", {}).get("availability_zones", ()))

    def _zone_of(self, subnet: Any) -> str:
        if subnet not in self._zone_by_subnet:
            raise bad_request(f"Subnet '{subnet}' isn't one of the cluster's VPC")
        return self._zone_by_subnet[subnet]

    def _subnet_in(self, zone: str) -> str:
        return next(subnet for subnet, its_zone in self._zone_by_subnet.items() if its_zone == zone)

    def _size_part(self, state: PoolState) -> dict[str, Any]:
        limits = self._limits.get(state.spec.name)
        if limits is None:
            return {"replicas": state.replicas}
        scaling = {self.kind.least: limits.least, self.kind.most: limits.most}
        return {"autoscaling": {"kind": f"{self.kind.kind}Autoscaling", **scaling}}

    def _classic_part(self, state: PoolState) -> dict[str, Any]:
        spec = state.spec
        shown = {
            "instance_type": spec.instance_type,
            "availability_zones": list(spec.zones),
            "aws": {"kind": "AWSMachinePool"},
            "root_volume": {"aws": {"size": 300}},
            **self._settings.get(spec.name, {}),
        }
        if self._document.get("aws", {}).get("subnet_ids"):
            shown["subnets"] = [self._subnet_in(zone) for zone in spec.zones]
        return shown

    def _hcp_part(self, state: PoolState) -> dict[str, Any]:
        spec, name = state.spec, str(self._document["name"])
        settings = dict(self._settings.get(spec.name, {}))
        aws = settings.pop("aws_node_pool", {})
        tags = {
            "api.openshift.com/id": self.id,
            "api.openshift.com/name": name,
            "api.openshift.com/nodepool-ocm": spec.name,
            "api.openshift.com/nodepool-hypershift": f"{name}-{spec.name}",
            "red-hat-clustertype": "rosa",
            "red-hat-managed": "true",
        }
        status: dict[str, Any] = {"current_replicas": state.machine_count}
        if (missing := state.replicas - state.machine_count) > 0:
            status["message"] = f"{missing} of {state.replicas} replicas could not be launched"
        return {
            "auto_repair": True,
            "availability_zone": spec.zones[0],
            "subnet": self._subnet_in(spec.zones[0]),
            "status": status,
            "version": {"kind": "VersionLink", "id": self._document["version"]["id"]},
            "tuning_configs": [],
            "kubelet_configs": [],
            "node_drain_grace_period": {"value": 0, "unit": "minutes"},
            **settings,
            "aws_node_pool": {
                "kind": "AWSNodePool",
                "instance_profile": f"rosa-service-managed-{self.id}-{name}-worker",
                "root_volume": {"size": 300},
                **aws,
                "instance_type": spec.instance_type,
                "tags": {**aws.get("tags", {}), **tags},
            },
        }
