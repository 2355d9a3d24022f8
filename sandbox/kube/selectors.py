"""Label and field selectors: parsing, with the server's own words for what it cannot read, and matching."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.kube.errors import bad_request
from sandbox.kube.resources import Resource

_TOKEN = re.compile(r"\s*(?:(==|!=|=|!|\(|\)|,|<|>)|([^\s=!(),<>]+))")
_OPERATORS = {"=": "=", "==": "=", "!=": "!=", "in": "in", "notin": "notin", ">": ">", "<": "<"}

Predicate = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class _Requirement:
    key: str
    operator: str
    values: tuple[str, ...] = ()

    def met_by(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "exists":
                return value is not None
            case "!":
                return value is None
            case "=" | "in":
                return value in self.values
            case "!=" | "notin":
                return value not in self.values
        if value is None or not re.fullmatch(r"-?\d+", value):
            return False
        return int(value) > int(self.values[0]) if self.operator == ">" else int(value) < int(self.values[0])


def label_predicate(selector: str) -> Predicate:
    """Whether an object's labels satisfy *selector*; ApiError 400 for one that is not in the language."""
    requirements = _LabelParser(selector).parse()

    def matches(obj: Mapping[str, Any]) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(requirement.met_by(labels) for requirement in requirements)

    return matches


class _LabelParser:
    """Reads ``a=b,c in (d,e),!f,g>1`` from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = [(match[1] or "", match[2] or "") for match in _TOKEN.finditer(text.strip())]
        self._position = 0

    def _take(self) -> tuple[str, str]:
        """(symbol, word): one of the two is empty, both at the end."""
        token = self._tokens[self._position] if self._position < len(self._tokens) else ("", "")
        self._position += 1
        return token

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._position] if self._position < len(self._tokens) else ("", "")

    def parse(self) -> tuple[_Requirement, ...]:
        requirements: list[_Requirement] = []
        if not self._tokens:
            return ()
        while True:
            requirements.append(self._requirement())
            symbol, word = self._take()
            if (symbol, word) == ("", ""):
                return tuple(requirements)
            if symbol != ",":
                raise bad_request(f"found '{symbol or word}', expected: ',' or 'end of string'")

    def _requirement(self) -> _Requirement:
        symbol, word = self._take()
        if symbol == "!":
            return _Requirement(self._take()[1], "!")
        if not word:
            raise bad_request(f"found '{symbol}', expected: !, identifier, or 'end of string'")
        following = self._peek()
        if following in (("", ""), (",", "")):
            return _Requirement(word, "exists")
        symbol, name = self._take()
        operator = _OPERATORS.get(symbol or name)
        if operator is None:
            found = symbol or name
            raise bad_request(f"unable to parse requirement: found '{found}', expected: in, notin, =, ==, !=, gt, lt")
        values = self._several() if operator in ("in", "notin") else (self._single(),)
        if operator in (">", "<") and not re.fullmatch(r"-?\d+", values[0]):
            raise bad_request(
                f'unable to parse requirement: values[0]: Invalid value: "{values[0]}": '
                "for 'Gt', 'Lt' operators, the value must be an integer"
            )
        return _Requirement(word, operator, values)

    def _single(self) -> str:
        """The value after ``=``, which may be empty."""
        return self._take()[1] if self._peek()[1] else ""

    def _several(self) -> tuple[str, ...]:
        if self._take()[0] != "(":
            raise bad_request("unable to parse requirement: found '', expected: '('")
        values: list[str] = []
        while True:
            values.append(self._single())
            symbol, word = self._take()
            if symbol == ")":
                return tuple(values)
            if symbol != ",":
                raise bad_request(f"unable to parse requirement: found '{word}', expected: ',' or ')'")


def field_predicate(resource: Resource, selector: str) -> Predicate:
    """Whether an object's fields satisfy *selector*; ApiError 400 for fields that this resource is not indexed by."""
    requirements = [_field_requirement(resource, part) for part in selector.split(",") if part]

    def matches(obj: Mapping[str, Any]) -> bool:
        return all((_field(resource, obj, path) == value) is equal for path, equal, value in requirements)

    return matches


def _field_requirement(resource: Resource, part: str) -> tuple[str, bool, str]:
    match = re.fullmatch(r"(.*?)(==|!=|=)(.*)", part, re.DOTALL)
    if match is None:
        raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
    path, operator, value = match.groups()
    always = {"metadata.name", "metadata.namespace"} if resource.namespaced else {"metadata.name"}
    if path not in always and path not in resource.selectable:
        raise bad_request(f"field label not supported: {path}")
    return path, operator != "!=", value


def _field(resource: Resource, obj: Mapping[str, Any], path: str) -> str:
    """The field as the text a selector compares with."""
    if path == "source":  # of an event: the component that sent it
        path = "source.component"
    value: Any = obj
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, bool):
        return str(value).lower()
    return resource.selectable.get(path, "") if value is None else str(value)


def both(first: Predicate, second: Predicate) -> Predicate:
    """What satisfies the one and the other."""
    return lambda obj: first(obj) and second(obj)
