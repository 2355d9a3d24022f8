"""YAML events into nodes that know their line, within limits.

Belongs here: the shape of the text, anchors and aliases. Does not belong here: what the words mean (`text`).

PyYAML's own composer knows no limits and recurses in C: a small file of nested brackets, or of aliases of aliases,
could end the process. This one refuses both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from chalicelib.fleet.problems import FleetError, Problem

MAX_DEPTH = 32
MAX_VALUES = 250_000
"""Counted with every alias expanded: a few lines of aliases of aliases can stand for billions of values."""

Events: TypeAlias = Iterator[yaml.Event]


@dataclass(slots=True)
class Scalar:
    """One word, number or text as it stands in the file; `bare` is without quotes."""

    line: int
    text: str
    bare: bool
    size: int = 1
    height: int = 0


@dataclass(slots=True)
class Branch:
    """A list, or a mapping whose children are key, value, key, value, and so on.

    Attributes:
        size: Values in it, aliases expanded.
        height: Levels below it, aliases expanded.
        entries: Values of a mapping by key, merges included; None until they have been looked at.
    """

    line: int
    is_mapping: bool
    children: list[Scalar | Branch] = field(default_factory=list)
    size: int = 1
    height: int = 0
    entries: dict[str, tuple[int, Scalar | Branch]] | None = None


Node: TypeAlias = Scalar | Branch


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


class Composer:
    """Events into nodes, with limits. PyYAML's own composer has none, and recurses in C."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.anchors: dict[str, Node | None] = {}

    def compose(self, text: str) -> Node:
        """The one document in *text*; an empty word if there is none.

        Raises:
            FleetError: Two documents, tags, too many levels or values, an alias without an anchor before it.
            yaml.YAMLError: No YAML.
        """
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        root: Node | None = None
        events: Events = yaml.parse(text, Loader=loader)
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                raise self._refuse(event, "a second document (---): allowed is one")
            if isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, 0)
        return root or Scalar(1, "", bare=True)

    def _node(self, event: yaml.NodeEvent, events: Events, depth: int) -> Node:
        anchor = event.anchor
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event, anchor or "")
        if depth > MAX_DEPTH:
            raise self._too_deep(event)
        if anchor is not None:
            if anchor in self.anchors:
                raise self._refuse(event, f"anchor &{anchor[:40]} is given twice: allowed is once")
            self.anchors[anchor] = None
        node = self._scalar(event) if isinstance(event, yaml.ScalarEvent) else self._branch(event, events, depth)
        if anchor is not None:
            self.anchors[anchor] = node
        return node

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        self._check_tag(event, event.tag)
        # `implicit` says whether the word may be read as something else than text: it is not in quotes.
        return Scalar(_line(event), event.value, bare=bool(event.implicit[0]))

    def _branch(self, event: yaml.NodeEvent, events: Events, depth: int) -> Branch:
        self._check_tag(event, event.tag if isinstance(event, yaml.CollectionStartEvent) else None)
        branch = Branch(_line(event), isinstance(event, yaml.MappingStartEvent))
        for inner in events:
            if not isinstance(inner, yaml.NodeEvent):  # the end of the list or mapping
                break
            child = self._node(inner, events, depth + 1)
            branch.children.append(child)
            branch.size += child.size
            branch.height = max(branch.height, child.height + 1)
            if branch.size > MAX_VALUES:
                raise self._refuse(inner, f"too many values: allowed are {MAX_VALUES}, aliases expanded")
            if depth + branch.height > MAX_DEPTH:
                raise self._too_deep(inner)
        return branch

    def _aliased(self, event: yaml.AliasEvent, name: str) -> Node:
        if name not in self.anchors:
            raise self._refuse(event, f"alias *{name[:40]}: no anchor of that name comes before it")
        node = self.anchors[name]
        if node is None:
            raise self._refuse(event, f"alias *{name[:40]} stands inside its own anchor: allowed is one from before")
        return node

    def _check_tag(self, event: yaml.Event, tag: str | None) -> None:
        if tag is not None:
            raise self._refuse(event, f"tag {tag[:60]}: tags are not allowed")

    def _too_deep(self, event: yaml.Event) -> FleetError:
        return self._refuse(event, f"nested too deeply: allowed are {MAX_DEPTH} levels, aliases expanded")

    def _refuse(self, event: yaml.Event, text: str) -> FleetError:
        return FleetError(self.origin, [Problem(_line(event), (), text)])
