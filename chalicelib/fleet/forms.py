"""Forms of single values in the fleet file, each with the sentence that says what is allowed.

The patterns are written in what regular expressions of Rust (pydantic), ECMAScript (JSON Schema) and Python share, so
that an editor's schema check and ours cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from chalicelib import events
from chalicelib.domain.findings import Kind

Condition: TypeAlias = Callable[[str], bool]

MAX_BYTES = 1 << 20
"""Of the whole file: 200 clusters of 20 policies are about half of it."""

LABEL = f"^{events.CLUSTER.pattern}$"
SAY_LABEL = "allowed are 1 to 63 lower-case letters, digits and hyphens, no hyphen first or last"

REGION = f"^{events.REGION.pattern}$"
SAY_REGION = "allowed is an AWS Region such as eu-central-1"

NONE = "none"
"""Instead of a value: the default does not apply here. A word, since an empty value is easily left by mistake."""

ROLE_ARN = f"^({NONE}|arn:aws[a-z-]*:iam::[0-9]{{12}}:role/[A-Za-z0-9+=,.@_/-]{{1,512}})$"
SAY_ROLE_ARN = "allowed is a role such as arn:aws:iam::123456789012:role/egress-keeper, or none"

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_HOST = r"([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
_LOOPBACK = rf"(localhost|127(\.{_OCTET}){{3}}|\[::1\])"
_SERVER = f"(https://{_HOST}|http://{_LOOPBACK})(:{_PORT})?"

API_URL = f"^{_SERVER}/?$"
SAY_API_URL = "allowed is https://HOST or https://HOST:PORT, without path, user or password; http:// on loopback only"
URL = f"^{_SERVER}(/[A-Za-z0-9._~%-]*)*$"
SAY_URL = "allowed is https://HOST[:PORT][/PATH], without user, password, query or fragment; http:// on loopback only"

_SECRET_NAME = "[A-Za-z0-9/_+=.@-]{1,512}"  # noqa: S105 - a pattern
_SECRET_ARN = f"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{{12}}:secret:{_SECRET_NAME}"
PLACE = f"^(secretsmanager:({_SECRET_NAME}|{_SECRET_ARN})|env:[A-Za-z_][A-Za-z0-9_]*|file:[^\\x00-\\x1f\\x7f]+)$"
SAY_PLACE = "allowed is the place where the secret is kept: secretsmanager:NAME (or its ARN), file:PATH or env:NAME"

PEM_BEGIN = "-----BEGIN "
SAY_AUTHORITIES = "allowed is PEM text that begins with -----BEGIN CERTIFICATE-----, the path of such a file, or none"

OCM_CLUSTER = "^[A-Za-z0-9_-]{1,63}$"
SAY_OCM_CLUSTER = "allowed is the cluster's id in OCM: letters, digits, hyphens and underscores"
OCM_ID = "^[a-z0-9]{32}$"

POOL = "^([a-z]([-a-z0-9]{0,61}[a-z0-9])?|Default)$"
SAY_POOL = "allowed is a machine pool's id: lower-case letters, digits and hyphens, a letter first (or Default)"

INSTANCE_TYPE = "^[a-z][a-z0-9-]{0,30}\\.[a-z0-9-]{1,30}$"
SAY_INSTANCE_TYPE = "allowed is an EC2 instance type such as m5.xlarge"

ZONE = "^[a-z]{2}(-[a-z0-9]+)+-[0-9][a-z]$"
SAY_ZONE = "allowed is an Availability Zone such as eu-central-1a"

SUBNET = "^subnet-[0-9a-f]{8,17}$"
SAY_SUBNET = "allowed is the id of a subnet: subnet- and 8 to 17 hexadecimal digits"

MOST_REPLICAS = 500
SAY_REPLICAS = f"allowed is a whole number from 0 to {MOST_REPLICAS}"

_NAME = "[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_SUBDOMAIN = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
LABEL_KEY = f"^({_SUBDOMAIN}/)?{_NAME}$"
SAY_LABEL_KEY = (
    "allowed is a label key: up to 63 letters, digits and - _ . with a letter or digit at both ends, "
    "after a DNS name and a slash if it has a prefix"
)
LABEL_VALUE = f"^({_NAME})?$"
SAY_LABEL_VALUE = (
    "allowed is a label value: up to 63 letters, digits and - _ . with a letter or digit at both ends, or empty"
)

_FIRST_OCTET = "([1-9][0-9]?|1[01][0-9]|12[0-689]|1[3-9][0-9]|2[01][0-9]|22[0-3])"
ADDRESS = rf"^{_FIRST_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}$"
"""Dotted decimal, 1.0.0.0 to 223.255.255.255 without loopback: "010.0.0.1" is 8.0.0.1 to some programs."""
LINK_LOCAL = r"^169\.254\."
SAY_ADDRESS = (
    "allowed is one IPv4 address such as 10.10.100.253: no prefix length, no leading zeros, "
    "not loopback, link-local or multicast"
)


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SAY_DAY = f"allowed is one of {', '.join(DAYS)}"
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"
TIME_OF_DAY = f"^{_CLOCK}$"
DATE_TIME = f"^2[0-9]{{3}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T{_CLOCK}$"
WALL_CLOCK = f"({TIME_OF_DAY}|{DATE_TIME})"
SAY_WALL_CLOCK = (
    'allowed is a date with time such as "2026-03-07T22:00", or with days a time such as "22:00", in quotes'
)
TIME_ZONE = "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$"
SAY_TIME_ZONE = "allowed is a name of the time zone database, such as Europe/Berlin or UTC"
SAY_WHY = "allowed is one line of 1 to 200 characters"
SAY_KIND = "allowed is a kind of finding, such as node-unusable (docs/runbooks)"
SAY_SEVERITY = "allowed is critical or warning"


def is_one_line(text: str) -> bool:
    """Printable, and not blank."""
    return text.isprintable() and bool(text.strip())


def is_on_the_calendar(text: str) -> bool:
    """A day that exists; a time of day always does."""
    try:
        datetime.fromisoformat(text if "T" in text else f"2000-01-01T{text}")
    except ValueError:
        return False
    return True


def is_time_zone(name: str) -> bool:
    """A zone that the time zone database has."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def is_kind(name: str) -> bool:
    """A kind of finding."""
    return name in set(Kind)


def is_not_link_local(address: str) -> bool:
    """Not of 169.254.0.0/16, which no subnet can have."""
    return not address.startswith("169.254.")


def is_short_prefix(key: str) -> bool:
    """The prefix of a label key is a DNS name: at most 253 characters."""
    prefix, slash, _ = key.rpartition("/")
    return not slash or len(prefix) <= 253


def is_pem(authorities: str) -> bool:
    """PEM text rather than a path."""
    return PEM_BEGIN in authorities


def is_path_or_pem(authorities: str) -> bool:
    """A certificate, or something that can be a path."""
    if is_pem(authorities):
        return "-----BEGIN CERTIFICATE-----" in authorities
    return authorities.isprintable() and len(authorities) <= 4096
