"""Reserving a range in EC2, which is not idempotent and has the smallest budget of all."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from chalicelib.adapters.aws import Aws
from chalicelib.adapters.calls import CallCounter
from chalicelib.adapters.ec2 import Ec2Api
from chalicelib.adapters.errors import Rejected, Throttled, Unreachable
from tests.adapters.aws_helpers import ec2_answer, ec2_error
from tests.adapters.wire import HANG_UP, FakeTime, Reply, ScriptedServer

BLOCK = IPv4Network("10.0.1.192/28")
OURS = {"egress-keeper/owner": "egress-keeper", "egress-keeper/cluster": "prod"}
WANTED = {**OURS, "egress-keeper/policy/demo": "10.0.1.200"}
OVERLAP = ec2_error(400, "InvalidParameterValue", "Reservation CIDR 10.0.1.192/28 has overlap with existing reserved")


def there(cidr: str = str(BLOCK), kind: str = "explicit", tags: dict[str, str] = WANTED) -> dict[str, Any]:
    return {
        "subnetCidrReservationId": "scr-1",
        "subnetId": "subnet-1",
        "cidr": cidr,
        "reservationType": kind,
        "description": "egress-keeper",
        "tagSet": [{"key": key, "value": value} for key, value in tags.items()],
    }


def listed(*reservations: dict[str, Any]) -> Reply:
    return ec2_answer("GetSubnetCidrReservations", subnetIpv4CidrReservationSet=list(reservations))


@pytest.fixture
def ec2(aws_script: ScriptedServer, aws: Aws, time: FakeTime) -> Ec2Api:
    return Ec2Api(aws, clock=time.clock, sleep=time.sleep)


def reserve(ec2: Ec2Api) -> Any:
    return ec2.reserve_cidr("subnet-1", BLOCK, WANTED, "egress-keeper: prod")


def test_a_reservation_is_born_with_its_tags(aws_script: ScriptedServer, ec2: Ec2Api) -> None:
    """One request makes range, type, description and tags: there is no moment at which it is nobody's."""
    aws_script.will(ec2_answer("CreateSubnetCidrReservation", subnetCidrReservation=there()))
    made = reserve(ec2)
    assert (made.id, made.subnet_id, made.cidr, made.tags) == ("scr-1", "subnet-1", BLOCK, WANTED)
    [sent] = aws_script.sent
    assert dict(sent.form) == {
        "Action": "CreateSubnetCidrReservation",
        "Version": "2016-11-15",
        "SubnetId": "subnet-1",
        "Cidr": "10.0.1.192/28",
        "ReservationType": "explicit",
        "Description": "egress-keeper: prod",
        "TagSpecification.1.ResourceType": "subnet-cidr-reservation",
        "TagSpecification.1.Tag.1.Key": "egress-keeper/cluster",
        "TagSpecification.1.Tag.1.Value": "prod",
        "TagSpecification.1.Tag.2.Key": "egress-keeper/owner",
        "TagSpecification.1.Tag.2.Value": "egress-keeper",
        "TagSpecification.1.Tag.3.Key": "egress-keeper/policy/demo",
        "TagSpecification.1.Tag.3.Value": "10.0.1.200",
    }


@pytest.mark.parametrize("trouble", [pytest.param(OVERLAP, id="overlap"), pytest.param(HANG_UP, id="lost answer")])
def test_our_own_earlier_success_is_found(aws_script: ScriptedServer, ec2: Ec2Api, trouble: Reply) -> None:
    """Refused as an overlap with itself, or done and never answered: the reservation that is there is the one."""
    aws_script.will(trouble, listed(there()))
    assert reserve(ec2).id == "scr-1"
    assert [sent.form["Action"] for sent in aws_script.sent] == [
        "CreateSubnetCidrReservation",
        "GetSubnetCidrReservations",
    ]


def test_a_repeat_below_us_meets_itself(aws_script: ScriptedServer, time: FakeTime) -> None:
    """botocore repeats a request whose answer was lost; the overlap that it meets is with our own."""
    aws_script.will(HANG_UP, OVERLAP, listed(there()))
    calls = CallCounter()
    ec2 = Ec2Api(Aws(attempts=2, calls=calls), clock=time.clock, sleep=time.sleep)
    assert reserve(ec2).id == "scr-1"
    assert calls.by_operation[("EC2", "CreateSubnetCidrReservation")] == 2


def test_an_adopted_reservation_gets_the_tags_it_lacks(aws_script: ScriptedServer, ec2: Ec2Api) -> None:
    """A range of this cluster that was made for another policy is shared, and both are recorded on it."""
    earlier = {**OURS, "egress-keeper/policy/old": "10.0.1.193"}
    aws_script.will(OVERLAP, listed(there(tags=earlier)), ec2_answer("CreateTags", **{"return": "true"}))
    assert reserve(ec2).tags == {**earlier, **WANTED}
    sent = aws_script.sent[2].form
    assert (sent["ResourceId.1"], sent["Tag.1.Key"], sent["Tag.1.Value"]) == (
        "scr-1",
        "egress-keeper/policy/demo",
        "10.0.1.200",
    )
    assert "Tag.2.Key" not in sent


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(there(tags={}), id="nobody's"),
        pytest.param(there(tags={**WANTED, "egress-keeper/cluster": "test"}), id="another cluster's"),
        pytest.param(there(tags={"egress-keeper/cluster": "prod"}), id="without our mark"),
        pytest.param(there(kind="prefix"), id="of the other type"),
        pytest.param(there(cidr="10.0.1.0/24"), id="larger"),
        pytest.param(there(cidr="10.0.1.200/32"), id="smaller"),
    ],
)
def test_somebody_elses_range_is_told_and_left_alone(
    aws_script: ScriptedServer, ec2: Ec2Api, other: dict[str, Any]
) -> None:
    """A range that is not exactly ours is never taken over; the message names it for a person to look into."""
    aws_script.will(OVERLAP, listed(there(cidr="10.0.1.0/28"), other))
    with pytest.raises(Rejected) as raised:
        reserve(ec2)
    assert raised.value.detail == (
        f"10.0.1.192/28 in subnet-1 overlaps {other['reservationType']} reservation scr-1 of {other['cidr']}"
    )
    assert len(aws_script.sent) == 2


def test_a_refusal_for_another_reason_stays_what_it_was(aws_script: ScriptedServer, ec2: Ec2Api) -> None:
    """Nothing overlaps, so EC2's own reason is the reason."""
    aws_script.will(ec2_error(400, "InvalidParameterValue", "Reservation CIDR should be within subnet"), listed())
    with pytest.raises(Rejected, match="should be within subnet"):
        reserve(ec2)


def test_a_lost_request_stays_lost(aws_script: ScriptedServer, ec2: Ec2Api) -> None:
    """No answer and no reservation: it did not happen, and asking again later may help."""
    aws_script.will(HANG_UP, listed())
    with pytest.raises(Unreachable, match="CreateSubnetCidrReservation"):
        reserve(ec2)


def test_throttling_is_waited_for_and_then_told(aws_script: ScriptedServer, time: FakeTime) -> None:
    """RequestLimitExceeded is repeated within bounds; what is left is Throttled, and nothing is read needlessly."""
    limit = ec2_error(503, "RequestLimitExceeded", "Request limit exceeded.")
    aws_script.will(limit, limit)
    with pytest.raises(Throttled):
        reserve(Ec2Api(Aws(attempts=2), clock=time.clock, sleep=time.sleep))
    assert [sent.form["Action"] for sent in aws_script.sent] == ["CreateSubnetCidrReservation"] * 2


def test_many_reservations_keep_to_the_budget(aws_script: ScriptedServer, ec2: Ec2Api, time: FakeTime) -> None:
    """Five at once, then one a second; deletes have a bucket of their own."""
    aws_script.will(*[ec2_answer("CreateSubnetCidrReservation", subnetCidrReservation=there())] * 7)
    for _ in range(7):
        reserve(ec2)
    assert time.slept == [1.0, 1.0]
    aws_script.will(*[ec2_error(400, "InvalidSubnetCidrReservationID.NotFound", "gone")] * 6)
    for _ in range(6):
        ec2.release_reservation("scr-1")
    assert time.slept == [1.0, 1.0, 1.0]


def test_tags_are_written_before_others_are_dropped(aws_script: ScriptedServer, ec2: Ec2Api) -> None:
    """What an address is recorded under is never missing; nothing to write or drop sends nothing."""
    done = ec2_answer("Tags", **{"return": "true"})
    aws_script.will(done, done)
    ec2.tag_reservation("scr-1", {"b": "2", "a": ""}, ["d", "c"])
    ec2.tag_reservation("scr-1", {}, [])
    write, drop = (dict(sent.form) for sent in aws_script.sent)
    assert write == {
        "Action": "CreateTags",
        "Version": "2016-11-15",
        "ResourceId.1": "scr-1",
        "Tag.1.Key": "a",
        "Tag.1.Value": "",
        "Tag.2.Key": "b",
        "Tag.2.Value": "2",
    }
    assert drop == {
        "Action": "DeleteTags",
        "Version": "2016-11-15",
        "ResourceId.1": "scr-1",
        "Tag.1.Key": "c",
        "Tag.2.Key": "d",
    }
