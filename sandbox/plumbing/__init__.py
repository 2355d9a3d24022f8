"""What AWS does between the functions of an application: EventBridge,
schedules, queues with their pollers, the REST front.

The wiring is read from the Chalice application and the template that is deployed with it, so that what runs here is
what is deployed. `create_resources` makes queues, tables and topics; `read_wiring` says what triggers what; `Plumbing`
lets it flow; an `Invoker` runs a function, in this process or from its package (`sandbox.lambda_runtime`).
"""

from sandbox.plumbing.flow import Plumbing
from sandbox.plumbing.invoking import FunctionError, InProcessInvoker, Invoker
from sandbox.plumbing.records import Answer, Invocation
from sandbox.plumbing.resources import Resources, create_resources
from sandbox.plumbing.template import TemplateError
from sandbox.plumbing.wiring import FunctionSpec, Wiring, read_wiring

__all__ = [
    "Answer",
    "FunctionError",
    "FunctionSpec",
    "InProcessInvoker",
    "Invocation",
    "Invoker",
    "Plumbing",
    "Resources",
    "TemplateError",
    "Wiring",
    "create_resources",
    "read_wiring",
]
