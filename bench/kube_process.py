"""A cluster API with many nodes, in a process of its own, so that its memory and its work are nobody's.

`kube_api(nodes)` starts it and ends it; `python -m bench.kube_process NODES` is what runs there.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

NODES_PER_POLICY = 50


@contextmanager
def kube_api(nodes: int) -> Iterator[str]:
    """Serve *nodes* nodes, with a policy of three addresses to every fifty of them; yields the URL."""
    command = [sys.executable, "-m", "bench.kube_process", str(nodes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the process has no pipes")
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise RuntimeError(f"the cluster API with {nodes} nodes did not start")
            yield url
        finally:
            process.stdin.close()  # what ends it, also when this process is killed


def main() -> None:
    """Serve until standard input ends."""
    from bench.objects import egress_objects, node
    from sandbox.kube import KubeCluster, KubeServer
    from sandbox.kube.resources import RESOURCES, by_plural
    from sandbox.kube.store import key_of

    nodes = int(sys.argv[1])
    cluster = KubeCluster()
    with cluster.store.changed:
        # Straight into the store: 5,000 nodes of this size take minutes through all the checks of a write.
        for number in range(nodes):
            made = node(number)
            cluster.store.put(by_plural("nodes"), key_of("", made["metadata"]["name"]), made)
    for plural, made in egress_objects(nodes // NODES_PER_POLICY):
        cluster.create(plural, made, manager="bench")
        if "status" in made and plural == "cloudprivateipconfigs":
            cluster.patch(plural, made["metadata"]["name"], {"status": made["status"]}, manager="bench", subresource="status")
    for resource in RESOURCES:
        for version in cluster.store.versions(resource):
            version.json_in_list()  # what a server with a watch cache has at hand too
    with KubeServer(cluster) as server:
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
