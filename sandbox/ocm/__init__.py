"""OpenShift Cluster Manager for the sandbox: clusters, machine pools, node pools and tokens over HTTP, on loopback.

::

    ocm = Ocm(timeline.now)
    ocm.add_cluster(rosa_in_ocm(rosa))          # its pools are rosa's, machines and nodes included
    with OcmServer(ocm) as server:
        ...                                     # server.url, server.token_url; account sandbox / sandbox-secret

Requests are those that the real `rosa` sends; that OCM's answers look like this is known for their shape and for few of
their contents. What `kinds` refuses it refuses so that the product never relies on it.
"""

from sandbox.kube import Fault, Faults
from sandbox.ocm.api import Ocm
from sandbox.ocm.cluster import OcmCluster
from sandbox.ocm.errors import OcmError
from sandbox.ocm.pools import Pools, PoolsWithoutMachines
from sandbox.ocm.rosa_cluster import RosaPools, cluster_document, rosa_in_ocm
from sandbox.ocm.server import OcmServer
from sandbox.ocm.tokens import ACCOUNT, ACCOUNT_SECRET, TOKEN_PATH, Accounts
from sandbox.ocm.wire import Exchange, ExchangeLog

__all__ = [
    "ACCOUNT",
    "ACCOUNT_SECRET",
    "TOKEN_PATH",
    "Accounts",
    "Exchange",
    "ExchangeLog",
    "Fault",
    "Faults",
    "Ocm",
    "OcmCluster",
    "OcmError",
    "OcmServer",
    "Pools",
    "PoolsWithoutMachines",
    "RosaPools",
    "cluster_document",
    "rosa_in_ocm",
]
