"""What a person is told about a change that was refused: whose right is missing, or that nobody need do anything."""

from __future__ import annotations

import pytest

from chalicelib.adapters.errors import AdapterError, Denied, Rejected, Throttled, Unreachable
from chalicelib.domain.actions import LabelNode
from chalicelib.domain.findings import Kind
from chalicelib.domain.plan import Plan
from chalicelib.usecases.act import execute
from tests import factories as make
from tests.fakes import FakeCluster, FakeEc2

PLAN = Plan("demo", (LabelNode("node-a0", (), "machine pool egress-a is to carry egress addresses"),), ())


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Denied("EC2", "CreateTags", "UnauthorizedOperation"), "the right ec2:CreateTags"),
        (Denied("cluster API", "label node", "403"), "\noc apply -f deploy/rbac.yaml"),
        (Denied("OCM", "edit machine pool", "403"), "OCM Machine Pool Editor"),
        (Rejected("cluster API", "label node", "422"), "cluster API will not do it as it is asked"),
        (Unreachable("EC2", "CreateTags", "503"), ""),
        (Throttled("EC2", "CreateTags", "RequestLimitExceeded"), ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, AdapterError) else "",
)
def test_a_refused_change_says_what_a_person_can_do(error: AdapterError, says: str) -> None:
    """Who gives back which right; what may pass by itself is tried again, and nobody is sent after it."""
    start = make.snapshot()
    cluster = FakeCluster(start)
    cluster.fail("label_node", error)
    (found,) = execute(PLAN, cluster, FakeEc2(start)).findings
    assert found.kind is Kind.ACTION_FAILED
    assert says in found.todo
    assert bool(found.todo) is not bool(found.remedy)
