"""`egress-keeper what-if`: its options, checked, and what they ask of the twin."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chalicelib.domain.rehearsed_planning import plan_rehearsed
from chalicelib.domain.rehearsing.twinning import is_noticed
from chalicelib.domain.rehearsing.what_if import Answer, NotPossible, Question, what_if
from chalicelib.domain.snapshot import Unknown
from chalicelib.domain.spec import ClusterSpec, PolicySpec
from chalicelib.domain.terrain import all_known
from chalicelib.fleet.load import parse_policies
from chalicelib.fleet.problems import FleetError
from chalicelib.problems import BadInput
from chalicelib.usecases.documents import what_if_document
from chalicelib.usecases.visit import Look

OPENSHIFT = re.compile(r"[45]\.\d{1,2}")
MOST_NODES = 500
"""In one pool (OpenShift's tested maximum of a whole cluster)."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Something could not be read that the question needs."""

    unknown: tuple[Unknown, ...]


def add_options(command: argparse.ArgumentParser) -> None:
    """The options; all of them combine."""
    command.add_argument("--lose-zone", action="append", default=[], metavar="ZONE", help="all nodes of a zone go")
    command.add_argument("--lose-node", action="append", default=[], metavar="NODE", help="one node goes")
    command.add_argument("--scale", action="append", default=[], metavar="POOL=N", help="a machine pool gets N nodes")
    command.add_argument("--upgrade", metavar="X.Y", help="the cluster is upgraded to this OpenShift minor")
    command.add_argument(
        "--add-policy", metavar="FILE", help="policies as in a fleet file, in a YAML file of their own"
    )


def answer(look: Look, arguments: argparse.Namespace) -> Answer | Unanswered:
    """Ask the twin.

    Raises:
        BadInput, FleetError: An option that makes no sense; the message says what does.
    """
    added = _policies(arguments.add_policy, look.desired)
    question = Question(
        tuple(dict.fromkeys(arguments.lose_zone)),
        tuple(dict.fromkeys(arguments.lose_node)),
        tuple(_scale(text) for text in arguments.scale),
        _upgrade(arguments.upgrade),
        policies=tuple(policy.name for policy in added),
    )
    if not question.sentences:
        raise BadInput(
            "what-if: nothing is to happen; allowed are --lose-zone, --lose-node, --scale, --upgrade, --add-policy"
        )
    known = all_known(look.observed)
    if known is None:
        return Unanswered(look.observed.unknown())
    if added:
        planned = plan_rehearsed(look.observed, replace(look.desired, policies=(*look.desired.policies, *added)))
        names = {policy.name for policy in added}
        question = replace(question, add=tuple(a for a in planned.actions if is_noticed(a) and set(a.policies) & names))
    limits: Mapping[str, int] = {} if isinstance(look.observed.limits, Unknown) else look.observed.limits
    try:
        return what_if(question, known, limits)
    except NotPossible as error:
        raise BadInput(f"what-if: {error}") from error


def document_of(look: Look, found: Answer) -> dict[str, Any]:
    """As `docs/schemas` has it."""
    return what_if_document(look, found)


def _scale(text: str) -> tuple[str, int]:
    pool, equals, count = text.rpartition("=")
    if not (equals and pool and count.isdigit() and int(count) <= MOST_NODES):
        raise BadInput(f"--scale: {text[:80]!r} is not POOL=N; allowed is a pool's name and 0 to {MOST_NODES} nodes")
    return pool, int(count)


def _upgrade(text: str | None) -> str:
    if text is not None and not OPENSHIFT.fullmatch(text):
        raise BadInput(f"--upgrade: {text[:80]!r} is no OpenShift minor; allowed is for example 4.20")
    return text or ""


def _policies(file: str | None, desired: ClusterSpec) -> tuple[PolicySpec, ...]:
    if file is None:
        return ()
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FleetError(file, f"can't be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None
    added = parse_policies(text, file)
    there = {policy.name for policy in desired.policies}
    if twice := [policy.name for policy in added if policy.name in there]:
        raise BadInput(f"--add-policy: {twice[0]!r} is a policy of {desired.name} already; allowed is another name")
    return added
