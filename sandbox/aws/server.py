"""The sandbox's AWS: moto's own server in this process, on loopback,
behind a door that counts, delays, refuses and drops.

moto's state belongs to the process, so one `AwsSandbox` runs at a time; when it ends, moto is as it was before.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, NoReturn, Self

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.base_backend import BackendDict
from moto.core.models import reset_model_data
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from sandbox.aws import correction, shortcut
from sandbox.aws.events import InstanceStateChange
from sandbox.aws.faults import (
    Call,
    CallLog,
    Delay,
    Drop,
    Fault,
    Faults,
    Refusal,
    Replay,
    TokenBuckets,
    Truncate,
    throttled,
)
from sandbox.aws.instances import InstanceLife
from sandbox.aws.keeping import Kept, KeptAnswers
from sandbox.aws.moto_corrections import all_corrections
from sandbox.aws.queues import QueueRules
from sandbox.aws.wire import Environ, Incoming, incoming, refusal_body
from sandbox.timeline import RealTimeline, Timeline
from sandbox.timing import Ec2Timing

_log = logging.getLogger(__name__)

StartResponse = Callable[..., Any]
Subscriber = Callable[[InstanceStateChange], None]


class _QuietHandler(MotoRequestHandler):  # type: ignore[misc] # moto is untyped here
    """A request handler that keeps its observations to itself."""

    def log(self, *_args: Any) -> None:
        """Say nothing; `AwsSandbox.calls` is the log."""


class AwsSandbox:
    """AWS on loopback, as a context manager; `endpoint_url` works with every SDK and with the `aws` command.

    `faults` breaks calls, `calls` records them; `intercept` is asked for a fault before those, `overhear` is told each
    answer that is sent in full. With *short*, clients that `client` makes do without a socket.
    What EC2 said to a read is said again while nothing has changed; `kept.let_go()` is for who changes moto's objects.
    `ec2_buckets.enabled = True` switches EC2's request budget on, `timing` says how long instances take. All services
    share one account and, unless a client asks otherwise, one *region*.
    """

    account_id: str = DEFAULT_ACCOUNT_ID
    _running = threading.Lock()

    def __init__(
        self,
        timeline: Timeline | None = None,
        *,
        region: str = "eu-central-1",
        timing: Ec2Timing | None = None,
        short: bool = False,
    ) -> None:
        """Nothing runs yet. Without *timeline* the sandbox lives in real time; *short* as for `shorten`."""
        self.short = short
        self._own_timeline = RealTimeline()
        self.timeline: Timeline = timeline or self._own_timeline
        self.region = region
        self.timing = timing or Ec2Timing()
        self.faults = Faults()
        self.calls = CallLog()
        self.intercept: Callable[[Incoming], Fault | None] = lambda _request: None
        self.overhear: Callable[[Incoming, Replay], None] = lambda _request, _answer: None
        self.ec2_buckets = TokenBuckets(self.timeline.now)
        self._lock = threading.RLock()
        self.kept = KeptAnswers()
        self._changes: deque[InstanceStateChange] = deque()
        self._delivering = threading.Lock()
        self._subscribers: list[Subscriber] = []
        self._clients: dict[tuple[str, str], Any] = {}
        self._server: BaseWSGIServer | None = None

    # --- life ---

    def __enter__(self) -> Self:
        """Start serving on an ephemeral port. Raises RuntimeError when another sandbox of this process still runs."""
        if not AwsSandbox._running.acquire(blocking=False):
            raise RuntimeError("moto keeps its state in the process: one AwsSandbox at a time")
        life = InstanceLife(self.timeline, self.timing, self._changing, self._changes.append)
        self._restore_moto = correction.install(all_corrections(life, QueueRules(self.timeline)))
        _reset_moto()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._door, threaded=True, request_handler=_QuietHandler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="sandbox-aws", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop serving, forget everything, give moto back."""
        if self._server is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server = None
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self._own_timeline.close()
        _reset_moto()
        self._restore_moto()
        AwsSandbox._running.release()

    def reset(self) -> None:
        """An empty account again: no resources, no faults, no recorded calls, full buckets. Subscribers stay."""
        with self._lock:
            self.kept.let_go()
            _reset_moto()
            self._changes.clear()
        self.faults.heal()
        self.calls.clear()
        self.ec2_buckets.refill()

    # --- reaching it ---

    @property
    def endpoint_url(self) -> str:
        """Where every service answers, `http://127.0.0.1:PORT`."""
        if self._server is None:
            raise RuntimeError("the sandbox's AWS is not running")
        return f"http://127.0.0.1:{self._server.server_port}"

    def environment(self) -> dict[str, str]:
        """The variables with which an AWS SDK or the `aws` command reaches this sandbox and nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: str, *, region: str | None = None, **options: Any) -> Any:
        """A boto3 client of *service* here; the same one each time, unless there are *options* for boto3."""
        region = region or self.region
        if not options and (service, region) in self._clients:
            return self._clients[service, region]
        reach = {
            "endpoint_url": self.endpoint_url,
            "region_name": region,
            "aws_access_key_id": "sandbox",
            "aws_secret_access_key": "sandbox",
        }
        with _building:
            client = _session().client(service, **{**reach, **options})
        if self.short:
            self.shorten(client)
        if not options:
            self._clients[service, region] = client
        return client

    def shorten(self, client: Any) -> None:
        """Have a botocore client of this process answered without a socket, see `shortcut`."""
        shortcut.attach(client, self._door)

    def on_instance_state(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call *subscriber* for every state an instance enters, in order; it may call AWS itself.

        Returns the function that ends the subscription.
        """
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    # --- inside ---

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One request or step of time at a time (moto is not
        thread-safe); what changed is told after the lock is free again.
        """
        with self._lock:
            yield
        self._tell_subscribers()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """A step of time that changes something on EC2."""
        with self._exclusive():
            self.kept.let_go()
            yield

    def _tell_subscribers(self) -> None:
        while self._changes and self._delivering.acquire(blocking=False):
            try:
                change = self._changes.popleft()
                for subscriber in tuple(self._subscribers):
                    subscriber(change)
            except Exception:  # noqa: BLE001 - logged; a subscriber's error is not EC2's
                _log.exception("A subscriber to instance state changes failed")
            finally:
                self._delivering.release()

    def _door(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = incoming(environ)
        service, operation = request.service, request.operation
        when = self.timeline.now()
        fault = self.intercept(request) or self.faults.take(service, operation)
        if fault is None and service == "ec2" and not self.ec2_buckets.admits(operation):
            fault = throttled()
        match fault:
            case Drop(after_effect=False):
                self._hang_up(Call(service, operation, when, 0), environ)
            case Refusal():
                return self._answer(
                    Call(service, operation, when, fault.status), start_response, *refusal_body(environ, service, fault)
                )
            case Replay():
                call = Call(service, operation, when, fault.status)
                return self._answer(call, start_response, fault.content_type, fault.body)
            case Delay():
                time.sleep(fault.seconds)
        if isinstance(fault, Drop | Truncate):
            status, body = self._ask_moto(request, environ, lambda *_: None)
            if isinstance(fault, Truncate):
                start_response(f"{status} Cut", [("Content-Length", str(len(body)))])(body[: len(body) // 2])
            self._hang_up(Call(service, operation, when, 0), environ)
        sent: list[tuple[str, list[tuple[str, str]]]] = []

        def note(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            sent.append((status, headers))
            return start_response(status, headers, *rest)

        status, body = self._ask_moto(request, environ, note)
        self.calls.add(Call(service, operation, when, status))
        kind = next((value for name, value in sent[-1][1] if name.lower() == "content-type"), "")
        self.overhear(request, Replay(status, kind, body))
        return [body]

    def _answer(self, call: Call, start_response: StartResponse, kind: str, body: bytes) -> list[bytes]:
        """One answer that is not moto's."""
        self.calls.add(call)
        start_response(f"{call.status} Told", [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    def _hang_up(self, call: Call, environ: Environ) -> NoReturn:
        self.calls.add(call)
        if connection := environ.get("werkzeug.socket"):  # there is none behind the shortcut
            connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError("dropped on demand")

    def _ask_moto(self, request: Incoming, environ: Environ, start_response: StartResponse) -> tuple[int, bytes]:
        """moto's answer, complete. A call that may wait inside moto (long polling) does not keep the others out."""
        seen: list[tuple[str, list[tuple[str, str]]]] = []

        def note(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            seen.append((status, headers))
            return lambda _data: None

        with contextlib.nullcontext() if request.operation == "ReceiveMessage" else self._exclusive():
            answer = self.kept.find(request, environ)
            if answer is None:
                self.kept.about(request)
                chunks = self._moto(environ, note)
                with contextlib.closing(chunks) if hasattr(chunks, "close") else contextlib.nullcontext():
                    body = b"".join(chunks)
                status, headers = seen[-1]
                answer = Kept(status, tuple(headers), body)
                self.kept.keep(request, environ, answer)
        start_response(answer.status, list(answer.headers))
        return int(answer.status.split(maxsplit=1)[0]), answer.body


@functools.cache
def _session() -> Any:
    """One for every sandbox of the process: reading the descriptions of the services takes a session seconds."""
    return boto3.session.Session()


_building = threading.Lock()
"""Making clients is not safe from several threads, using them is (botocore's documentation)."""


def _reset_moto() -> None:
    BackendDict.reset()
    reset_model_data()
