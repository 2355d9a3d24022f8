"""The functions' process, as far as it can die: adapters that make no call once it is dead, and its end told to Lambda.

A kill at a call is: the wire does the call or not, gives no answer, and from then on the process reaches nothing. What
the code still computes in between has no effect outside, which is what being killed means to everybody else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from chalicelib import wiring
from chalicelib.adapters.aws import Aws
from chalicelib.adapters.calls import CallCounter
from chalicelib.adapters.cluster_wire import ClusterWire, Patience
from chalicelib.adapters.ec2 import Ec2Api
from chalicelib.adapters.exchange import Http
from chalicelib.adapters.ocm import OcmApi
from chalicelib.adapters.ocm_token import OcmToken
from chalicelib.adapters.ocm_wire import OcmWire
from chalicelib.connecting import Adapters
from chalicelib.domain.spec import ClusterSpec
from chalicelib.settings import Settings
from sandbox.aws import AwsSandbox
from sandbox.faults.calls import Calls, ProcessEnded
from sandbox.plumbing import FunctionError, Invoker
from sandbox.plumbing.wiring import FunctionSpec
from sandbox.short_http import ShortPools

ONE_TRY = Patience(attempts=1)
"""A fault of the matrix outlasts the adapters' own repeats; how they repeat is tested where they are."""


class Gate(CallCounter):
    """Counts as ever, and stops a dead process at its next call."""

    def __init__(self, calls: Calls) -> None:
        super().__init__()
        self._calls = calls
        self.stopped = 0
        """Times that a dead process was stopped since it died."""

    def add(self, system: str, operation: str) -> None:
        """Count one request. Raises ProcessEnded when there is no process any more."""
        if self._calls.dead:
            self.stopped += 1
            raise ProcessEnded
        super().add(system, operation)


class ShortAws(Aws):
    """AWS clients behind the gate that try once and need no socket: the matrix makes tens of thousands of calls."""

    def __init__(self, gate: Gate, sandbox: AwsSandbox, role_arn: str | None = None) -> None:
        super().__init__(role_arn=role_arn, calls=gate, attempts=1)
        self._gate, self._sandbox = gate, sandbox

    def with_role(self, role_arn: str) -> ShortAws:
        """Another one that assumes a role first, and has assumed none yet."""
        return ShortAws(self._gate, self._sandbox, role_arn)

    def _build(self, session: Any, service: str) -> Any:
        client = super()._build(session, service)
        self._sandbox.shorten(client)
        return client


class ShortHttp(Http):
    """Requests to servers of this process, without a socket."""

    def __init__(self, pools: ShortPools) -> None:
        super().__init__()
        self._all_pools = pools

    def _pool(self, url: str) -> Any:  # noqa: ARG002 - theirs
        return self._all_pools


class ShortWire(ClusterWire):
    """The cluster API without a socket."""

    def __init__(self, url: str, token: Any, *, calls: CallCounter, pools: ShortPools) -> None:
        super().__init__(url, token, calls=calls, patience=ONE_TRY)
        self._pools = pools

    def _new_client(self, *, local: bool) -> Any:
        client = super()._new_client(local=local)
        client.pool_manager = self._pools
        return client


class MortalAdapters(Adapters):
    """The product's adapters behind the gate, each call tried once.

    AWS clients outlive the process, because building them takes longer than everything else; they remember nothing.
    """

    def __init__(
        self, settings: Settings, environment: Mapping[str, str], gate: Gate, aws: ShortAws, pools: ShortPools
    ) -> None:
        super().__init__(settings, environment)
        self.calls = gate
        self._shared = aws
        self._pools = pools

    @cached_property
    def aws(self) -> ShortAws:
        """The account that the functions run in."""
        return self._shared

    def ec2(self, cluster: ClusterSpec) -> Any:
        """EC2 in the cluster's account, without the pauses that keep to EC2's request budget."""
        key = (cluster.region, cluster.role_arn)
        if key not in self._ec2:
            aws = self._shared.with_role(cluster.role_arn) if cluster.role_arn else self._shared
            self._ec2[key] = Ec2Api(aws, limits=self._address_limits, sleep=lambda _seconds: None)
        return self._ec2[key]

    def ocm(self, cluster: ClusterSpec) -> Any:
        """OCM, as far as the fleet file names it."""
        if cluster.ocm is None or cluster.ocm.credentials is None:
            return None
        key = (cluster.ocm.url, cluster.ocm.token_url, cluster.ocm.credentials)
        if key not in self._ocm:
            http, credentials = ShortHttp(self._pools), self._secrets.credential_source(cluster.ocm.credentials)
            token = OcmToken(cluster.ocm.token_url, credentials, http, calls=self.calls, patience_seconds=0.0)
            self._ocm[key] = OcmApi(OcmWire(cluster.ocm.url, token, http, calls=self.calls, retries=0))
        return self._ocm[key]

    def _wire(self, cluster: ClusterSpec, token: Any) -> ClusterWire:
        return ShortWire(cluster.api.url, token, calls=self.calls, pools=self._pools)


class MortalRuntime(wiring.Runtime):
    """The use cases with these adapters."""

    def __init__(
        self, settings: Settings, clock: Callable[[], datetime], gate: Gate, aws: ShortAws, pools: ShortPools
    ) -> None:
        super().__init__(settings, clock=clock)
        self.adapters = MortalAdapters(settings, {}, gate, aws, pools)


class MortalInvoker:
    """Runs functions in this process, knows which one runs, and reports a dead one as Lambda does."""

    def __init__(self, invoker: Invoker, calls: Calls, gate: Gate, reborn: Callable[[], None]) -> None:
        self._invoker = invoker
        self._calls = calls
        self._gate = gate
        self._reborn = reborn
        self.swallowed = 0
        """Runs that went on after the end of their process: somebody caught what nobody may catch."""

    def invoke(self, function: FunctionSpec, event: Mapping[str, Any]) -> Any:
        """Run *function*. Raises FunctionError when it fails or its process ends."""
        self._calls.function = function.name
        try:
            answer = self._invoker.invoke(function, event)
        except ProcessEnded as end:
            raise self._ended() from end
        except FunctionError as error:
            if self._calls.dead:
                raise self._ended(went_on=self._gate.stopped > 0) from error
            raise
        finally:
            self._calls.function = ""
        if self._calls.dead:  # it died after its last call
            raise self._ended(went_on=self._gate.stopped > 0)
        return answer

    def close(self) -> None:
        """Give back what the other invoker holds."""
        self._invoker.close()

    def _ended(self, *, went_on: bool = False) -> FunctionError:
        """A new container for the next event: whatever the old one knew is gone."""
        self.swallowed += went_on
        self._calls.dead, self._gate.stopped = False, 0
        self._reborn()
        return FunctionError("Runtime.ExitError", "RequestId: … Error: Runtime exited with error: signal: killed")
