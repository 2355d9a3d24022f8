"""Which files of a Chalice zip the functions need at run time, and which they do without.

Chalice packs everything that requirements.txt locks, and has no exclusion list. A top-level entry that is in neither
table stops the packaging: somebody has to say whether a new dependency is needed. A file that is wrongly left out is
found by `tools.check_imports`. How files are read and written is not decided here.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePosixPath

KEPT = {
    "app.py": "the handlers",
    "chalice": "the runtime part of Chalice",
    "chalicelib": "ours",
    "aws_lambda_powertools": "logging, metrics, batches",
    "jmespath": "aws_lambda_powertools",
    "pydantic": "the fleet file's model",
    "pydantic_core": "pydantic",
    "annotated_types": "pydantic",
    "typing_extensions.py": "pydantic, aws_lambda_powertools, kubernetes",
    "typing_inspection": "pydantic",
    "yaml": "the fleet file",
    "kubernetes": "the cluster's API; only the files named below",
    "urllib3": "kubernetes, OCM",
    "certifi": "the public certificate authorities",
    "tzdata": "the time zones of maintenance windows",
}
"""Top-level entries of the zip, and who needs them."""

DROPPED = {
    "_yaml": "an old name of yaml._yaml",
    "aiohappyeyeballs": "aiohttp",
    "aiohttp": "kubernetes.aio",
    "aiohttp_retry": "kubernetes.aio",
    "aiosignal": "aiohttp",
    "attr": "aiohttp",
    "attrs": "aiohttp",
    "boto3": "in the Lambda runtime",
    "botocore": "in the Lambda runtime",
    "charset_normalizer": "requests",
    "dateutil": "kubernetes' typed client; botocore's is in the Lambda runtime",
    "durationpy": "kubernetes.utils",
    "frozenlist": "aiohttp",
    "idna": "requests, aiohttp",
    "multidict": "aiohttp",
    "oauthlib": "kubernetes.config",
    "propcache": "aiohttp",
    "requests": "kubernetes.config",
    "requests_oauthlib": "kubernetes.config",
    "s3transfer": "in the Lambda runtime",
    "six.py": "dateutil",
    "websocket": "kubernetes.stream",
    "yarl": "aiohttp",
}
"""Top-level entries that go, and for whom or why they came."""

KUBERNETES = frozenset(
    {
        "kubernetes/client/configuration.py",
        "kubernetes/client/exceptions.py",
        "kubernetes/client/rest.py",
        "kubernetes/utils/_retry_base.py",
        "kubernetes/utils/keepalive.py",
        "kubernetes/utils/retry.py",
    }
)
"""HTTP, TLS and errors of the official client. Its models and API classes are 76 MB and slow to import."""

EMPTIED = frozenset({"kubernetes/__init__.py", "kubernetes/client/__init__.py", "kubernetes/utils/__init__.py"})
"""Package files that stay without content: as shipped they import the whole client."""

DROPPED_WITHIN = (
    "*/__pycache__/*",  # Chalice takes what lies in chalicelib; the right ones are made afterwards
    "*.pyi",
    "*/py.typed",
    "aws_lambda_powertools/event_handler/*",  # a second router, with a web page's scripts
    "pydantic/v1/*",
    "pydantic/mypy.py",
    "pydantic/_hypothesis_plugin.py",
)
"""Patterns of files that go from entries that stay."""


class UnknownFileError(Exception):
    """The zip holds a top-level entry that neither table names; the message says which."""


def is_needed(path: str) -> bool:
    """Say whether the file at *path* inside the zip stays.

    Raises:
        UnknownFileError: Nobody has decided about its top-level entry.
    """
    top = PurePosixPath(path).parts[0]
    if top.endswith((".dist-info", ".data")) or top in DROPPED:
        return False
    if top not in KEPT:
        raise UnknownFileError(f"{top}: say in tools/runtime_files.py whether the functions need it")
    if top == "kubernetes":
        return path in KUBERNETES or path in EMPTIED
    return not any(fnmatchcase(path, pattern) for pattern in DROPPED_WITHIN)
