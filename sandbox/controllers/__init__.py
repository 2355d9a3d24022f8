"""OVN-Kubernetes' cluster manager and CNCC, acting on the sandbox's cluster API and EC2.

There is one model of both, `chalicelib.domain.twin`; here are only its eyes and hands: `objects` turns API objects into
the twin's values and its writes into API writes, `cloud` sends its EC2 calls, `driver` lets it run in time.
"""

from sandbox.controllers.driver import Controllers

__all__ = ["Controllers"]
