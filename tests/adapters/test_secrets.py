"""Secrets by reference: where they are found, how long they are kept, and what messages never say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chalicelib.adapters.aws import Aws
from chalicelib.adapters.errors import AdapterError, Denied, NotFound, Rejected, Unreachable
from chalicelib.adapters.secrets import IAM_ACTIONS, Secrets
from chalicelib.domain.spec import SecretRef
from sandbox.aws import AwsSandbox
from sandbox.aws.faults import denied
from tests.adapters.wire import FakeTime, Reply, ScriptedServer

ENVIRONMENT = {"PLAIN": "sha256~abc\n", "JSON": '{"token": " t-1 ", "other": "x"}', "EMPTY": ""}


@pytest.fixture
def secrets(time: FakeTime) -> Secrets:
    return Secrets(Aws(attempts=1), environment=ENVIRONMENT, clock=time.clock)


@pytest.mark.parametrize(("name", "token"), [("PLAIN", "sha256~abc"), ("JSON", "t-1")])
def test_a_token_is_plain_text_or_under_its_key(secrets: Secrets, name: str, token: str) -> None:
    """Both usual ways of storing a token work; blanks around it do not count."""
    assert secrets.token(SecretRef(env=name)) == token


def test_a_file_holds_a_token(secrets: Secrets, tmp_path: Path) -> None:
    """A mounted file, as written with a line break at its end."""
    (tmp_path / "token").write_text("t-2\n")
    assert secrets.token(SecretRef(file=str(tmp_path / "token"))) == "t-2"


def test_the_text_is_given_as_it_is(secrets: Secrets) -> None:
    """Credentials with several members are for their user to take apart."""
    assert json.loads(secrets.text(SecretRef(env="JSON"))) == {"token": " t-1 ", "other": "x"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("", "does not hold a token", id="empty"),
        pytest.param("two words-hunter2", "does not hold a token", id="blank inside"),
        pytest.param("hunter2\r\nX-Header: 1", "does not hold a token", id="a header of its own"),
        pytest.param("hünter2", "does not hold a token", id="not ASCII"),
        pytest.param('{"password": "hunter2"}', "text under 'token'", id="no such key"),
        pytest.param('{"token": {"hunter2": 1}}', "text under 'token'", id="token not a text"),
        pytest.param('{"token": "hunter2"', "text under 'token'", id="broken JSON"),
        pytest.param('{"token": ""}', "does not hold a token", id="empty under the key"),
    ],
)
def test_what_is_not_a_token_is_rejected_without_showing_it(
    secrets: Secrets, tmp_path: Path, content: str, message: str
) -> None:
    """The message names the reference and the rule, and nothing of the value, causes included."""
    path = tmp_path / "token"
    path.write_bytes(content.encode())
    with pytest.raises(Rejected, match=message) as raised:
        secrets.token(SecretRef(file=str(path)))
    assert f"file {path}" in str(raised.value)
    chain = [raised.value, raised.value.__cause__]
    assert "nter2" not in repr(chain)


def test_what_cannot_be_read(secrets: Secrets, tmp_path: Path) -> None:
    """Missing, forbidden, not a file, not text: each is told with the reference."""
    with pytest.raises(NotFound, match="environment variable GONE is not set"):
        secrets.token(SecretRef(env="GONE"))
    with pytest.raises(NotFound, match="gone does not exist"):
        secrets.token(SecretRef(file=str(tmp_path / "gone")))
    with pytest.raises(Rejected, match="Is a directory"):
        secrets.token(SecretRef(file=str(tmp_path)))
    (tmp_path / "binary").write_bytes(b"\xffhunter2")
    with pytest.raises(Rejected, match="is not UTF-8 text") as raised:
        secrets.token(SecretRef(file=str(tmp_path / "binary")))
    assert raised.value.__suppress_context__  # the cause carries the bytes, and a traceback would print them


@pytest.mark.parametrize("ref", [SecretRef(), SecretRef(file="/x", env="PLAIN")])
def test_a_reference_names_one_place(secrets: Secrets, ref: SecretRef) -> None:
    """None or two places is a mistake in the fleet file, not a choice to make."""
    with pytest.raises(Rejected, match="must name one of"):
        secrets.token(ref)


def test_a_secret_is_kept_for_five_minutes(secrets: Secrets, time: FakeTime, tmp_path: Path) -> None:
    """A rotated secret is noticed within five minutes, and at once when the old one was refused."""
    path = tmp_path / "token"
    source = secrets.token_source(SecretRef(file=str(path)))
    path.write_text("old")
    assert source() == "old"
    path.write_text("new")
    time.now += 299
    assert source() == "old"
    assert source(force=True) == "new"
    path.write_text("newest")
    time.now += 299
    assert source() == "new"
    time.now += 1
    assert source() == "newest"


def test_a_source_reads_nothing_before_it_is_asked(secrets: Secrets) -> None:
    """Building the adapters of all clusters must not fail for one that is not visited."""
    secrets.token_source(SecretRef(env="GONE"))


def test_secrets_manager(aws_sandbox: AwsSandbox, secrets: Secrets) -> None:
    """Read once, kept, read anew when forced: by exactly the actions that the policy lists."""
    client = aws_sandbox.client("secretsmanager")
    client.create_secret(Name="keeper/prod", SecretString='{"token": "t-1"}')
    ref = SecretRef(secret_id="keeper/prod")
    assert (secrets.token(ref), secrets.token(ref)) == ("t-1", "t-1")
    client.put_secret_value(SecretId="keeper/prod", SecretString="t-2")
    assert secrets.token(ref) == "t-1"
    aws_sandbox.calls.clear()
    assert secrets.token(ref, force=True) == "t-2"
    secrets.store_token(ref, "t-3")
    assert secrets.token(ref) == "t-3"
    assert {f"secretsmanager:{call.operation}" for call in aws_sandbox.calls.of("secretsmanager")} == IAM_ACTIONS


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("t-1", "t-2"),
        ("t-1\n", "t-2\n"),
        ('{"token": "t-1", "note": "für José"}', '{"token": "t-2", "note": "für José"}'),
        ('{\n  "url": "u",\n  "token": "t-1"\n}', '{\n  "url": "u",\n  "token": "t-2"\n}'),
    ],
)
def test_a_new_token_takes_the_form_of_the_old_one(
    aws_sandbox: AwsSandbox, secrets: Secrets, before: str, after: str
) -> None:
    """Other members, blanks and the file's last line break stay: somebody else may read the secret, too."""
    client = aws_sandbox.client("secretsmanager")
    client.create_secret(Name="keeper/prod", SecretString=before)
    secrets.store_token(SecretRef(secret_id="keeper/prod"), "t-2")
    assert client.get_secret_value(SecretId="keeper/prod")["SecretString"] == after


@pytest.mark.parametrize("held", ['{"password": "hunter2"}', "{hunter2"])
def test_what_holds_no_token_is_not_overwritten(aws_sandbox: AwsSandbox, secrets: Secrets, held: str) -> None:
    """A wrong reference in the fleet file must not cost another secret."""
    client = aws_sandbox.client("secretsmanager")
    client.create_secret(Name="keeper/prod", SecretString=held)
    with pytest.raises(Rejected, match="text under 'token'") as caught:
        secrets.store_token(SecretRef(secret_id="keeper/prod"), "t-2")
    assert "hunter2" not in str(caught.value)
    assert client.get_secret_value(SecretId="keeper/prod")["SecretString"] == held


def test_only_secrets_manager_is_written_to(secrets: Secrets, tmp_path: Path) -> None:
    """Files and variables belong to whoever provides them."""
    path = tmp_path / "token"
    path.write_text("t-1")
    with pytest.raises(Rejected, match="is not in Secrets Manager"):
        secrets.store_token(SecretRef(file=str(path)), "t-2")
    assert path.read_text() == "t-1"


def test_secrets_manager_errors_name_the_secret(aws_sandbox: AwsSandbox, secrets: Secrets) -> None:
    """AWS's message does not say which secret is meant; a fleet has many."""
    with pytest.raises(NotFound, match="secret keeper/gone: ResourceNotFoundException"):
        secrets.token(SecretRef(secret_id="keeper/gone"))
    aws_sandbox.faults.inject("secretsmanager", "GetSecretValue", denied("secretsmanager"))
    with pytest.raises(Denied, match="secret keeper/prod"):
        secrets.token(SecretRef(secret_id="keeper/prod"))


def test_an_answer_without_a_value_is_no_secret(aws_script: ScriptedServer, secrets: Secrets) -> None:
    """A proxy's page is neither a secret nor a reason to call the secret binary."""
    aws_script.will(Reply(200, "<html>"))
    with pytest.raises(Unreachable, match="secret keeper/prod: the answer holds no value"):
        secrets.token(SecretRef(secret_id="keeper/prod"))


def test_a_binary_secret_is_rejected(aws_sandbox: AwsSandbox, secrets: Secrets) -> None:
    """Only text can be a token."""
    aws_sandbox.client("secretsmanager").create_secret(Name="keeper/bin", SecretBinary=b"\x00")
    with pytest.raises(AdapterError, match="secret keeper/bin is binary"):
        secrets.token(SecretRef(secret_id="keeper/bin"))


def test_client_credentials_are_two_texts(secrets: Secrets, tmp_path: Path) -> None:
    """A JSON object with both, and perhaps more; the secret is not shown."""
    path = tmp_path / "ocm.json"
    path.write_text('{"client_id": "keeper", "client_secret": "hunter2", "comment": "x"}\n')
    source = secrets.credential_source(SecretRef(file=str(path)))
    found = source()
    assert (found.client_id, found.client_secret, found.place) == ("keeper", "hunter2", f"file {path}")
    assert "hunter2" not in repr(found)
    path.write_text('{"client_id": "keeper", "client_secret": "hunter3"}')
    assert (source().client_secret, source(force=True).client_secret) == ("hunter2", "hunter3")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("hunter2", "is not a JSON object with a text under 'client_id'", id="plain text"),
        pytest.param('["hunter2"]', "is not a JSON object with a text under 'client_id'", id="a list"),
        pytest.param('{"client_secret": "hunter2"}', "text under 'client_id'", id="no id"),
        pytest.param('{"client_id": "keeper"}', "text under 'client_secret'", id="no secret"),
        pytest.param('{"client_id": "keeper", "client_secret": 2}', "text under 'client_secret'", id="a number"),
        pytest.param('{"client_id": "keeper", "client_secret": ""}', "client_secret in file .* is empty", id="empty"),
        pytest.param('{"client_id": "a", "client_secret": "x\\nhunter2"}', "client_secret in file", id="line break"),
        pytest.param('{"client_id": "a:b", "client_secret": "hunter2"}', "client_id in file .* colon", id="colon"),
        pytest.param('{"client_id": "hunter2', "text under 'client_id'", id="broken JSON"),
    ],
)
def test_what_is_no_credentials_is_rejected_without_showing_it(
    secrets: Secrets, tmp_path: Path, content: str, message: str
) -> None:
    """The message names the place, the member and what is allowed, and nothing of the values."""
    path = tmp_path / "ocm.json"
    path.write_text(content)
    with pytest.raises(Rejected, match=message) as raised:
        secrets.credentials(SecretRef(file=str(path)))
    assert str(path) in str(raised.value)
    assert "hunter2" not in repr([raised.value, raised.value.__cause__])
