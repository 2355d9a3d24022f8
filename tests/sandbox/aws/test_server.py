from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sandbox.aws import AwsSandbox, Drop, correction
from sandbox.aws.correction import Correction
from tests.sandbox.aws.conftest import Net


def test_environment_is_all_another_process_needs(aws: AwsSandbox, net: Net) -> None:
    """With these variables an SDK in another process reaches the sandbox and nothing else."""
    code = f"import boto3; print(len(boto3.client('ec2').describe_subnets(SubnetIds=['{net.subnet}'])['Subnets']))"
    environment = {"PATH": os.environ["PATH"], **aws.environment()}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "1"


def test_reset_empties_the_account(aws: AwsSandbox, net: Net) -> None:
    """After a reset nothing is left of resources, faults and the record of calls."""
    aws.faults.inject("ec2", "DescribeSubnets", Drop())
    aws.reset()
    assert len(aws.calls) == 0
    found = aws.client("ec2").describe_subnets(Filters=[{"Name": "vpc-id", "Values": [net.vpc]}])["Subnets"]
    assert found == []


def test_only_one_sandbox_runs_in_a_process(aws: AwsSandbox) -> None:
    """moto's state is the process's: a second sandbox would share it silently, so it is refused."""
    with pytest.raises(RuntimeError, match="one AwsSandbox at a time"), AwsSandbox():
        pass


def test_sandbox_that_is_not_running_has_no_address() -> None:
    """Asking for the endpoint before the start is an error that says so."""
    with pytest.raises(RuntimeError, match="not running"):
        _ = AwsSandbox().endpoint_url


def test_corrections_are_taken_out_again() -> None:
    """moto is as it was when the sandbox has ended, however many corrections sit on one attribute."""

    class Target:
        def value(self) -> int:
            return 1

    original = vars(Target)["value"]
    plus_one = Correction(Target, "value", lambda old: lambda self: old(self) + 1, "one too few")
    restore = correction.install([plus_one, plus_one])
    assert Target().value() == 3
    restore()
    assert vars(Target)["value"] is original


@pytest.mark.slow
def test_moto_itself_is_untouched_outside_a_sandbox() -> None:
    """Run in a process of its own: start, stop, compare."""
    code = (
        "import moto.sqs.models as m\n"
        "from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend as B\n"
        "before = (m.unix_time, B.create_network_interface)\n"
        "from sandbox.aws import AwsSandbox\n"
        "with AwsSandbox():\n"
        "    assert (m.unix_time, B.create_network_interface) != before\n"
        "assert (m.unix_time, B.create_network_interface) == before\n"
        "with AwsSandbox() as aws:\n"
        "    aws.client('ec2').describe_vpcs()\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], timeout=60, check=True, capture_output=True, text=True)
