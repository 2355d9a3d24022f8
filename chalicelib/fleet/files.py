"""Files that the fleet file names: found relative to it, and for certificates read.

Belongs here: paths and PEM. Does not belong here: reading secrets, which is done when they are needed, and again when
they were rotated (`adapters.secrets`).
"""

from __future__ import annotations

import binascii
import re
from pathlib import Path

from chalicelib.fleet.forms import MAX_BYTES, NONE, is_path_or_pem, is_pem
from chalicelib.fleet.rules import EACH, Found, select

AUTHORITIES = (("defaults", "api", "ca"), ("clusters", EACH, "api", "ca"))
SECRETS = (
    ("defaults", "ocm", "credentials"),
    ("clusters", EACH, "ocm", "credentials"),
    ("clusters", EACH, "api", "token"),
)
"""Where in the fleet file files may be named."""

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\s([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


class Unusable(Exception):
    """A file or its content can't be used; the message says why and what is allowed, and shows no content."""


class Files:
    """Looks files up from where the fleet file is.

    Args:
        base: Folder of the fleet file; None where it came from S3: then only absolute paths lead somewhere.
    """

    def __init__(self, base: Path | None) -> None:
        self._base = base
        self._read: dict[str, str] = {}

    def locate(self, path: str) -> Path:
        """The path of a file that the fleet file names, absolute if the fleet file's own is.

        Raises:
            Unusable: A relative path, and nothing it could be relative to.
        """
        if self._base is None and not Path(path).is_absolute():
            raise Unusable("is a relative path in a fleet file that is not on disk: allowed is an absolute path")
        return (self._base or Path()) / path

    def authorities(self, value: str | None) -> str | None:
        """The PEM text that *value* is, or is the path of; None for nothing and for `none`.

        Raises:
            Unusable: The file can't be read, or there is not a single certificate in it.
        """
        if value is None or value == NONE:
            return None
        if value not in self._read:
            self._read[value] = _certificates(value if is_pem(value) else self._text(value))
        return self._read[value]

    def _text(self, path: str) -> str:
        file = self.locate(path)
        try:
            return read_text(file)
        except OSError as error:
            raise Unusable(f"is a file that can't be read ({error.strerror}): allowed is a PEM file") from error
        except ValueError:
            raise Unusable("is no PEM file: allowed is text of at most 1 MiB with certificates") from None


def read_text(path: Path) -> str:
    """The text of a file, at most 1 MiB of it: what is named may be a device without an end.

    Raises:
        OSError: It can't be read.
        ValueError: It is larger, or no UTF-8.
    """
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes")
    return content.decode()


def unusable_files(values: object, files: Files) -> Found:
    """Every file that the fleet file names in vain: the field's path, and what is wrong with the file."""
    for pattern in AUTHORITIES:
        for path, value in select(values, pattern):
            if isinstance(value, str) and value and is_path_or_pem(value):
                try:
                    files.authorities(value)
                except Unusable as error:
                    yield path, f"{'value' if is_pem(value) else _file(value)} {error}"
    for pattern in SECRETS:
        for path, value in select(values, pattern):
            if isinstance(value, str) and value.startswith("file:"):
                try:
                    files.locate(value.removeprefix("file:"))
                except Unusable as error:
                    yield path, f"{_file(value)} {error}"


def _file(path: str) -> str:
    return f"value {path[:100]!r}"


def _certificates(text: str) -> str:
    if "PRIVATE KEY" in text:
        raise Unusable("holds a private key: allowed are certificates only")
    bodies = CERTIFICATE.findall(text)
    if not bodies or len(bodies) != text.count("-----BEGIN "):
        raise Unusable("holds no certificate, or something else besides: allowed are CERTIFICATE blocks, each whole")
    try:
        for body in bodies:
            binascii.a2b_base64("".join(body.split()), strict_mode=True)
    except binascii.Error:
        raise Unusable("holds a certificate that is damaged: allowed is base64 between BEGIN and END") from None
    return text
