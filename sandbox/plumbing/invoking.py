"""Running one function for one event: what an invoker is, and the one that runs it in this process.

The other one runs the deployed package under Lambda's own runtime client: `sandbox.lambda_runtime`.
"""

from __future__ import annotations

import json
import os
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from chalice import Chalice
from chalice.local import LambdaContext

from sandbox.plumbing.wiring import REST_FUNCTION, FunctionSpec


class FunctionError(Exception):
    """The function ended with an error: its type and message as
    Lambda reports them, and the trace for whoever debugs.
    """

    def __init__(self, error_type: str, message: str, trace: str = "") -> None:
        super().__init__(f"{error_type}: {message}")
        self.error_type = error_type
        self.message = message
        self.trace = trace


class Invoker(Protocol):
    """Runs functions."""

    def invoke(self, function: FunctionSpec, event: Mapping[str, Any]) -> Any:
        """Run *function* for *event* and return its answer, as JSON values. Raises FunctionError when it fails."""
        ...

    def close(self) -> None:
        """Give back what the invoker holds (processes, sockets)."""
        ...


class InProcessInvoker:
    """Calls the application's own handlers, one at a time, with the function's environment set around each call.

    Fast and easy to step through. Not covered: packaging, import of the handler by name, and the time-out (nothing can
    stop a thread). *environment* is added to every function's own, for endpoints and credentials.
    """

    def __init__(self, app: Chalice, environment: Mapping[str, str]) -> None:
        self._app = app
        self._environment = environment
        self._one_at_a_time = threading.RLock()

    def invoke(self, function: FunctionSpec, event: Mapping[str, Any]) -> Any:
        """Run *function*'s handler; event and answer pass through JSON, as they do in Lambda."""
        handler: Callable[[Any, Any], Any] = self._app
        if function.name != REST_FUNCTION:
            handler = self._app.handler_map[function.name]
        with self._one_at_a_time, _environment({**function.environment, **self._environment}):
            try:
                answer = handler(json.loads(json.dumps(event)), _context(function))
            except Exception as error:
                raise FunctionError(type(error).__name__, str(error), traceback.format_exc()) from error
        try:
            return json.loads(json.dumps(answer))
        except TypeError as error:
            raise FunctionError("Runtime.MarshalError", f"Unable to marshal response: {error}") from error

    def close(self) -> None:
        """Nothing to give back."""


def _context(function: FunctionSpec) -> LambdaContext:
    context = LambdaContext(function.name, function.memory_mb, function.timeout_seconds * 1000)
    region = function.environment.get("AWS_REGION", "eu-central-1")
    context.invoked_function_arn = f"arn:aws:lambda:{region}:123456789012:function:{function.name}"
    context.log_group_name = f"/aws/lambda/{function.name}"
    return context


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
