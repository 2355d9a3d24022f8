"""EC2's answers to reads, kept for as long as nothing happens that could change one.

Describing is most of what moto does on a day of the sandbox, and most of what is described is as it was a second ago.
Whatever may touch EC2 lets everything go: a request that is no read, of EC2 or of a service that is not known to leave
it alone, and each step in an instance's life. Faults, budgets and logs of calls are the door's and not affected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.aws.wire import Environ, Incoming

ELSEWHERE = frozenset({"dynamodb", "events", "logs", "s3", "secretsmanager", "sns", "sqs", "sts"})
"""Services, by their signing names, whose requests change nothing on EC2."""

READS = ("Describe", "Get")
MOST = 256

_SIGNATURE = re.compile(r"Credential=([^/]*)/[^/]*/([^/]*)/")


@dataclass(frozen=True, slots=True)
class Kept:
    """One answer, as it goes to the WSGI server."""

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class KeptAnswers:
    """What EC2 said, by what was asked, where and by whose key. Not thread-safe; its owner's lock is."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], Kept] = {}

    def let_go(self) -> None:
        """Something has changed."""
        self._kept.clear()

    def about(self, request: Incoming) -> None:
        """*request* is about to be carried out."""
        if request.service not in ELSEWHERE and not _is_read(request):
            self.let_go()

    def find(self, request: Incoming, environ: Environ) -> Kept | None:
        """The answer that this request would get, if it is known."""
        return self._kept.get(_key(request, environ)) if _is_read(request) else None

    def keep(self, request: Incoming, environ: Environ, answer: Kept) -> None:
        """Remember the answer to a read that succeeded."""
        if _is_read(request) and answer.status.startswith("200"):
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[_key(request, environ)] = answer


def _is_read(request: Incoming) -> bool:
    return request.service == "ec2" and request.operation.startswith(READS)


def _key(request: Incoming, environ: Environ) -> tuple[str, ...]:
    signature = _SIGNATURE.search(environ.get("HTTP_AUTHORIZATION", ""))
    by = signature.groups() if signature else ()
    path = f"{environ.get('HTTP_HOST', '')}{environ.get('PATH_INFO', '')}?{environ.get('QUERY_STRING', '')}"
    return (path, request.body.decode("latin-1"), *by)
