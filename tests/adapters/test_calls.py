"""The counter of requests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from chalicelib.adapters.calls import CallCounter


def test_counts_by_system_and_operation() -> None:
    """A visit's cost is told by operation, sorted, and in total."""
    calls = CallCounter()
    for system, operation in [("EC2", "DescribeSubnets"), ("cluster API", "list nodes"), ("EC2", "DescribeSubnets")]:
        calls.add(system, operation)
    assert calls.by_operation == {("EC2", "DescribeSubnets"): 2, ("cluster API", "list nodes"): 1}
    assert list(calls.by_operation) == sorted(calls.by_operation)
    assert calls.total == 3


def test_taking_starts_again_from_nothing() -> None:
    """What one visit took does not show up in the next one's numbers."""
    calls = CallCounter()
    calls.add("SNS", "Publish")
    assert calls.take() == {("SNS", "Publish"): 1}
    assert calls.total == 0
    assert calls.take() == {}


def test_what_was_read_does_not_change_later() -> None:
    """Numbers already reported stay as they were reported."""
    calls = CallCounter()
    calls.add("SNS", "Publish")
    before = calls.by_operation
    calls.add("SNS", "Publish")
    assert before == {("SNS", "Publish"): 1}


def test_threads_lose_no_count() -> None:
    """The cluster and EC2 are read side by side, and every request counts."""
    calls = CallCounter()
    with ThreadPoolExecutor(4) as pool:
        for _ in range(4000):
            pool.submit(calls.add, "EC2", "DescribeInstances")
    assert calls.total == 4000
