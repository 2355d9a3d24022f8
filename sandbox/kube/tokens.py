"""Who is calling: bearer tokens given at start, and those service accounts get from the TokenRequest API."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.kube.errors import ApiError, Cause, invalid, unauthorized

ISSUER = "https://kubernetes.default.svc"

_EVERYBODY = "kube:admin"
ANONYMOUS = "system:anonymous"
"""Who sends no bearer token: authenticated as nobody in particular, and allowed nothing."""

_GROUP, _KIND = "authentication.k8s.io", "TokenRequest"
_SHORTEST_SECONDS, _DEFAULT_SECONDS = 600, 3600


class Tokens:
    """Bearer tokens and their users.

    Args:
        given: token → user name; None = every caller is let in, as cluster administrator if nothing better is known.
        clock: seconds since the epoch; tokens from TokenRequest expire by it.
    """

    def __init__(self, given: Mapping[str, str] | None, clock: Callable[[], float]) -> None:
        self._given = None if given is None else dict(given)
        self._clock = clock
        self._issued: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def user_of(self, authorization: str) -> str:
        """The user behind an ``Authorization`` header: `ANONYMOUS` where it holds no token.

        Raises:
            ApiError: 401 for a token that is unknown, revoked or expired.
        """
        scheme, _, token = authorization.partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        with self._lock:
            user, expires = self._issued.get(token, ("", 0.0))
            if user and self._clock() < expires:
                return user
            if self._given is None and not user:
                return _EVERYBODY
            if self._given is not None and not token:
                return ANONYMOUS
            if self._given is not None and token in self._given:
                return self._given[token]
        raise unauthorized()

    def grant(self, token: str, user: str) -> None:
        """Let *token* stand for *user* from now on."""
        with self._lock:
            self._given = {**(self._given or {}), token: user}

    def revoke(self, token: str) -> None:
        """Let *token* stand for nobody from now on."""
        with self._lock:
            if self._given is not None:
                self._given.pop(token, None)
            if token in self._issued:
                self._issued[token] = (self._issued[token][0], 0.0)

    def request(self, namespace: str, name: str, uid: str, body: Mapping[str, Any], manager: str) -> dict[str, Any]:
        """Answer a TokenRequest for one service account; the token is a JWT in form, with a signature nobody can
        check.
        """
        spec = dict(body.get("spec") or {})
        seconds = _seconds(spec.get("expirationSeconds"))
        audiences = list(spec.get("audiences") or [ISSUER])
        now = self._clock()
        user = f"system:serviceaccount:{namespace}:{name}"
        claims = {
            "aud": audiences,
            "exp": int(now) + seconds,
            "iat": int(now),
            "iss": ISSUER,
            "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}},
            "nbf": int(now),
            "sub": user,
        }
        header = {"alg": "RS256", "kid": "sandbox"}
        token = ".".join((_part(header), _part(claims), secrets.token_urlsafe(256)))
        with self._lock:
            self._issued[token] = (user, now + seconds)
        fields: dict[str, Any] = {"f:expirationSeconds": {}, **({"f:audiences": {}} if spec.get("audiences") else {})}
        return {
            "kind": _KIND,
            "apiVersion": f"{_GROUP}/v1",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": uid,
                "creationTimestamp": _stamp(now),
                "managedFields": [
                    {
                        "manager": manager,
                        "operation": "Update",
                        "apiVersion": f"{_GROUP}/v1",
                        "time": _stamp(now),
                        "fieldsType": "FieldsV1",
                        "fieldsV1": {"f:spec": fields},
                        "subresource": "token",
                    }
                ],
            },
            "spec": {
                "audiences": audiences,
                "expirationSeconds": seconds,
                "boundObjectRef": spec.get("boundObjectRef"),
            },
            "status": {"token": token, "expirationTimestamp": _stamp(now + seconds)},
        }


def _seconds(asked: Any) -> int:
    seconds = _DEFAULT_SECONDS if asked is None else int(asked)
    if seconds < _SHORTEST_SECONDS:
        raise _too_short(seconds)
    return seconds


def _too_short(seconds: int) -> ApiError:
    text = f"Invalid value: {seconds}: may not specify a duration less than 10 minutes"
    return invalid(_GROUP, _KIND, "", [Cause("FieldValueInvalid", text, "spec.expirationSeconds")])


def _part(claims: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims, separators=(",", ":")).encode()).decode().rstrip("=")


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
