"""Secrets by reference: from a file, an environment variable or AWS Secrets Manager, kept for five minutes at most.

Belongs here: finding and keeping them, and replacing a token in Secrets Manager. Does not belong here: what they are
used for. No message names a value.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from chalicelib.adapters.aws import Aws
from chalicelib.adapters.errors import AdapterError, Denied, NotFound, Rejected, Unreachable
from chalicelib.domain.spec import SecretRef

IAM_ACTIONS = frozenset({"secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"})

KEEP_SECONDS = 300.0
"""A rotated secret is noticed at the latest after this; at once when the old one is refused (`force`)."""


class TokenSource(Protocol):
    """Something that gives a current token."""

    def __call__(self, *, force: bool = False) -> str:
        """The token; with *force*, one read anew, because the last was refused."""
        ...


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A service account's id and secret. `place` says where they are kept, for messages; the secret is not shown."""

    client_id: str
    client_secret: str = field(repr=False)
    place: str


class CredentialSource(Protocol):
    """Something that gives current client credentials."""

    def __call__(self, *, force: bool = False) -> ClientCredentials:
        """The credentials; with *force*, those read anew, because the last were refused."""
        ...


class Secrets:
    """Reads secrets and keeps them for a while.

    Args:
        aws: Where Secrets Manager is asked: the account and Region of the functions, not of a cluster.
        environment: For references to variables.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        aws: Aws,
        *,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._aws = aws
        self._environment = environment
        self._clock = clock
        self._kept: dict[SecretRef, tuple[float, str]] = {}

    def token_source(self, ref: SecretRef) -> TokenSource:
        """A callable that gives the token under *ref*; nothing is read before it is called."""

        def token(*, force: bool = False) -> str:
            return self.token(ref, force=force)

        return token

    def token(self, ref: SecretRef, *, force: bool = False) -> str:
        """The token under *ref*: the whole text, or the value of `token` where the text is a JSON object.

        Raises:
            Rejected: No such key in the JSON object, or the value can't be a token (empty, blanks, not ASCII).
        """
        text = self.text(ref, force=force).strip()
        if text.startswith("{"):
            text = _member(ref, text, "token").strip()
        if not is_word(text):
            raise Rejected("secrets", "read", f"{describe(ref)} does not hold a token")
        return text

    def credential_source(self, ref: SecretRef) -> CredentialSource:
        """A callable that gives the credentials under *ref*; nothing is read before it is called."""

        def credentials(*, force: bool = False) -> ClientCredentials:
            return self.credentials(ref, force=force)

        return credentials

    def credentials(self, ref: SecretRef, *, force: bool = False) -> ClientCredentials:
        """The client id and secret under *ref*: a JSON object with the texts `client_id` and `client_secret`.

        Raises:
            Rejected: It is no such object, or one of the two can't be part of a header (empty, blanks, not ASCII).
        """
        text = self.text(ref, force=force).strip()
        found = {}
        for key in ("client_id", "client_secret"):
            value = _member(ref, text, key)
            if not is_word(value):
                raise Rejected("secrets", "read", f"{key} in {describe(ref)} is empty, or has blanks or no ASCII in it")
            found[key] = value
        if ":" in found["client_id"]:  # where HTTP's Basic authentication ends the name
            raise Rejected("secrets", "read", f"client_id in {describe(ref)} has a colon in it")
        return ClientCredentials(**found, place=describe(ref))

    def text(self, ref: SecretRef, *, force: bool = False) -> str:
        """The secret as it is stored, read at most five minutes ago; read now with *force*.

        Raises:
            NotFound: There is no such file, variable or secret.
            Denied: It may not be read.
            Rejected: It is binary, or the reference names not exactly one place.
        """
        now = self._clock()
        kept = self._kept.get(ref)
        if kept and not force and now - kept[0] < KEEP_SECONDS:
            return kept[1]
        text = self._read(ref)
        self._kept[ref] = (now, text)
        return text

    def store_token(self, ref: SecretRef, token: str) -> None:
        """Replace the token under *ref*, which must be in Secrets Manager, and leave everything else of it as it is.

        Secrets Manager knows no conditional write: read anew (`text` with *force*) just before.

        Raises:
            Denied: The secret may not be written.
            Rejected: It is not in Secrets Manager, or what is there holds no token.
        """
        if ref.secret_id is None:
            raise Rejected("secrets", "write", f"{describe(ref)} is not in Secrets Manager")
        text = _replaced(ref, self.text(ref), token)
        self._call(ref, "PutSecretValue", SecretId=ref.secret_id, SecretString=text)
        self._kept[ref] = (self._clock(), text)

    def _read(self, ref: SecretRef) -> str:
        match (ref.file, ref.env, ref.secret_id):
            case (str(path), None, None):
                return _read_file(ref, path)
            case (None, str(name), None):
                if name not in self._environment:
                    raise NotFound("secrets", "read", f"{describe(ref)} is not set")
                return self._environment[name]
            case (None, None, str(secret_id)):
                answer = self._call(ref, "GetSecretValue", SecretId=secret_id)
                if "SecretBinary" in answer:
                    raise Rejected("Secrets Manager", "GetSecretValue", f"{describe(ref)} is binary, not text")
                if "SecretString" not in answer:
                    raise Unreachable(
                        "Secrets Manager", "GetSecretValue", f"{describe(ref)}: the answer holds no value"
                    )
                return str(answer["SecretString"])
            case _:
                raise Rejected("secrets", "read", "a secret reference must name one of file, env and secret_id")

    def _call(self, ref: SecretRef, operation: str, **parameters: str) -> dict[str, Any]:
        try:
            return self._aws.call("secretsmanager", operation, **parameters)
        except AdapterError as error:  # AWS's own messages do not say which secret
            raise type(error)(error.source, error.operation, f"{describe(ref)}: {error.detail}") from error


def describe(ref: SecretRef) -> str:
    """The reference in words, for messages."""
    if ref.file is not None:
        return f"file {ref.file}"
    if ref.env is not None:
        return f"environment variable {ref.env}"
    return f"secret {ref.secret_id}"


def is_word(text: str) -> bool:
    """Whether it may become part of an HTTP header: a line break in it would become a header of its own."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _read_file(ref: SecretRef, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound("secrets", "read", f"{describe(ref)} does not exist") from error
    except PermissionError as error:
        raise Denied("secrets", "read", f"{describe(ref)} may not be read") from error
    except OSError as error:
        raise Rejected("secrets", "read", f"{describe(ref)}: {error.strerror}") from error
    except UnicodeDecodeError:
        # Without the cause: it carries the bytes it could not decode.
        raise Rejected("secrets", "read", f"{describe(ref)} is not UTF-8 text") from None


def _member(ref: SecretRef, text: str, key: str) -> str:
    try:
        value = json.loads(text)[key]
    except (ValueError, KeyError, TypeError):
        value = None
    if not isinstance(value, str):
        # Without the cause: its text would quote the secret.
        raise Rejected("secrets", "read", f"{describe(ref)} is not a JSON object with a text under {key!r}")
    return value


def _replaced(ref: SecretRef, text: str, token: str) -> str:
    """*text* with another token, in its own form: a JSON object keeps its other members, plain text its blanks."""
    if text.lstrip().startswith("{"):
        _member(ref, text, "token")
        indent = 2 if "\n" in text.strip() else None
        return json.dumps({**json.loads(text), "token": token}, indent=indent, ensure_ascii=False)
    return text[: len(text) - len(text.lstrip())] + token + text[len(text.rstrip()) :]
