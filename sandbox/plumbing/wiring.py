"""Which function is run by what: read from the Chalice application, completed by the template that is merged over it.

Pure reading; nothing runs here. The logical names are Chalice's (function `foo_bar` → `FooBar`, its rule `FooBarEvent`,
its queue `FooBarSqsEventSource`, the REST function `APIHandler`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chalice import Chalice
from chalice.app import CloudWatchEventConfig, ScheduledEventConfig, SQSEventConfig
from chalice.cli.factory import CLIFactory
from chalice.config import Config
from chalice.utils import to_cfn_resource_name

from sandbox.plumbing.resources import Resources
from sandbox.plumbing.template import TemplateError

REST_FUNCTION = "api_handler"
_LAMBDA_ASYNC_RETRIES = 2  # Lambda retries an asynchronous invocation twice unless told otherwise


@dataclass(frozen=True)
class FunctionSpec:
    """One Lambda function as deployed."""

    name: str
    handler: str
    """`module.attribute`, as Lambda imports it."""
    timeout_seconds: int = 60
    memory_mb: int = 128
    environment: Mapping[str, str] = field(default_factory=dict)
    async_retries: int = _LAMBDA_ASYNC_RETRIES
    dead_letter_arn: str | None = None
    """The queue that takes an asynchronous event whose last try failed."""


@dataclass(frozen=True)
class Rule:
    """Events that match *pattern* run *function* asynchronously."""

    function: str
    pattern: Mapping[str, Any]


@dataclass(frozen=True)
class Schedule:
    """*expression* (`rate(…)`, `cron(…)`) runs *function* asynchronously."""

    function: str
    expression: str


@dataclass(frozen=True)
class QueueMapping:
    """Messages of a queue run *function*, in batches."""

    function: str
    queue_arn: str
    batch_size: int
    window_seconds: float
    reports_item_failures: bool
    """Without it Lambda takes any answer as "all done", whatever the function returned."""


@dataclass(frozen=True)
class Wiring:
    """Everything that can run a function of the application."""

    functions: Mapping[str, FunctionSpec]
    rules: tuple[Rule, ...]
    schedules: tuple[Schedule, ...]
    queues: tuple[QueueMapping, ...]


def read_wiring(app: Chalice, resources: Resources, *, project_dir: Path | None = None, stage: str = "dev") -> Wiring:
    """The wiring of *app* with the properties that the template of *resources* adds or overrides.

    *project_dir* is where `.chalice/config.json` lies: time-outs, memory and environment of *stage* come from there.
    Raises TemplateError when a queue of the application is not among the resources.
    """
    config = _stage_config(project_dir, stage)
    functions: dict[str, FunctionSpec] = {}
    rules: list[Rule] = []
    schedules: list[Schedule] = []
    queues: list[QueueMapping] = []
    for source in app.event_sources:
        functions[source.name] = _function(source.name, source.handler_string, config, resources)
        match source:
            case CloudWatchEventConfig():
                overridden = _of_event(resources, source.name, "Event", "Pattern")
                rules.append(Rule(source.name, overridden or source.event_pattern))
            case ScheduledEventConfig():
                schedules.append(Schedule(source.name, _expression(source, resources)))
            case SQSEventConfig():
                queues.append(_queue_mapping(source, resources))
            case _:
                raise TemplateError(f"the sandbox has no source of events such as that of {source.name}")
    for function in app.pure_lambda_functions:
        functions[function.name] = _function(function.name, function.handler_string, config, resources)
    if app.routes:
        functions[REST_FUNCTION] = _function(REST_FUNCTION, "app.app", config, resources)
    return Wiring(functions, tuple(rules), tuple(schedules), tuple(queues))


def _stage_config(project_dir: Path | None, stage: str) -> Config:
    if project_dir is None:
        return Config.create(chalice_stage=stage)
    return CLIFactory(str(project_dir)).create_config_obj(chalice_stage_name=stage)


def _logical_name(function: str) -> str:
    return "APIHandler" if function == REST_FUNCTION else str(to_cfn_resource_name(function))


def _function(name: str, handler: str, config: Config, resources: Resources) -> FunctionSpec:
    logical, scoped = _logical_name(name), config.scope(config.chalice_stage, name)
    retries = resources.property_at(logical, "EventInvokeConfig", "MaximumRetryAttempts")
    timeout = resources.property_at(logical, "Timeout") or scoped.lambda_timeout or FunctionSpec.timeout_seconds
    memory = resources.property_at(logical, "MemorySize") or scoped.lambda_memory_size or FunctionSpec.memory_mb
    return FunctionSpec(
        name=name,
        handler=handler,
        timeout_seconds=int(timeout),
        memory_mb=int(memory),
        environment={**(scoped.environment_variables or {}), **resources.environment(logical)},
        async_retries=_LAMBDA_ASYNC_RETRIES if retries is None else int(retries),
        dead_letter_arn=resources.property_at(logical, "DeadLetterQueue", "TargetArn"),
    )


def _of_event(resources: Resources, function: str, suffix: str, key: str) -> Any:
    """What the template says under *key* about the one event source of *function*; None for nothing."""
    logical = _logical_name(function)
    return resources.property_at(logical, "Events", f"{logical}{suffix}", "Properties", key)


def _expression(source: ScheduledEventConfig, resources: Resources) -> str:
    own = source.schedule_expression
    overridden = _of_event(resources, source.name, "Event", "Schedule")
    return str(overridden or (own if isinstance(own, str) else own.to_string()))


def _queue_mapping(source: SQSEventConfig, resources: Resources) -> QueueMapping:
    def overridden(key: str) -> Any:
        return _of_event(resources, source.name, "SqsEventSource", key)

    arn = overridden("Queue") or source.queue_arn or resources.queue_arn_by_name(source.queue)
    window = overridden("MaximumBatchingWindowInSeconds") or source.maximum_batching_window_in_seconds
    return QueueMapping(
        function=source.name,
        queue_arn=arn,
        batch_size=int(overridden("BatchSize") or source.batch_size),
        window_seconds=float(window),
        reports_item_failures="ReportBatchItemFailures" in (overridden("FunctionResponseTypes") or []),
    )
