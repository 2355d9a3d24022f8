"""The benchmarks measure what they say: every line at a tiny size, and the arithmetic behind the tables.

No time is judged here: how fast something is, is for a quiet machine to say (`docs/benchmarks.md`).
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from bench import capacity, cold_start, planning, rehearsal, visits
from bench.__main__ import LINES, main
from bench.child import child
from bench.measuring import PipelineError, Sample, Stage, alternate, growth_exponent, median_of, run_pipeline
from bench.objects import NODE_BYTES, egress_objects, node, node_name
from bench.packages import closure, copy_files
from bench.results import Result, Row, as_json, render
from chalicelib.adapters.cluster_parse import parse_cpic, parse_egress_ip, parse_node
from chalicelib.domain.capacity import eligibility


@pytest.mark.slow
def test_capacity_answers_alike_and_is_compared_on_both_counts() -> None:
    """Both ways must name every node before their times count."""
    result = capacity.measure(quick=True, sizes=(7,))
    assert [row.measure for row in result.rows] == ["wall time, s", "peak memory, MB"]
    assert all(row.theirs and row.ours > 0 and row.met is None for row in result.rows)


@pytest.mark.slow
def test_a_way_that_leaves_a_node_out_is_not_measured(tmp_path: Path) -> None:
    """A wrong answer is no comparison."""
    with child("bench.kube_process", "7") as url:
        ways = capacity.Ways(url, tmp_path, nodes=8)
        with pytest.raises(AssertionError, match="7 rows for 8 nodes"):
            ways.ours()
        with pytest.raises(AssertionError, match="7 rows for 8 nodes"):
            ways.theirs()


@pytest.mark.slow
def test_rehearsal_times_what_would_serve() -> None:
    """Each situation is seen to place all of its addresses, without objection, before it is timed."""
    result = rehearsal.measure(quick=True, sizes=(9,))
    assert [row.case.partition(",")[0] for row in result.rows] == [
        "one policy more",
        "thirty policies more",
        "first creation",
    ]


def test_planning_times_a_creation_and_an_empty_plan() -> None:
    """First creation applies every policy, steady state plans nothing: otherwise the line says nothing."""
    result = planning.measure(quick=True, sizes=(9, 30))
    assert [row.case for row in result.rows[-2:]] == ["first creation", "steady state"]
    runs = planning.situations(9)
    assert len(runs["first creation"]().actions) > 6
    assert runs["steady state"]().actions == ()


@pytest.mark.slow
def test_a_visit_is_counted_where_requests_arrive() -> None:
    """Ours stays at the number for one policy; by hand every policy costs ten requests."""
    result = visits.measure(quick=True, sizes=(1, 2))
    ours, theirs = [[row.ours for row in result.rows], [row.theirs for row in result.rows]]
    assert ours[0] == ours[1]
    assert theirs == [1 + 10, 1 + 20]
    assert sum(result.details["1"].values()) == ours[0]


@pytest.mark.slow
def test_cold_starts_answer_alike() -> None:
    """Every packaged function really answers, and the capacity answer is that of the naive one."""
    result = cold_start.measure(quick=True)
    assert {row.measure for row in result.rows} == {"zip, MB", "first answer, s", "peak memory, MB"}
    assert all(row.ours > 0 for row in result.rows)


def test_a_pipeline_adds_up_the_memory_of_its_processes(tmp_path: Path) -> None:
    """The stages are connected as in a shell, and a process of 50 MB counts as one."""
    grow = "import sys; held = bytearray(50_000_000); sys.stdout.write(sys.stdin.read() + 'b')"
    environment = {"PATH": ""}
    first = Stage((sys.executable, "-I", "-S", "-c", "print('a', end='')"), environment)
    second = Stage((sys.executable, "-I", "-S", "-c", grow), environment)
    alone = run_pipeline([first], tmp_path / "one")
    both = run_pipeline([first, second], tmp_path / "two")
    assert (tmp_path / "two").read_text() == "ab"
    assert alone.peak_mb < 40
    assert 50 < both.peak_mb - alone.peak_mb < 90


def test_a_failing_stage_fails_the_measurement(tmp_path: Path) -> None:
    """A program that gives up early would look fast."""
    stage = Stage((sys.executable, "-I", "-S", "-c", "import sys; sys.exit('no luck')"), {})
    with pytest.raises(PipelineError, match="no luck"):
        run_pipeline([stage, Stage((shutil.which("cat") or "cat",), {})], tmp_path / "output")


def test_ways_take_turns_after_a_warming_up() -> None:
    """What else the machine does meets all ways alike; first runs do not count."""
    ran: list[str] = []

    def way(name: str) -> Sample:
        ran.append(name)
        return Sample(float(len(ran)), 1.0)

    samples = alternate({"a": lambda: way("a"), "b": lambda: way("b")}, 2)
    assert ran == ["a", "b", "a", "b", "a", "b"]
    assert samples["a"] == [Sample(3.0, 1.0), Sample(5.0, 1.0)]
    assert median_of([Sample(1, 9), Sample(5, 2), Sample(2, 3)]) == Sample(2, 3)


@pytest.mark.parametrize("exponent", [1.0, 1.5, 2.0])
def test_the_exponent_of_a_power_law_is_found(exponent: float) -> None:
    """Three sizes on a·n^b give b."""
    sizes = (100, 1_000, 5_000)
    assert growth_exponent(sizes, [3e-6 * n**exponent for n in sizes]) == pytest.approx(exponent)


def test_objects_are_as_large_as_real_ones_and_understood_by_the_product() -> None:
    """Nodes of about 13 kB that carry addresses, and EgressIPs and CPICs that belong to them."""
    for number in (0, 1, 2, 4_999):
        made = node(number)
        assert abs(len(json.dumps(made, separators=(",", ":"))) - NODE_BYTES) < 300
        parsed = parse_node(made)
        assert (parsed.name, eligibility(parsed)) == (node_name(number), ())
    made_by_kind = list(egress_objects(2))
    cpics = [parse_cpic(made) for kind, made in made_by_kind if kind == "cloudprivateipconfigs"]
    egress_ips = [
        parse_egress_ip({**made, "metadata": {**made["metadata"], "uid": "u"}})
        for kind, made in made_by_kind
        if kind == "egressips"
    ]
    assert all(cpic.healthy for cpic in cpics)
    assert {address for eip in egress_ips for address, _ in eip.items} == {cpic.address for cpic in cpics}


def test_a_package_holds_what_pip_would_install_without_bytecode(tmp_path: Path) -> None:
    """Requirements of requirements, extras that were asked for and no others; no compiled modules."""
    names = {found.name.lower().replace("_", "-") for found in closure(["aws-lambda-powertools[tracer]"])}
    assert {"aws-lambda-powertools", "aws-xray-sdk", "botocore", "jmespath"} <= names
    assert not {"pydantic", "boto3"} & names
    (found,) = closure(["jmespath"])
    copy_files(found, tmp_path)
    assert (tmp_path / "jmespath" / "lexer.py").exists()
    assert list(tmp_path.rglob("*.pyc")) == []


def test_a_server_ends_with_whoever_started_it() -> None:
    """Nothing is left running: the child ends when its standard input does."""
    with child("bench.kube_process", "1") as url:
        assert url.startswith("http://127.0.0.1:")
    with pytest.raises(RuntimeError, match="did not start"), child("bench.kube_process", "nonsense"):
        pass


def test_a_ratio_below_one_is_shown_as_a_loss() -> None:
    """Less is better, and the table says so where ours needs more."""
    rows = [
        Row("small", "wall time, s", 2.0, 1.0),
        Row("large", "wall time, s", 2.0, 20.0, "≥ 5×", met=True),
        Row("alone", "wall time, s", 1_234.0, None, "≤ 1 s", met=False),
    ]
    result = Result("capacity", "a title", rows, ["a note"])
    lines = render(result).splitlines()
    assert lines[2].split() == ["small", "wall", "time,", "s", "2", "1", "0.5×"]
    assert lines[3].endswith("10.0×  ≥ 5×: met")
    assert lines[4].endswith("≤ 1 s: MISSED")
    assert json.loads(as_json([result], {"CPU": "x"}))["lines"][0]["rows"][0]["ratio"] == 0.5


def test_an_unknown_line_is_refused_before_anything_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """The message lists the lines there are."""
    with pytest.raises(SystemExit) as ended:
        main(["capacty"])
    assert ended.value.code == 2
    assert ", ".join(LINES) in capsys.readouterr().err


@pytest.mark.slow
def test_a_line_writes_its_table_and_its_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m bench --quick --json FILE planning` is what the documentation tells people to run."""
    code = main(["--quick", "--json", str(tmp_path / "found.json"), "planning"])
    printed, found = capsys.readouterr().out, json.loads((tmp_path / "found.json").read_text())
    assert code == 0
    assert printed.startswith("Machine\n  CPU: ")
    assert "planning: one plan, in memory" in printed
    assert found["lines"][0]["line"] == "planning"
    assert found["machine"]["cores"]


def test_every_line_is_explained() -> None:
    """The page has a section for each line, by its name, and one for the benchmark that is a target of its own."""
    page = (Path(__file__).parents[1] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    sections = [line.split(":")[0].removeprefix("## ") for line in page.splitlines() if line.startswith("## ")]
    assert sections == [*LINES, "continuity"]
