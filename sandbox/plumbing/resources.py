"""Queues, tables, topics and subscriptions of a template, made in the
sandbox's AWS. Functions and rules are `wiring`'s; the rest is ignored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.aws import AwsSandbox
from sandbox.plumbing.template import Resolver, TemplateError, load_template


@dataclass(frozen=True)
class Made:
    """One resource that exists: what `Ref` gives for it, and its attributes for `Fn::GetAtt`."""

    ref: str
    attributes: Mapping[str, str] = field(default_factory=dict)


class Resources:
    """What a template's stack has made, and the template's view of it.

    `refs` maps logical names to what `Ref` gives: a queue's URL, a table's name, a topic's ARN.
    """

    def __init__(
        self, aws: AwsSandbox, template: Mapping[str, Any], overrides: Mapping[str, str], stack_name: str
    ) -> None:
        self._aws = aws
        self._declared: Mapping[str, Any] = template.get("Resources", {})
        self._globals: Mapping[str, Any] = template.get("Globals", {}).get("Function", {})
        self._stack_name = stack_name
        self._made: dict[str, Made] = {}
        self._being_made: list[str] = []
        self.resolver = Resolver(template, overrides, self._pseudo(), self._attribute)

    @property
    def refs(self) -> Mapping[str, str]:
        """Logical name → what `Ref` gives, for everything that was made."""
        return {name: made.ref for name, made in self._made.items()}

    def property_at(self, logical_name: str, *path: str) -> Any:
        """The resolved value at *path* in the properties of a resource, None where the template says nothing.

        Only that part is resolved: the rest may refer to what the sandbox does not have.
        """
        node: Any = self._declared.get(logical_name, {}).get("Properties", {})
        for step in path:
            if not isinstance(node, Mapping) or step not in node:
                return None
            node = node[step]
        return self.resolver.value(node)

    def environment(self, logical_name: str) -> dict[str, str]:
        """The environment variables that the template gives to the function of that logical name, globals included."""
        own = self._declared.get(logical_name, {}).get("Properties", {}).get("Environment", {}).get("Variables", {})
        variables = {**self._globals.get("Environment", {}).get("Variables", {}), **own}
        return {name: str(self.resolver.value(value)) for name, value in variables.items()}

    def attribute(self, logical_name: str, attribute: str | None = None) -> str:
        """What `Ref` (None) or `Fn::GetAtt` gives for a resource. Raises TemplateError for one that was not made."""
        return self._attribute(logical_name, attribute)

    def queue_arn_by_name(self, queue_name: str | None) -> str:
        """The ARN of the queue with that physical name. Raises TemplateError when the template makes none such."""
        for made in self._made.values():
            if queue_name is not None and made.attributes.get("QueueName") == queue_name:
                return made.attributes["Arn"]
        raise TemplateError(f"the template makes no queue named {queue_name}")

    def queue_url(self, queue_arn: str) -> str:
        """The URL of the queue with that ARN."""
        return next(made.ref for made in self._made.values() if made.attributes.get("Arn") == queue_arn)

    def make_all(self) -> None:
        """Make every resource of a kind that the sandbox has and whose condition holds."""
        for name in self._declared:
            if self._kind(name) in _MAKERS and self._is_wanted(name):
                self._make(name)

    def _kind(self, name: str) -> str:
        return str(self._declared[name].get("Type", ""))

    def _is_wanted(self, name: str) -> bool:
        condition = self._declared[name].get("Condition")
        return condition is None or self.resolver.condition(condition)

    def _make(self, name: str) -> Made:
        """Make *name*, and what it refers to before it."""
        if name in self._made:
            return self._made[name]
        if name in self._being_made:
            raise TemplateError(f"circular dependency: {' → '.join([*self._being_made, name])}")
        self._being_made.append(name)
        physical_name = f"{self._stack_name}-{name}"
        self._made[name] = _MAKERS[self._kind(name)](self._aws, physical_name, self.property_at(name) or {})
        self._being_made.pop()
        return self._made[name]

    def _attribute(self, name: str, attribute: str | None) -> str:
        if name not in self._declared:
            raise TemplateError(f"no resource or parameter {name}")
        if self._kind(name) not in _MAKERS:
            raise TemplateError(f"the sandbox makes no {self._kind(name) or 'resource'} such as {name}")
        made = self._make(name)
        if attribute is None:
            return made.ref
        if attribute not in made.attributes:
            raise TemplateError(f"{name} has no attribute {attribute}")
        return made.attributes[attribute]

    def _pseudo(self) -> dict[str, str]:
        return {
            "AWS::AccountId": self._aws.account_id,
            "AWS::Partition": "aws",
            "AWS::Region": self._aws.region,
            "AWS::StackName": self._stack_name,
            "AWS::URLSuffix": "amazonaws.com",
        }


def create_resources(
    aws: AwsSandbox,
    template: Path | Mapping[str, Any],
    parameter_overrides: Mapping[str, str] | None = None,
    *,
    stack_name: str = "egress-keeper",
) -> Resources:
    """Make the queues, tables, topics and subscriptions of *template* (a file or its parsed content) in *aws*.

    Raises TemplateError for a missing parameter, an unknown name or
    an intrinsic function that the sandbox does not know.
    """
    resources = Resources(aws, load_template(template), parameter_overrides or {}, stack_name)
    resources.make_all()
    return resources


# --- one maker a kind ---

_TABLE_KEYS = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
)


def _make_queue(aws: AwsSandbox, physical_name: str, properties: dict[str, Any]) -> Made:
    is_fifo = str(properties.get("FifoQueue", False)).lower() == "true"
    name = properties.pop("QueueName", physical_name + (".fifo" if is_fifo else ""))
    attributes = {key: _attribute_text(value) for key, value in properties.items() if key != "Tags"}
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return Made(url, {"Arn": arn, "QueueName": name, "QueueUrl": url})


def _attribute_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _make_table(aws: AwsSandbox, physical_name: str, properties: dict[str, Any]) -> Made:
    name = properties.get("TableName", physical_name)
    dynamodb = aws.client("dynamodb")
    arguments = {key: properties[key] for key in _TABLE_KEYS if key in properties}
    described = dynamodb.create_table(TableName=name, **arguments)["TableDescription"]
    if expiry := properties.get("TimeToLiveSpecification"):
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
    return Made(name, {"Arn": described["TableArn"]})


def _make_topic(aws: AwsSandbox, physical_name: str, properties: dict[str, Any]) -> Made:
    arn = aws.client("sns").create_topic(Name=properties.get("TopicName", physical_name))["TopicArn"]
    return Made(arn, {"TopicArn": arn, "TopicName": arn.rpartition(":")[2]})


def _make_subscription(aws: AwsSandbox, _physical_name: str, properties: dict[str, Any]) -> Made:
    arguments = {key: properties[key] for key in ("TopicArn", "Protocol", "Endpoint")}
    if policy := properties.get("FilterPolicy"):
        arguments["Attributes"] = {"FilterPolicy": json.dumps(policy)}
    return Made(aws.client("sns").subscribe(**arguments, ReturnSubscriptionArn=True)["SubscriptionArn"])


_MAKERS: Mapping[str, Callable[[AwsSandbox, str, dict[str, Any]], Made]] = {
    "AWS::SQS::Queue": _make_queue,
    "AWS::DynamoDB::Table": _make_table,
    "AWS::SNS::Topic": _make_topic,
    "AWS::SNS::Subscription": _make_subscription,
}
