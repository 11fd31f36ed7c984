"""The sweep through its command line, with toys: plan, run, reuse, resume, failures, JSON."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import bench.speed.plan
import bench.speed.runner
import bench.throughput
from bench.speed.cells import ProcessRun, Scenario, SpeedCell
from bench.speed.plan import SHOWING
from bench.speed.process import CannotRun, RowFailed, SpeedJob
from bench.speed.store import SpeedStore
from tests.bench.processes import python, start
from tests.bench.speed_results import process_run

TOYS = "tests.bench.sweep_toys"
# The source may be edited while the tests run; what it decides is tested on its own.
SAME_CODE = "import bench.speed.plan as plan; plan.code_digest = lambda *_: 'c1'"

Sweep = Callable[..., Result]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.throughput, "write_report", lambda *_: True)
    monkeypatch.setattr(bench.speed.plan, "code_digest", lambda *_: "c1")


class Clockwork:
    """Stands in for the processes of a timed run: every row does as it is told, at once."""

    def __init__(self) -> None:
        self.jobs: list[SpeedJob] = []
        self.raises: dict[str, Exception] = {}

    def __call__(self, job: SpeedJob, say: object) -> Iterator[tuple[Scenario, ProcessRun]]:
        name = job.row.partition(":")[2]
        self.jobs.append(job)
        for scenario in job.scenarios:
            if name in self.raises:
                raise self.raises[name]
            rate = {"QUICK": 300, "QUARTER": 400}.get(name, 100)
            spread = [rate - len(self.jobs), rate, rate + len(self.jobs)]
            yield scenario, process_run(spread, part=0.25 if name == "QUARTER" else 1.0)


@pytest.fixture
def clockwork(monkeypatch: pytest.MonkeyPatch) -> Clockwork:
    stands_in = Clockwork()
    monkeypatch.setattr(bench.speed.runner, "timed_runs", stands_in)
    return stands_in


def words(folder: Path, *toys: str, **options: object) -> list[str]:
    chosen = {
        "retriever": ",".join(f"{TOYS}:{toy}" for toy in toys),
        "candidates": "100",
        "device": "cpu",
        "seconds": 0.2,
        "threads": 1,
        "results": folder / "results",
        "cache": folder / "cache",
        "report": folder / "report.html",
        **options,
    }
    return [word for name, value in chosen.items() for word in (f"--{name}", str(value))]


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    def run(*toys: str, flags: tuple[str, ...] = (), **options: object) -> Result:
        said = [*words(tmp_path, *toys, **options), *flags]
        return CliRunner().invoke(bench.throughput.app, said)

    return run


def cells(folder: Path) -> dict[tuple[str, int, str], SpeedCell]:
    found = SpeedStore(folder / "results").cells()
    return {(cell.spec.row, cell.spec.candidates, cell.spec.scenario): cell for cell in found}


def in_a_line(text: str) -> str:
    return " ".join(text.split())


def test_a_dry_run_measures_nothing(sweep: Sweep, tmp_path: Path) -> None:
    ended = sweep("QUICK", "SMALL", candidates="100,2e3", flags=("--dry-run",))
    assert ended.exit_code == 0
    told = in_a_line(ended.output)
    assert "quick 100 2" in told
    assert "would run" in told
    assert "In all about" in told
    assert "Left out: small of 2,000. The toy's box holds 1,000." in told
    assert not (tmp_path / "results").exists()
    assert not (tmp_path / "cache").exists()


def test_a_dry_run_as_json(sweep: Sweep) -> None:
    ended = sweep("QUICK", "SMALL", flags=("--dry-run", "--json"))
    found = json.loads(ended.stdout)
    assert [group["row"]["name"] for group in found["groups"]] == [
        "quick",
        "small",
        "quick (again)",
    ]
    assert found["seconds"] > 0
    assert found["groups"][0]["needs"]["host_bytes"] == 1 << 20


def test_a_row_is_measured_in_real_processes(sweep: Sweep, tmp_path: Path) -> None:
    ended = sweep("QUICK", scenario="closed-100,batch-100", repeat=1)
    assert ended.exit_code == 0, ended.output
    cell = cells(tmp_path)["quick", 100, "closed-100"]
    assert (cell.status, cell.paradigm, cell.weights) == ("done", "generative", "of wood")
    assert cell.throughput is not None
    assert 0 < cell.throughput.low <= cell.throughput.value <= cell.throughput.high
    assert set(cell.phases_ms) >= {"encode", "search"}
    assert cell.latency_ms["p50"] <= cell.latency_ms["p95"]
    assert cell.facts["lists"] == 7
    assert cell.facts["seconds a batch"] == 0.002
    assert cell.agreement == 1
    assert cell.checked > 0
    assert "--retriever tests.bench.sweep_toys:QUICK" in cell.command
    assert cell.machine["threads"] == "1"


def test_a_sweep_is_stored_shown_and_reused(
    sweep: Sweep, tmp_path: Path, clockwork: Clockwork
) -> None:
    ended = sweep("QUICK", "SLOW", candidates="100,200", scenario="closed-100,batch-100")
    assert ended.exit_code == 0, ended.output
    found = cells(tmp_path)
    assert len(found) == (2 * 2 + 1) * 2
    assert {name for name, *_ in found} == {"quick", "slow", "quick (again)"}
    assert found["quick (again)", 200, "batch-100"].notes
    store = SpeedStore(tmp_path / "results")
    assert all(list(store.runs(cell.spec.key)) == [0, 1] for cell in found.values())

    told = in_a_line(ended.output)
    assert "closed-100 on cpu, 1 threads: 200 candidates" in told
    assert "quick once more is 1.00x" in told
    assert "quick is 3.00x" in told
    assert "Weights of quick, slow: of wood." in told
    assert "nothing here says how well a row finds" in told
    lines = ended.output.splitlines()
    assert max(len(line) for line in lines if not line.startswith("[")) <= 80

    asked = len(clockwork.jobs)
    again = sweep(
        "QUICK", "SLOW", candidates="200,100", scenario="batch-100,closed-100", flags=("--json",)
    )
    assert len(clockwork.jobs) == asked
    assert cells(tmp_path) == found
    told_again = json.loads(again.stdout)
    assert len(told_again["cells"]) == 10
    assert [one["scenario"] for one in told_again["comparisons"]] == ["closed-100", "batch-100"]
    for compared in told_again["comparisons"]:
        assert compared["repeat"]["row"] == "quick"
        (ratio,) = compared["ratios"]
        assert (ratio["row"], ratio["other"]) == ("quick", "slow")
        assert ratio["times"]["value"] == pytest.approx(3)
    plain = sweep("QUICK", "SLOW", candidates="100,200", scenario="closed-100,batch-100")
    assert "All 10 results were stored already and reused." in plain.output


def test_processes_run_there_and_back(sweep: Sweep, clockwork: Clockwork) -> None:
    ended = sweep("QUICK", "SLOW", "QUARTER", candidates="200,100")
    assert ended.exit_code == 0
    order = [(job.candidates, job.row.partition(":")[2]) for job in clockwork.jobs]
    there = ["QUICK", "SLOW", "QUARTER"]
    repeated = [*there, "QUICK"]
    assert order[:6] == [(100, name) for name in [*there, *there[::-1]]]
    assert sorted(order[6:10]) == sorted((200, name) for name in repeated)
    assert order[10:] == order[9:5:-1]


def test_what_is_extrapolated_is_scaled_and_marked(
    sweep: Sweep, tmp_path: Path, clockwork: Clockwork
) -> None:
    ended = sweep("QUARTER")
    throughput = cells(tmp_path)["quarter", 100, "closed-100"].throughput
    assert throughput is not None
    assert throughput.value == pytest.approx(100)
    assert "quarter 100" in in_a_line(ended.output)
    assert "extrapolated" in ended.output


def test_a_row_that_breaks_ends_no_other_and_runs_again(
    sweep: Sweep, tmp_path: Path, clockwork: Clockwork
) -> None:
    clockwork.raises["SLOW"] = RowFailed("while answering: the toy broke")
    ended = sweep("SLOW", "QUICK")
    assert ended.exit_code == 1
    broken = cells(tmp_path)["slow", 100, "closed-100"]
    assert (broken.status, broken.reason) == ("failed", "while answering: the toy broke")
    assert "slow failed: while answering: the toy broke" in in_a_line(ended.output)
    assert cells(tmp_path)["quick", 100, "closed-100"].status == "done"
    assert sum("SLOW" in job.row for job in clockwork.jobs) == 1

    clockwork.raises.clear()
    planned = in_a_line(sweep("SLOW", "QUICK", flags=("--dry-run",)).output)
    assert "would run again" in planned
    assert "is stored" in planned
    mended = sweep("SLOW", "QUICK")
    assert mended.exit_code == 0, mended.output
    assert cells(tmp_path)["slow", 100, "closed-100"].status == "done"
    assert "2 of 3 results were stored already" in in_a_line(mended.output)


def test_a_surprise_fails_the_row_alone(sweep: Sweep, tmp_path: Path, clockwork: Clockwork) -> None:
    clockwork.raises["SLOW"] = ZeroDivisionError("by zero")
    ended = sweep("SLOW", "QUICK", repeat=1)
    assert ended.exit_code == 1
    assert "ZeroDivisionError: by zero" in cells(tmp_path)["slow", 100, "closed-100"].reason


def test_what_cannot_run_is_left_out_with_its_reason(
    sweep: Sweep, tmp_path: Path, clockwork: Clockwork
) -> None:
    clockwork.raises["LACKING"] = CannotRun("The toy needs more room than the box has.")
    ended = sweep("QUICK", "LACKING", "TOO_LARGE")
    assert ended.exit_code == 0, ended.output
    told = in_a_line(ended.output)
    assert "Left out: lacking of 100. The toy needs more room than the box has." in told
    assert "Left out: too-large of 100. It needs 1000000.0 GB of memory, and" in told
    left_out = SpeedStore(tmp_path / "results").left_out()
    assert {each.row for each in left_out} == {"too-large", "lacking"}
    assert {name for name, *_ in cells(tmp_path)} == {"quick", "quick (again)"}


def test_a_real_row_may_break_or_lack_something(sweep: Sweep, tmp_path: Path) -> None:
    ended = sweep("CRASHES", "LACKING", repeat=1)
    assert ended.exit_code == 1
    assert "while building" in cells(tmp_path)["crashes", 100, "closed-100"].reason
    assert "Left out: lacking of 100. The toy needs more room" in in_a_line(ended.output)


def test_where_nothing_can_run_the_status_says_so(sweep: Sweep, tmp_path: Path) -> None:
    ended = sweep("TOO_LARGE")
    assert ended.exit_code == 2
    assert "Nothing ran" in ended.output
    assert [each.row for each in SpeedStore(tmp_path / "results").left_out()] == ["too-large"]


def test_a_row_that_cannot_even_count_fails(sweep: Sweep, clockwork: Clockwork) -> None:
    ended = sweep("CLUELESS", "QUICK")
    assert ended.exit_code == 1
    assert "RuntimeError: the toy cannot count" in in_a_line(ended.output)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"candidates": "1e3,many"}, "whole numbers"),
        ({"candidates": "5"}, "at least as many"),
        ({"candidates": "1e12"}, "1,000,000,000"),
        ({"scenario": "closed"}, "closed-100, burst-100, open, batch-100"),
        ({"dtype": "fp8"}, "auto, fp32, bf16, fp16, int8"),
        ({"retriever": "clip:papre"}, "Did you mean clip:paper"),
        ({"retriever": "tests.bench.nowhere:ROW"}, "names no module"),
        ({"device": "tpu"}, "is no device"),
    ],
)
def test_a_command_line_that_cannot_be_followed(
    sweep: Sweep, options: dict[str, Any], sentence: str
) -> None:
    ended = sweep("QUICK", **options)
    assert ended.exit_code == 2
    assert sentence in in_a_line(ended.output)
    assert "Traceback" not in ended.output


def _until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it took too long"
        time.sleep(0.02)


def _started(folder: Path) -> Any:
    """A sweep in a process of its own, of which one run is stored."""
    line = f"{SAME_CODE}; from bench.throughput import app; app()"
    process = start("-c", line, *words(folder, "QUICK", "SLOW", repeat=1))
    runs = folder / "results" / "throughput"
    _until(lambda: list(runs.glob("*/run-0.json")))
    return process


def test_a_sweep_that_was_killed_continues(sweep: Sweep, tmp_path: Path) -> None:
    process = _started(tmp_path)
    process.kill()
    process.communicate(timeout=30)
    folder = tmp_path / "results" / "throughput"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/run-*.json")}
    assert before
    ended = sweep("QUICK", "SLOW", repeat=1)
    assert ended.exit_code == 0, ended.output
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(list(folder.glob("*/run-*.json"))) == 3
    assert {cell.status for cell in cells(tmp_path).values()} == {"done"}


def test_a_sweep_that_is_interrupted_says_what_to_do(tmp_path: Path) -> None:
    process = _started(tmp_path)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 130, output
    assert "the same command continues" in in_a_line(output)


def test_rows_are_listed_without_torch() -> None:
    ended = python(
        "import sys; from typer.testing import CliRunner; import bench.throughput as t; "
        "print(CliRunner().invoke(t.app, ['--list']).output, 'torch' in sys.modules)"
    )
    assert "clip:paper" in ended.stdout
    assert ended.stdout.split()[-1] == "False"


def test_what_shows_is_told_apart_from_what_decides() -> None:
    folder = Path(bench.throughput.__file__).parent / "speed"
    assert {f"{name}.py" for name in SHOWING} <= {path.name for path in folder.glob("*.py")}
