"""The fleet file's text into its model, or every problem it has.

Belongs here: running the checks and wording what pydantic found. Does not belong here: the checks themselves
(`text`, `model`, `rules`), and what a good file becomes (`fleet`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from chalicelib.fleet.files import Files, unusable_files
from chalicelib.fleet.model import FleetFile, model_at
from chalicelib.fleet.problems import SECRETS, FleetError, Path, Problem, shown
from chalicelib.fleet.rules import broken_rules
from chalicelib.fleet.text import Document, read_yaml

NUMBERS = frozenset({"max_change_share", "block_prefix", "per_zone", "replicas", "min", "max"})

SHAPES = {
    "list_type": "allowed is a list",
    "dict_type": "allowed is a mapping of texts to texts",
    "model_type": "allowed is a mapping",
    "too_short": "is empty: allowed is at least one entry",
}


def check_fleet(text: str, origin: str, files: Files) -> FleetFile:
    """The checked model of the file; the files it names are there and can be used.

    Raises:
        FleetError: Every problem of the file at once; those of the text's own form (no YAML, too large) alone.
    """
    document = read_yaml(text, origin)
    problems = list(document.problems)
    doubted = {problem.path for problem in problems}
    model: FleetFile | None = None
    try:
        model = FleetFile.model_validate(document.values)
    except ValidationError as error:
        found = (_worded(detail, document) for detail in error.errors(include_url=False, include_context=True))
        problems += [problem for problem in found if problem.path not in doubted]
    broken = (*broken_rules(document.values), *unusable_files(document.values, files))
    problems += [Problem(document.line(path), path, told) for path, told in broken]
    if problems or model is None:
        raise FleetError(origin, problems)
    return model


def _worded(detail: ErrorDetails, document: Document) -> Problem:
    path: Path = detail["loc"]
    # A key of matchLabels that is no label key: pydantic adds a marker to its path.
    is_key = len(path) > 1 and path[-1] == "[key]" and path[-2] != "matchLabels"
    path = path[:-1] if is_key else path
    kind, value = detail["type"], detail["input"]
    match kind:
        case "missing":
            return Problem(document.line(path[:-1]), path, f"is missing: {_description(path)}")
        case "extra_forbidden":
            return Problem(document.line(path, key=True), path, _unknown(path))
        case "too_short":
            return Problem(document.line(path), path, SHAPES[kind])
        case "allowed":
            told = f"{shown(path, value)}: {detail['ctx']['allowed']}{_quotes(path, value, document)}"
            return Problem(document.line(path, key=is_key), path, told)
        case _:
            # Not the text itself: where a mapping is wanted, anything may stand, a whole secret too.
            there = "is text" if isinstance(value, str) else shown(path, value)
            fields = ", ".join(_fields(path))
            told = SHAPES.get(kind, detail["msg"]) + (f" with the fields {fields}" if kind == "model_type" else "")
            return Problem(document.line(path), path, f"{there}: {told}")


def _quotes(path: Path, value: object, document: Document) -> str:
    """The advice for the commonest slip: a bare number or truth value where text is wanted."""
    word = document.text(path)
    wants_text = not isinstance(value, str) and path[-1] not in NUMBERS | SECRETS
    return f' (YAML reads a bare {word} as no text: write "{word}")' if wants_text and word is not None else ""


def _unknown(path: Path) -> str:
    name = str(path[-1])
    known = list(_fields(path[:-1]))
    plain = name.lower().replace("-", "_")
    near = difflib.get_close_matches(plain, known, n=1) or difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"unknown field: {hint}allowed are {', '.join(known)}"


def _fields(path: Path) -> Iterator[str]:
    model = model_at(path)
    return (field.alias or name for name, field in (model.model_fields if model else {}).items())


def _description(path: Path) -> str:
    model = model_at(path[:-1])
    fields: dict[str, Any] = {field.alias or name: field for name, field in model.model_fields.items()} if model else {}
    return str(fields[str(path[-1])].description)
