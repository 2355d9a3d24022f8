"""The token of a cluster: renewed at half of its life, kept when that fails, and told of when it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.adapters.errors import Denied, Unreachable
from chalicelib.domain.findings import Finding, Kind, Severity
from chalicelib.domain.spec import Mode
from chalicelib.usecases.credential import keep_token
from tests.tokens import DAY, ISSUED, FakeToken, token_text
from tests.worlds import World


def keep(token: FakeToken, day: float, *, may_write: bool = True) -> tuple[Finding, ...]:
    return keep_token(token, ISSUED + day * DAY, may_write=may_write)


def test_nothing_is_asked_before_half_of_its_life() -> None:
    """A visit a minute must not cost a request a minute."""
    token = FakeToken(token_text(100))
    assert keep(token, 49) == ()
    assert token.calls == []


def test_it_is_renewed_at_half_of_its_life_for_as_long_again() -> None:
    """The new token takes the old one's place, and then there is nothing to do for half of its life."""
    token = FakeToken(token_text(100))
    assert keep(token, 60) == ()
    assert token.calls == ["request", "store"]
    assert token.asked_for == 100 * DAY
    assert keep(token, 100) == ()
    assert token.calls == ["request", "store"]


def test_a_lost_write_is_made_up_for_by_the_next_visit() -> None:
    """The old token goes on, people hear of it only if it stays so."""
    token = FakeToken(token_text(100))
    token.errors["store"] = Unreachable("Secrets Manager", "PutSecretValue", "503")
    (finding,) = keep(token, 60)
    assert (finding.kind, finding.severity, finding.settles) == (Kind.CREDENTIAL_ENDING, Severity.WARNING, True)
    assert "503" in finding.summary
    assert token.stored == token_text(100)
    token.errors.clear()
    assert keep(token, 60.1) == ()
    assert token.stored != token_text(100)


def test_a_write_whose_answer_was_lost_is_found_again() -> None:
    """It is in the secret: no second token is asked for."""
    token = FakeToken(token_text(100))
    token.stored = token_text(100, from_day=60)
    assert keep(token, 61) == ()
    assert token.calls == []
    assert token.kept == token.stored


def test_a_refusal_is_a_warning_and_on_the_last_day_critical() -> None:
    """There is half a token's life to do something about it."""
    token = FakeToken(token_text(100))
    token.errors["request"] = Denied("cluster API", "request token", "403: forbidden")
    assert [found.severity for found in keep(token, 60)] == [Severity.WARNING]
    assert [found.severity for found in keep(token, 99.5)] == [Severity.CRITICAL]
    assert token.calls == ["request", "request"]


@pytest.mark.parametrize(
    ("token", "may_write", "why"),
    [
        (FakeToken(token_text(100), storable=False), True, "only tokens kept in Secrets Manager are renewed"),
        (FakeToken(token_text(100, subject="alice")), True, "not the token of a service account"),
        (FakeToken(token_text(100)), False, "mode observe changes nothing"),
    ],
    ids=["file", "person", "observe"],
)
def test_what_is_not_ours_to_renew_is_told_of_late(token: FakeToken, may_write: bool, why: str) -> None:
    """Somebody else may renew it in time; from three quarters of its life on that is in doubt. Nothing is called."""
    assert keep(token, 60, may_write=may_write) == ()
    (finding,) = keep(token, 80, may_write=may_write)
    assert why in finding.summary
    assert token.calls == []


def test_tokens_without_an_end_and_unreadable_ones_are_left_alone() -> None:
    """The first need nothing; of the second the sections that need them say enough."""
    assert keep(FakeToken("sha256~abc"), 1000) == ()
    token = FakeToken(token_text(100))
    token.errors["read"] = Denied("Secrets Manager", "GetSecretValue", "denied")
    assert keep(token, 99) == ()


def test_a_visit_renews_before_anything_else_and_tells_the_end() -> None:
    """As part of a visit, also of one that cannot see anything any more."""
    world = World()
    world.clock.now = ISSUED + 99.5 * DAY
    world.token = FakeToken(token_text(100))
    world.token.errors["request"] = Denied("cluster API", "request token", "403: forbidden")
    outcome = world.visit()
    assert outcome.findings[0].kind is Kind.CREDENTIAL_ENDING
    world.clock.advance(61)
    world.visit()
    assert [alert.attributes["kind"] for alert in world.alerts.sent][-1:] == ["credential-ending"]
    world.desired = replace(world.desired, mode=Mode.OBSERVE)
    world.token.errors.clear()
    world.visit()
    assert world.token.stored == token_text(100)
    world.desired = replace(world.desired, mode=Mode.ENFORCE)
    assert Kind.CREDENTIAL_ENDING not in {finding.kind for finding in world.visit().findings}
    assert world.token.stored != token_text(100)
