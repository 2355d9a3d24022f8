"""A CloudFormation template read just far enough: parameters,
conditions and the intrinsic functions of an application's wiring.

Values of resources (`Ref`, `Fn::GetAtt`) come from whoever makes them;
this module only knows how to ask. What it does not know it refuses.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

_SHORT_FORMS_WITHOUT_PREFIX = {"Ref", "Condition"}
NO_VALUE = object()
"""What `{Ref: AWS::NoValue}` resolves to: the key it belongs to is left out."""


class TemplateError(Exception):
    """The template asks for something that it does not define, or that the sandbox does not have."""


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms (`!Ref x`, `!GetAtt a.b`) turned into the long ones."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in _SHORT_FORMS_WITHOUT_PREFIX else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    raise TemplateError(f"!{suffix} of an unknown kind of YAML node")


_Loader.add_multi_constructor("!", _short_form)


def load_template(source: Path | Mapping[str, Any]) -> Mapping[str, Any]:
    """A template from a YAML file, or as it is when already parsed. Raises TemplateError when it is not a mapping."""
    if isinstance(source, Mapping):
        return source
    parsed = _parsed(source.read_text(encoding="utf-8"))
    if not isinstance(parsed, dict):
        raise TemplateError(f"{source} is not a CloudFormation template")
    return parsed


@functools.lru_cache(maxsize=2)
def _parsed(text: str) -> Any:
    """Read once for all the stages of a process; nobody changes a template."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with tags


class Resolver:
    """Turns intrinsic functions into values.

    *attribute* answers for resources: called with a logical name and None (`Ref`) or an
    attribute name (`Fn::GetAtt`). *pseudo* holds the `AWS::…` parameters. *overrides* are
    parameter values; a parameter with neither an override nor a default is an error at once.
    """

    def __init__(
        self,
        template: Mapping[str, Any],
        overrides: Mapping[str, str],
        pseudo: Mapping[str, str],
        attribute: Callable[[str, str | None], str],
    ) -> None:
        self._conditions: Mapping[str, Any] = template.get("Conditions", {})
        self._pseudo = pseudo
        self._attribute = attribute
        self.parameters = _parameter_values(template.get("Parameters", {}), overrides)
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self.condition,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": lambda node: str(node[0]).join(str(part) for part in self.value(node[1])),
            "Fn::If": lambda node: self.value(node[1] if self.condition(node[0]) else node[2]),
            "Fn::Equals": lambda node: str(self.value(node[0])) == str(self.value(node[1])),
            "Fn::Not": lambda node: not self.value(node[0]),
            "Fn::And": lambda node: all(self.value(part) for part in node),
            "Fn::Or": lambda node: any(self.value(part) for part in node),
        }

    def value(self, node: Any) -> Any:
        """*node* with every intrinsic function in it replaced. Raises TemplateError for one that is not known here."""
        if isinstance(node, Mapping):
            if len(node) == 1:
                (name, argument), *_ = node.items()
                if name in self._functions:
                    return self._functions[name](argument)
                if str(name).startswith("Fn::"):
                    raise TemplateError(f"the sandbox does not know {name}")
            resolved = {key: self.value(child) for key, child in node.items()}
            return {key: child for key, child in resolved.items() if child is not NO_VALUE}
        if isinstance(node, list):
            return [child for child in map(self.value, node) if child is not NO_VALUE]
        return node

    def condition(self, name: str) -> bool:
        """Whether the condition *name* of the template holds."""
        if name not in self._conditions:
            raise TemplateError(f"no condition {name}")
        return bool(self.value(self._conditions[name]))

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        return self._attribute(name, None)

    def _get_att(self, argument: Any) -> str:
        name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        return self._attribute(name, attribute)

    def _sub(self, argument: Any) -> str:
        text, variables = (argument, {}) if isinstance(argument, str) else argument

        def replace(match: re.Match[str]) -> str:
            name = match.group(1)
            if name.startswith("!"):  # ${!Literal} stands for ${Literal}
                return f"${{{name[1:]}}}"
            if name in variables:
                return str(self.value(variables[name]))
            return str(self._get_att(name) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", replace, text)


def _parameter_values(declared: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, Any]:
    """Parameter values as CloudFormation gives them out: text, or a list of texts for list types."""
    if unknown := sorted(set(overrides) - set(declared)):
        raise TemplateError(f"the template has no parameter {', '.join(unknown)}")
    if missing := sorted(name for name, spec in declared.items() if name not in overrides and "Default" not in spec):
        raise TemplateError(f"a value is needed for {', '.join(missing)}")
    values: dict[str, Any] = {}
    for name, spec in declared.items():
        text = str(overrides.get(name, spec.get("Default")))
        is_list = spec.get("Type", "String") == "CommaDelimitedList" or spec.get("Type", "").startswith("List<")
        values[name] = [part.strip() for part in text.split(",") if part.strip()] if is_list else text
    return values
