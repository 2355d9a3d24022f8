"""The page that lists what is corrected, what it is tested by and where it comes from, kept in step with the code."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

from sandbox.aws.address_plane import CORRECTIONS as ADDRESSES
from sandbox.aws.instances import InstanceLife
from sandbox.aws.paging import CORRECTIONS as PAGING
from sandbox.aws.reservations import CORRECTIONS as RESERVATIONS
from sandbox.timeline import SteppedTimeline
from sandbox.timing import Ec2Timing

ROOT = Path(__file__).parents[3]
INWARD = {"private_ip_address", "private_dns_name", "public_ip", "public_ip_address", "utcnow"}
"""What moto itself trips over once an instance has no interface; no answer of EC2's."""


def test_every_correction_of_ec2_is_in_the_table_with_tests_that_exist() -> None:
    """No correction without a test and a source, and no row without a correction."""
    section = (ROOT / "docs/sandbox.md").read_text().partition("## EC2, corrected")[2].partition("\n## ")[0]
    rows = [row.split("|")[1:5] for row in section.splitlines() if row.startswith("| `")]
    life = InstanceLife(SteppedTimeline(), Ec2Timing(), nullcontext, lambda _change: None)
    corrected = {c.name for c in (*ADDRESSES, *PAGING, *RESERVATIONS, *life.corrections())} - INWARD
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row[0])} == corrected
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row[2])
        assert named
        assert row[3].strip()
        assert [name for name in named if f"def {name}(" not in tests] == []
