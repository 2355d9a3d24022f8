"""Measuring: alternating repetitions, medians, and whole pipelines of processes with the memory of each."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True, slots=True)
class Sample:
    """One repetition: wall time, and the peaks of resident memory of its processes added up."""

    seconds: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Stage:
    """One process of a pipeline."""

    argv: Sequence[str]
    environment: Mapping[str, str]


class PipelineError(Exception):
    """A process of a pipeline failed; the message holds what it said."""


def alternate(
    ways: Mapping[str, Callable[[], Sample]], repetitions: int, *, warm_up: bool = True
) -> dict[str, list[Sample]]:
    """Run each way once for warming up (files in the page cache), then all of them in turn, *repetitions* times.

    Alternating, so that what else the machine does meets all ways alike.
    """
    if warm_up:
        for way in ways.values():
            way()
    samples: dict[str, list[Sample]] = {name: [] for name in ways}
    for _ in range(repetitions):
        for name, way in ways.items():
            samples[name].append(way())
    return samples


def median_of(samples: Sequence[Sample]) -> Sample:
    """Medians of time and memory, each by itself."""
    return Sample(
        statistics.median(sample.seconds for sample in samples), statistics.median(sample.peak_mb for sample in samples)
    )


def run_pipeline(stages: Sequence[Stage], output: Path) -> Sample:
    """Run the stages as a shell would (`a | b`), the last one's output going to *output*.

    A small process of its own starts and times them: a child begins with the memory peak of whoever starts it, and
    this one may be large.

    Raises:
        PipelineError: A stage ended with another status than 0.
    """
    order = {"stages": [[list(stage.argv), dict(stage.environment)] for stage in stages], "output": str(output)}
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(LAUNCHER)],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise PipelineError(f"{stages[0].argv[0]} …: {done.stderr.strip()[-2000:]}")
    answer = json.loads(done.stdout)
    return Sample(answer["seconds"], sum(answer["peak_kb"]) * 1024 / 1e6)


def growth_exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """The b of time ≈ a·n^b: slope of the least-squares line through the logarithms. 1 is linear."""
    import math

    xs, ys = [math.log(n) for n in sizes], [math.log(t) for t in seconds]
    return statistics.linear_regression(xs, ys).slope
