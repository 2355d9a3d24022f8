"""A cluster API that behaves like a kube-apiserver for the few resources the product meets, in process and over HTTP.

::

    cluster = KubeCluster(tokens={"secret": "alice"})
    with KubeServer(cluster) as server:
        ...  # any Kubernetes client, with kubeconfig(server.url, "secret")

Where it differs from the server, it is wrong: ``tests/sandbox/kube/test_contract_*.py`` hold both to the same, and
``RemoteCluster`` puts a real server in its place.
"""

from sandbox.kube.certificates import make_certificates
from sandbox.kube.cluster import KubeCluster
from sandbox.kube.errors import ApiError
from sandbox.kube.faults import Denial, Fault, Faults, RequestLog, RequestRecord
from sandbox.kube.kubeconfig import kubeconfig
from sandbox.kube.remote import RemoteCluster
from sandbox.kube.server import KubeServer, TlsFiles
from sandbox.kube.verbs import Kube

__all__ = [
    "ApiError",
    "Denial",
    "Fault",
    "Faults",
    "Kube",
    "KubeCluster",
    "KubeServer",
    "RemoteCluster",
    "RequestLog",
    "RequestRecord",
    "TlsFiles",
    "kubeconfig",
    "make_certificates",
]
