"""A cluster API that behaves like a kube-apiserver for the few resources the product meets, in process and over HTTP.

::

    cluster = KubeCluster(tokens={"secret": "alice"})
    with KubeServer(cluster) as server:
        ...  # any Kubernetes client, with kubeconfig(server.url, "secret")

Where it differs from the server, it is wrong: ``tests/sandbox/kube/contract.py`` can be pointed at either.
"""

from sandbox.kube.certificates import make_certificates
from sandbox.kube.cluster import KubeCluster
from sandbox.kube.errors import ApiError
from sandbox.kube.faults import Denial, Fault, Faults, RequestLog, RequestRecord
from sandbox.kube.kubeconfig import kubeconfig
from sandbox.kube.server import KubeServer, TlsFiles

__all__ = [
    "ApiError",
    "Denial",
    "Fault",
    "Faults",
    "KubeCluster",
    "KubeServer",
    "RequestLog",
    "RequestRecord",
    "TlsFiles",
    "kubeconfig",
    "make_certificates",
]
