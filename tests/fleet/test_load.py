"""Where a fleet file comes from: a path or S3, and the files it names itself."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from chalicelib.adapters.errors import AdapterError, Denied, NotFound, Throttled, Unreachable
from chalicelib.domain.spec import SecretRef
from chalicelib.fleet import FleetError, load_fleet, parse_fleet
from tests.fleet.texts import PEM, changed, cluster, fleet, parse, policy, problems

GOOD = json.dumps(fleet(cluster()))


def no_s3(bucket: str, key: str) -> str:
    raise AssertionError(f"asked S3 for {bucket}/{key}")


def test_a_path_is_read_with_what_lies_beside_it(tmp_path: Path) -> None:
    """Paths in the file are relative to the file, not to where the command was started."""
    (tmp_path / "ca.pem").write_text(PEM)
    document = changed({("clusters", 0, "api", "ca"): "ca.pem", ("clusters", 0, "api", "token"): "file:token"})
    (tmp_path / "fleet.yaml").write_text(json.dumps(document))
    api = load_fleet(str(tmp_path / "fleet.yaml"), no_s3).clusters["a"].api
    assert (api.ca, api.token) == (PEM, SecretRef(file=str(tmp_path / "token")))


def test_s3_is_asked_once_by_bucket_and_key() -> None:
    """`s3://bucket/key` is taken apart at the first slash; the key keeps the others."""
    asked = []

    def fetch(bucket: str, key: str) -> str:
        asked.append((bucket, key))
        return GOOD

    assert list(load_fleet("s3://fleets/prod/eu/fleet.yaml", fetch).clusters) == ["a"]
    assert asked == [("fleets", "prod/eu/fleet.yaml")]


@pytest.mark.parametrize("location", ["s3://", "s3://bucket", "s3://bucket/", "s3:///key"])
def test_half_an_address_in_s3(location: str) -> None:
    """A bucket without a key can't be asked for; the message says what is wanted."""
    with pytest.raises(FleetError, match=r"is no place in S3: allowed is s3://BUCKET/KEY"):
        load_fleet(location, no_s3)


@pytest.mark.parametrize("error", [NotFound("S3", "GetObject", "no such key"), Denied("S3", "GetObject", "denied")])
def test_a_file_that_s3_does_not_give(error: AdapterError) -> None:
    """Missing and forbidden are one clear error that names the file: trying again does not help."""

    def fetch(bucket: str, key: str) -> str:
        raise error

    with pytest.raises(FleetError) as raised:
        load_fleet("s3://fleets/f.yaml", fetch)
    assert str(raised.value) == f"s3://fleets/f.yaml: can't be read: {error.detail}"
    assert raised.value.problems == ()


@pytest.mark.parametrize("error", [Unreachable("S3", "GetObject", "503"), Throttled("S3", "GetObject", "slow down")])
def test_trouble_that_passes_stays_what_it_is(error: AdapterError) -> None:
    """When S3 is out of reach the file is not wrong: the adapter's error says that later may be better."""

    def fetch(bucket: str, key: str) -> str:
        raise error

    with pytest.raises(type(error)) as raised:
        load_fleet("s3://fleets/f.yaml", fetch)
    assert raised.value is error


def test_bytes_from_s3_that_are_no_text() -> None:
    """An object that is not UTF-8 is named, instead of a traceback from deep inside."""
    with pytest.raises(FleetError, match=r"^s3://fleets/f.yaml: is no fleet file: allowed is YAML in UTF-8"):
        load_fleet("s3://fleets/f.yaml", lambda bucket, key: b"\xff\xfe".decode())


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    """Missing, a folder, binary, too large: one line with the file's name each."""
    binary, large = tmp_path / "binary", tmp_path / "large"
    binary.write_bytes(b"\xff\xfe")
    large.write_text("#" * (1 << 20) + "\n" + GOOD)
    for location, why in (
        (tmp_path / "missing", "can't be read: No such file or directory"),
        (tmp_path, "can't be read: Is a directory"),
        (binary, "is no fleet file: allowed is YAML in UTF-8, at most 1 MiB"),
        (large, "is no fleet file: allowed is YAML in UTF-8, at most 1 MiB"),
        (Path("/dev/zero"), "is no fleet file: allowed is YAML in UTF-8, at most 1 MiB"),
    ):
        with pytest.raises(FleetError) as raised:
            load_fleet(str(location), no_s3)
        assert str(raised.value) == f"{location}: {why}"


def test_authorities_as_text_or_file(tmp_path: Path) -> None:
    """PEM text is taken as it is; a path is read now, so that a wrong one is told with everything else."""
    (tmp_path / "ca.pem").write_text("# our proxy\n" + PEM + PEM)
    for value, expected in ((PEM, PEM), ("ca.pem", "# our proxy\n" + PEM + PEM)):
        document = changed({("clusters", 0, "api", "ca"): value})
        assert parse(document, base_dir=tmp_path).clusters["a"].api.ca == expected


def test_authorities_that_are_none(tmp_path: Path) -> None:
    """A file that is missing, no PEM, damaged or holds a private key is told by name, its content never shown."""
    key = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n"
    for name, content, why in (
        ("missing", None, "is a file that can't be read (No such file or directory): allowed is a PEM file"),
        ("text", "hunter2", "holds no certificate, or something else besides: allowed are CERTIFICATE blocks"),
        ("cut", PEM[:-20], "holds no certificate, or something else besides: allowed are CERTIFICATE blocks"),
        ("damaged", PEM.replace("Y2Vy", "Y2V"), "holds a certificate that is damaged: allowed is base64"),
        (
            "second cut",
            PEM + PEM[:-20],
            "holds no certificate, or something else besides: allowed are CERTIFICATE blocks",
        ),
        ("padded", PEM.replace("\nY2", "\nAA==Y2"), "holds a certificate that is damaged: allowed is base64"),
        ("binary", "\udcff\udcfe", "is no PEM file: allowed is text of at most 1 MiB with certificates"),
        ("key", PEM + key, "holds a private key: allowed are certificates only"),
    ):
        if content is not None:
            (tmp_path / name).write_text(content, errors="surrogateescape")
        told = problems(changed({("clusters", 0, "api", "ca"): name}), base_dir=tmp_path)
        assert [line.partition(f"clusters[0].api.ca: value '{name}' ")[2][: len(why)] for line in told] == [why]
        assert "hunter2" not in "".join(told)


def test_a_private_key_beside_a_certificate() -> None:
    """A bundle pasted whole, key included, is refused and not repeated."""
    key = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n"
    told = problems(changed({("clusters", 0, "api", "ca"): PEM + key}))
    assert told == ["1: clusters[0].api.ca: value holds a private key: allowed are certificates only"]


def test_a_bad_default_is_told_once() -> None:
    """What is wrong with the defaults is the defaults' problem, not every cluster's."""
    told = problems(fleet(cluster("a"), cluster("b"), defaults={"api": {"ca": "/nowhere/ca.pem"}}))
    assert len(told) == 1
    assert told[0].startswith("1: defaults.api.ca: value '/nowhere/ca.pem' is a file that can't be read")


def test_s3_has_nothing_beside_it() -> None:
    """A file from S3 can name absolute paths only."""
    told = problems(changed({("clusters", 0, "api", "ca"): "ca.pem", ("clusters", 0, "api", "token"): "file:token"}))
    why = "is a relative path in a fleet file that is not on disk: allowed is an absolute path"
    assert told == [
        f"1: clusters[0].api.ca: value 'ca.pem' {why}",
        f"1: clusters[0].api.token: value 'file:token' {why}",
    ]


def test_a_large_fleet_is_read_quickly() -> None:
    """200 clusters of 20 policies take a second of a free core: any work that grows faster than the file would show."""
    clusters = [
        cluster(f"c{i}", policies=[policy(f"p{j}", addresses=[f"10.{i}.{j}.9"]) for j in range(20)]) for i in range(200)
    ]
    text = json.dumps(fleet(*clusters))
    parse_fleet(GOOD, "f", base_dir=None)  # the imports
    started = time.process_time()
    assert len(parse_fleet(text, "f", base_dir=None).clusters) == 200
    assert time.process_time() - started < 6  # busy core, coverage measured
