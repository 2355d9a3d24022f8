"""Credential: the token of a cluster's API is replaced by a new one before it ends, a step of each visit.

The present token asks for the next (TokenRequest), the next proves itself by one read, and only then takes the present
one's place in its secret. Whatever fails on the way leaves the present one where it is, and the next visit tries again:
there is half a token's life of visits for that.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chalicelib.adapters.errors import AdapterError
from chalicelib.domain.drift.credential import SHORTEST_LIFE, TokenClaims, ending_finding, read_claims
from chalicelib.domain.findings import Finding
from chalicelib.usecases.ports import ClusterToken


def keep_token(token: ClusterToken, now: datetime, *, may_write: bool) -> tuple[Finding, ...]:
    """Renew the token where that is due; return the finding that it ends, if it could not be renewed.

    Args:
        may_write: False in mode observe: then a token is not renewed, only told of when it nears its end.

    A token without an end needs nothing. One that cannot be read is left to the sections that need it, which say so.
    Raises nothing for outside trouble.
    """
    try:
        claims = read_claims(token.read())
    except AdapterError:
        return ()
    if claims is None or not claims.renewal_due(now):
        return ()
    hindrance = _hindrance(token, claims, may_write=may_write)
    if hindrance:
        return (ending_finding(token.where, claims, hindrance, now),) if claims.nearly_over(now) else ()
    try:
        _renew(token, now)
    except AdapterError as error:
        found = ending_finding(token.where, claims, str(error), now)
        return (replace(found, remedy="the next visit tries again"),)
    return ()


def days_left(token: ClusterToken, now: datetime) -> float | None:
    """Days until the token ends; None where it has no end, or could not be read."""
    try:
        claims = read_claims(token.read())
    except AdapterError:
        return None
    return None if claims is None else (claims.expires_at - now).total_seconds() / 86_400


def _hindrance(token: ClusterToken, claims: TokenClaims, *, may_write: bool) -> str:
    """Why this token is not ours to renew; empty where it is."""
    if not token.storable:
        return "only tokens kept in Secrets Manager are renewed"
    if claims.account is None:
        return "it is not the token of a service account"
    return "" if may_write else "mode observe changes nothing"


def _renew(token: ClusterToken, now: datetime) -> None:
    """The next token into the place of the present one. Raises AdapterError where that failed."""
    # Read anew: a person, or a visit whose write succeeded without an answer, may have renewed it already.
    claims = read_claims(token.read(fresh=True))
    if claims is None or claims.account is None or not claims.renewal_due(now):
        return
    issued = token.request(claims.account, max(claims.life, SHORTEST_LIFE), now)
    token.store(issued)
