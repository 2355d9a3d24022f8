"""Line (d): interpreter start to first answer, for each packaged function under AWS's runtime client.

Ours are run from deployment.zip, each with an event that makes it do its real work on a small ROSA at rest. The naive
functions (`bench/naive`) answer the capacity question, or put the event on a queue.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.child import child
from bench.measuring import Sample, alternate, median_of
from bench.packages import Unpacked, lambda_runtime, naive_package, our_package, precompiled
from bench.results import Result, Row
from sandbox.lambda_runtime import LambdaProcess
from sandbox.plumbing.wiring import FunctionSpec

EVENTS = Path(__file__).resolve().parent.parent / "events"
AIM_RATIO, AIM_ZIP_MEGABYTES = 3.5, 15.0
COMPARED = {
    "api_handler": "capacity",
    "reconcile": "capacity",
    "intake": "forward",
    "route": "forward",
    "drift_check": "forward",
}
"""Our function and the naive one that does the same, or the nearest thing to it; a quick run compares the first."""


def measure(*, quick: bool) -> Result:
    """Start every function several times, ours and the naive one in turn."""
    began = time.perf_counter()
    with ThreadPoolExecutor(max_workers=1) as pool:
        unpacked = pool.submit(lambda: (lambda_runtime(), our_package(), naive_package()))
        with child("bench.stage_process") as line:  # comes up meanwhile
            rows, notes = _compare_all(json.loads(line), *unpacked.result(), quick=quick)
    return Result("cold-start", "interpreter start to first answer", rows, notes, time.perf_counter() - began)


def _compare_all(
    described: Mapping[str, Any], runtime: Path, ours: Unpacked, naive: Unpacked, *, quick: bool
) -> tuple[list[Row], list[str]]:
    place = Place(described, runtime)
    check_same_answer(place, ours, naive)
    megabytes = ours.zipped_bytes / 1e6
    met = megabytes <= AIM_ZIP_MEGABYTES
    rows = [Row("the package", "zip, MB", megabytes, naive.zipped_bytes / 1e6, f"≤ {AIM_ZIP_MEGABYTES:g} MB", met)]
    for function, other in list(COMPARED.items())[: 1 if quick else None]:
        rows += _compare(place, ours, naive, (function, other), 2 if quick else 3)
    return rows, _notes(place, naive, quick=quick)


def _compare(place: Place, ours: Unpacked, naive: Unpacked, names: tuple[str, str], repetitions: int) -> list[Row]:
    function, other = names
    samples = alternate(
        {
            "ours": lambda: place.start(ours, place.function(function))[1],
            "theirs": lambda: place.start(naive, place.naive_function(other))[1],
        },
        repetitions,
        warm_up=False,  # seeing that both answer alike has read the files already
    )
    mine, theirs = median_of(samples["ours"]), median_of(samples["theirs"])
    case = f"{function} against naive {other}"
    met = theirs.seconds / mine.seconds >= AIM_RATIO
    return [
        Row(case, "first answer, s", mine.seconds, theirs.seconds, f"≥ {AIM_RATIO:g}×", met),
        Row(case, "peak memory, MB", mine.peak_mb, theirs.peak_mb),
    ]


def _notes(place: Place, naive: Unpacked, *, quick: bool) -> list[str]:
    notes = [
        "wall time from starting the process to its answer; AWS (moto) and a cluster API are on loopback",
        "reconcile makes a whole visit, the naive function answers one question",
        "both take awslambdaric and, where the package has none, boto3 from a precompiled runtime directory",
    ]
    if quick:
        return notes
    compiled = precompiled(naive)
    way: Callable[[], Sample] = lambda: place.start(compiled, place.naive_function("capacity"))[1]  # noqa: E731
    taken = median_of(alternate({"compiled": way}, 3)["compiled"])
    notes.append(
        f"of the naive way, precompiling alone would make naive capacity {taken.seconds:.2f} s, {taken.peak_mb:.0f} MB"
    )
    return notes


def check_same_answer(place: Place, ours: Unpacked, naive: Unpacked) -> None:
    """Both capacity answers must say the same of every node, or the comparison is none."""
    rows = json.loads(place.start(ours, place.function("api_handler"))[0]["body"])["clusters"][0]["nodes"]
    other = json.loads(place.start(naive, place.naive_function("capacity"))[0]["body"])["nodes"]
    mine = [{key: row[key] for key in ("node", "zone", "capacity", "carried", "headroom", "eligible")} for row in rows]
    if not mine or mine != other:
        raise AssertionError(f"the answers differ: {mine} {other}")


@dataclass(frozen=True)
class Function:
    """What is started, and the event it gets."""

    spec: FunctionSpec
    event: Mapping[str, Any]


class Place:
    """Where functions run: the stage's endpoints and Lambda's runtime directory."""

    def __init__(self, described: Mapping[str, Any], runtime: Path) -> None:
        self._described = described
        self._runtime = runtime

    def start(self, package: Unpacked, function: Function) -> tuple[Any, Sample]:
        """One cold start: the answer, and how long and large it was.

        Raises:
            FunctionError: The function failed.
        """
        process = LambdaProcess(package.directory, function.spec, self._described["environment"], paths=[self._runtime])
        try:
            answer = process.invoke(function.event)
            run = process.runs[-1]
        finally:
            process.close()
        failed = answer.get("batchItemFailures") if isinstance(answer, dict) else None
        if failed or (isinstance(answer, dict) and answer.get("statusCode", 200) >= 400):
            raise AssertionError(f"{function.spec.name} answered {answer}; log: {list(process.log)[-5:]}")
        return answer, Sample(run.duration_seconds, (run.peak_memory_kb or 0) * 1024 / 1e6)

    def function(self, name: str) -> Function:
        """One of ours as deployed, with an event that gives it its real work."""
        return Function(FunctionSpec(**self._described["functions"][name]), self._event(name))

    def naive_function(self, name: str) -> Function:
        """One of the naive functions, with the memory and queues of ours."""
        like = self._described["functions"]["api_handler"]
        environment = {**like["environment"], **self._described["naive"]}
        spec = FunctionSpec(name, f"app.{name}", 29, like["memory_mb"], environment)
        return Function(spec, self._event("intake"))

    def _event(self, function: str) -> Mapping[str, Any]:
        name, instance = self._described["cluster"], self._described["instance_id"]
        match function:
            case "api_handler":
                event = _example("api-get-capacity")
                event["pathParameters"] = {"name": name}
            case "reconcile":
                event = _example("sqs-work")
                order = {**json.loads(event["Records"][0]["body"]), "cluster": name}
                event["Records"] = [{**event["Records"][0], "body": json.dumps(order)}]
            case "route":
                event = _example("sqs-events-batch")
                change = json.loads(event["Records"][0]["body"])
                body = json.dumps({**change, "detail": {"instance-id": instance, "state": "running"}})
                event["Records"] = [{**event["Records"][0], "body": body}]
            case "drift_check":
                event = _example("schedule")
            case _:
                event = _example("ec2-instance-running")
        return event


def _example(name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return parsed
