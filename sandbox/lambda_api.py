"""The Lambda Runtime API: the HTTP server from which a runtime client
takes its work and to which it brings the answers.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_API = "/2018-06-01/runtime"


@dataclass
class Task:
    """One invocation on its way through the runtime."""

    event: bytes
    deadline: float
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    taken: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    answer: bytes | None = None
    error: Mapping[str, Any] | None = None


class _Server(ThreadingHTTPServer):
    """A server whose clients may be killed at any time."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that a killed process left behind is no news; anything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class RuntimeApi:
    """The HTTP side that a runtime client polls: one process, one invocation at a time. `address` is `host:port`."""

    def __init__(self, function_arn: str) -> None:
        """Serve on an ephemeral port at once."""
        self._arn = function_arn
        self._waiting: queue.Queue[Task | None] = queue.Queue()
        self._running: dict[str, Task] = {}
        self.init_error: Mapping[str, Any] | None = None
        self.failed_to_start = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            """The four routes of the Runtime API."""

            protocol_version = "HTTP/1.1"
            wbufsize = -1  # headers and body in one packet: otherwise each answer waits 40 ms for a delayed ACK

            def log_message(self, *_arguments: Any) -> None:
                """Keep quiet."""

            def do_GET(self) -> None:
                """`…/invocation/next`: block until there is something to do."""
                task = api.next_task() if self.path == f"{_API}/invocation/next" else None
                if task is None:
                    self._reply(404)
                else:
                    self._reply(200, task.event, api.headers_of(task))

            def do_POST(self) -> None:
                """`…/response`, `…/error` and `…/init/error`."""
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                api.accept(self.path.removeprefix(_API).strip("/").split("/"), body)
                self._reply(202, b'{"status":"OK"}')

            def _reply(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_port}"

    def submit(self, event: Mapping[str, Any], deadline: float) -> Task:
        """Offer *event* to the runtime; *deadline* is the epoch second at which the invocation ends."""
        task = Task(json.dumps(event).encode(), deadline)
        self._waiting.put(task)
        return task

    def next_task(self) -> Task | None:
        """The next invocation, waited for; None when the API closes."""
        task = self._waiting.get()
        if task is not None:
            self._running[task.request_id] = task
            task.taken.set()
        return task

    def headers_of(self, task: Task) -> dict[str, str]:
        """What the runtime client needs to know beside the event."""
        return {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": task.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(task.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self._arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }

    def accept(self, steps: Sequence[str], body: bytes) -> None:
        """What the runtime posted under *steps* of the path: an answer, an error, or that it could not start."""
        match steps:
            case ["invocation", request_id, "response"] if request_id in self._running:
                task = self._running.pop(request_id)
                task.answer = body
                task.done.set()
            case ["invocation", request_id, "error"] if request_id in self._running:
                task = self._running.pop(request_id)
                task.error = json.loads(body)
                task.done.set()
            case ["init", "error"]:
                self.init_error = json.loads(body)
                self.failed_to_start.set()

    def close(self) -> None:
        """Stop serving and let a poller that waits go."""
        self._waiting.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
