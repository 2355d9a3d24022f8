"""A cluster API with many nodes, in a process of its own: `python -m bench.kube_process NODES` prints its URL."""

from __future__ import annotations

import sys

from bench.child import serve_until_told
from bench.objects import egress_objects, node
from sandbox.kube import KubeCluster, KubeServer
from sandbox.kube.resources import RESOURCES, by_plural
from sandbox.kube.store import key_of

NODES_PER_POLICY = 50
MANAGER = "bench"


def main(nodes: int) -> None:
    """Serve *nodes* nodes, and a policy of three addresses to every fifty of them."""
    cluster = filled(nodes)
    for resource in RESOURCES:
        for version in cluster.store.versions(resource):
            version.json_in_list()  # at hand before the first request, as in a server with a watch cache
    with KubeServer(cluster) as server:
        serve_until_told(server.url)


def filled(nodes: int) -> KubeCluster:
    """The cluster. Nodes go straight into the store: through all the checks of a write 5,000 of them take minutes."""
    cluster = KubeCluster()
    with cluster.store.changed:
        for number in range(nodes):
            made = node(number)
            cluster.store.put(by_plural("nodes"), key_of("", made["metadata"]["name"]), made)
    for plural, made in egress_objects(nodes // NODES_PER_POLICY):
        cluster.create(plural, made, manager=MANAGER)
        if plural == "cloudprivateipconfigs":
            status = {"status": made["status"]}
            cluster.patch(plural, made["metadata"]["name"], status, manager=MANAGER, subresource="status")
    return cluster


if __name__ == "__main__":
    main(int(sys.argv[1]))
