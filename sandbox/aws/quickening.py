"""What takes moto long and need not: the same answers, sooner.

Belongs here: corrections that change no answer, only how long it takes. Does not belong here: what differs from AWS
(each subject's own module). `tests/sandbox/aws/test_quickening.py` holds each to moto's own answers.

Most of a day of the sandbox is EC2 being described. Of 57 ms for six instances moto spent 26 on finding under which
name a model's member is kept in an object, for each member of each object anew, and 15 on writing the XML.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import moto.backends as moto_backends
import moto.core.responses as moto_responses
import moto.sqs.models as sqs_models
from moto.core.constants import MISSING
from moto.core.serialize import DEFAULT_ALIAS_PROVIDERS, AttributePicker, EC2Serializer
from moto.core.utils import get_value
from moto.ec2.models.amis import AmiBackend
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.sns.models import Subscription

from sandbox.aws.correction import Correction

Transform = Callable[[Any], Any]


def _tags_by_id(_original: Any) -> Any:
    def get_tags(self: Any) -> list[dict[str, str]]:
        kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(self.id), "")
        own = self.ec2_backend.tags.get(self.id, {})
        return [
            {"resource_id": self.id, "key": key, "value": value, "resource_type": kind} for key, value in own.items()
        ]

    return get_tags


def _listed_once(original: Callable[[], Iterable[str]]) -> Any:
    names = tuple(original())
    return lambda: names


def _no_images(_original: Any) -> Any:
    return lambda self: None  # noqa: ARG005 - a method


def _by_names_known(original: Any) -> Any:
    """Look a member up under the names that its kind of object was looked up under before.

    The names depend on the member (its shape) and on the object's class alone; what is done to a value on its way out
    on the path to it. Both are found once.
    """
    names: dict[tuple[type, type, str, Any], tuple[str, ...]] = {}
    transforms: dict[int, tuple[Mapping[str, Transform], dict[str, Transform | None]]] = {}

    def transform_of(table: Mapping[str, Transform], path: str) -> Transform | None:
        _, by_path = transforms.setdefault(id(table), (table, {}))  # the table is kept: its id stays its own
        if path not in by_path:
            by_path[path] = next((do for end, do in table.items() if path.endswith(end)), None)
        return by_path[path]

    def pick(self: Any, context: Any) -> Any:
        if self.alias_providers is not DEFAULT_ALIAS_PROVIDERS:
            return original(self, context)
        known = (type(self), type(context.obj), context.key, context.shape)
        if known not in names:
            names[known] = tuple(self.get_possible_keys(context))
        value = None
        for name in names[known]:
            found = get_value(context.obj, name, MISSING)
            if found is not MISSING:
                value = found
                break
        table = self.response_transformers
        transform = transform_of(table, f"{context.key_path}.{context.key}") if table else None
        return transform(value) if transform else value

    return pick


def _written_directly(original: Any) -> Any:
    """Write what EC2's answers consist of without a SAX handler behind each element."""

    def write(self: Any, body: Mapping[str, Any]) -> Any:
        try:
            return original(self, body) if self.pretty_print else _document(body)
        except _UnusualError:
            return original(self, body)

    return write


def _one_key(original: Any) -> Any:
    """A key once, and not for each subscription of each sandbox; which one it is, is seen in no answer but itself."""
    make = functools.cache(lambda: original(None))
    return lambda self: make()  # noqa: ARG005 - a method


class _UnusualError(Exception):
    """A document that is left to moto."""


def _document(body: Mapping[str, Any]) -> str:
    if len(body) != 1:
        raise _UnusualError
    ((name, root),) = body.items()
    if type(root) is list:
        raise _UnusualError
    pieces = ['<?xml version="1.0" encoding="utf-8"?>\n']
    _write(name, root, pieces.append)
    return "".join(pieces)


def _write(name: Any, value: Any, put: Callable[[str], None]) -> None:
    """One element, or one for each item of a list, as xmltodict writes it; _UnusualError where that is subtle."""
    if not (isinstance(name, str) and name.isalnum()):
        raise _UnusualError
    kind = type(value)
    if kind is list:
        for item in value:
            if type(item) is list:
                raise _UnusualError
            _write(name, item, put)
    elif kind is dict:
        _write_structure(name, value, put)
    elif value is None or value == "":
        put(f"<{name}/>")
    elif kind is str:
        put(f"<{name}>{escape(value)}</{name}>")
    elif kind is bool:
        put(f"<{name}>{'true' if value else 'false'}</{name}>")
    elif kind is int or kind is float:
        put(f"<{name}>{value}</{name}>")
    else:
        raise _UnusualError


def _write_structure(name: str, members: Mapping[str, Any], put: Callable[[str], None]) -> None:
    attributes = ""
    children = []
    for key, value in members.items():
        if key == "@xmlns" and type(value) is str:
            attributes = f" xmlns={quoteattr(value)}"
        elif type(value) is not list or value:
            children.append((key, value))
    if not children:
        put(f"<{name}{attributes}/>")
        return
    put(f"<{name}{attributes}>")
    for key, value in children:
        _write(key, value, put)
    put(f"</{name}>")


CORRECTIONS = (
    Correction(TaggedEC2Resource, "get_tags", _tags_by_id, "searched the tags of everything: quadratic in instances"),
    Correction(moto_responses, "method_names_from_class", functools.cache, "reflects on 900 methods in every request"),
    Correction(moto_responses, "camelcase_to_underscores", functools.cache, "spells the same names letter by letter"),
    Correction(sqs_models, "camelcase_to_underscores", functools.cache, "spells the same names letter by letter"),
    Correction(
        moto_backends, "list_of_moto_modules", _listed_once, "reads a directory of 180 entries in every request"
    ),
    Correction(
        DomainDispatcherApplication,
        "get_backend_for_host",
        functools.lru_cache(maxsize=256),
        "matches the host with patterns of 180 services in every request",
    ),
    Correction(Subscription, "private_key", _one_key, "0.2 s for the key that signs a subscription's messages"),
    Correction(AmiBackend, "_load_amis", _no_images, "0.1 s a reset for 1,285 images that nobody asks for"),
    Correction(AttributePicker, "__call__", _by_names_known, "tries a dozen names for every member of every object"),
    Correction(EC2Serializer, "_serialize_body", _written_directly, "takes 0.05 ms for each element of an answer"),
)
