"""What a token says of its end, when the next one is due, and what people read."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.drift.credential import IssuedToken, ServiceAccount, TokenClaims, ending_finding, read_claims
from chalicelib.domain.findings import Severity
from tests.tokens import ACCOUNT, ISSUED, jwt


def claims(days: float = 100) -> TokenClaims:
    account = ServiceAccount("egress-keeper", "egress-keeper")
    return TokenClaims(account, ISSUED, ISSUED + timedelta(days=days))


def test_a_service_account_token_names_account_and_end() -> None:
    """Seconds since the epoch, as every JWT has them."""
    start = int(ISSUED.timestamp())
    assert read_claims(jwt({"sub": ACCOUNT, "iat": start, "exp": start + 100 * 86400})) == claims()


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("sha256~abc", id="OpenShift's own tokens"),
        pytest.param(jwt({"sub": ACCOUNT, "iat": 1}), id="a long-lived Secret's token"),
        pytest.param("a.b.c", id="no base64"),
        pytest.param(jwt([1]), id="no claims"),
        pytest.param(jwt({"exp": "soon"}), id="no number"),
        pytest.param(jwt({"exp": 1e300}), id="beyond all time"),
    ],
)
def test_a_token_without_an_end_needs_nothing(token: str) -> None:
    """Whatever says nothing of its end is left alone."""
    assert read_claims(token) is None


@pytest.mark.parametrize("subject", ["alice", "system:serviceaccount:", "system:serviceaccount:only", None, 7])
def test_the_end_of_somebody_elses_token_is_known_all_the_same(subject: object) -> None:
    """It cannot be renewed, and people hear of it."""
    found = read_claims(jwt({"sub": subject, "iat": 1, "exp": 2}))
    assert found is not None
    assert found.account is None


@given(st.text(max_size=60), st.binary(max_size=60))
def test_any_text_is_read_without_an_error(text: str, content: bytes) -> None:
    """A secret may hold anything."""
    read_claims(text)
    read_claims(f"a.{base64.urlsafe_b64encode(content).decode()}.c")


def test_half_of_its_life_is_for_attempts() -> None:
    """Due from the middle on, late from three quarters on."""
    moments = {days: ISSUED + timedelta(days=days) for days in (49.9, 50, 74.9, 75, 101)}
    assert [claims().renewal_due(now) for now in moments.values()] == [False, True, True, True, True]
    assert [claims().nearly_over(now) for now in moments.values()] == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("days", "severity", "words"),
    [
        (60, Severity.WARNING, "ends on 2026-04-11 00:00 UTC"),
        (99.5, Severity.CRITICAL, "ends on"),
        (101, Severity.CRITICAL, "ended on"),
    ],
)
def test_the_last_day_is_critical(days: float, severity: Severity, words: str) -> None:
    """Without a token the cluster is out of sight; one day is what a person may need."""
    finding = ending_finding("secret keeper/prod", claims(), "403: forbidden", ISSUED + timedelta(days=days))
    assert (finding.severity, finding.subject) == (severity, "token in secret keeper/prod")
    assert words in finding.summary
    assert "403: forbidden" in finding.summary


def test_an_issued_token_never_shows_itself() -> None:
    """Values end up in logs and tracebacks."""
    assert "hunter2" not in repr(IssuedToken("hunter2", ISSUED))


def test_a_token_in_a_secret_is_replaced_by_commands_to_paste() -> None:
    """Where it is somewhere else, only the token is made: who keeps it there knows how."""
    lines = ending_finding("secret keeper/prod", claims(), "refused", ISSUED).todo.split("\n")
    assert [line.split()[0] for line in lines[1:]] == ["oc", "aws", "rm"]
    assert "--secret-id keeper/prod " in lines[2]
    elsewhere = ending_finding("environment variable TOKEN", claims(), "refused", ISSUED).todo.split("\n")
    assert [line.split()[0] for line in elsewhere[1:]] == ["oc"]
    assert "put a new token into environment variable TOKEN" in elsewhere[0]
