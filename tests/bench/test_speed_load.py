"""A row under load: what is asked, what is answered, and how a pair of processes ends."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import count, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bench.speed.process
from bench.side_by_side import Stopped
from bench.speed.asker import Asker
from bench.speed.cells import ProcessRun, Scenario
from bench.speed.front_end import FrontEnd
from bench.speed.job import LoadSettings, SpeedJob, speed_job_from_json, speed_job_to_json
from bench.speed.lookup import served_row
from bench.speed.process import CannotRun, RowFailed, timed_runs
from bench.speed.rounds import Pace, Timed
from bench.speed.scenarios import burst, closed, once, open_loop
from bench.speed.wire import Closed, Wire
from datasets.candidates import drawn
from retrievers.serving.contract import Place
from retrievers.serving.rows import UnknownRow
from tests.bench import speed_toys
from tests.bench.processes import start

ALL: tuple[Scenario, ...] = ("closed-100", "burst-100", "open", "batch-100")


def job(folder: Path, toy: str, *scenarios: Scenario, seconds: float = 0.5) -> SpeedJob:
    return SpeedJob(
        row=f"tests.bench.speed_toys:{toy}",
        device="cpu",
        numbers="auto",
        threads=1,
        cache=folder,
        candidates=1000,
        dim=64,
        k=10,
        seed=0,
        scenarios=scenarios or ("closed-100",),
        seconds=seconds,
    )


def quietly(label: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


def runs_of(asked: SpeedJob) -> dict[Scenario, ProcessRun]:
    return dict(timed_runs(asked, quietly))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("candidates")


# Both ends in this process.


LOAD = LoadSettings()


@contextmanager
def served(toy: speed_toys.ToyClass, folder: Path, load: LoadSettings = LOAD) -> Iterator[Asker]:
    """What asks a toy, whose front end runs in a thread."""
    ours, theirs = socket.socketpair()
    told = replace(job(folder, "Slow"), load=load)
    row = toy(Place("cpu", "auto", 1, folder))
    built = row.build(drawn(folder, told.candidates, told.dim), quietly)
    front_end = FrontEnd(row, 1.0, built, told, Wire(theirs), time.perf_counter)

    def serve() -> None:
        with pytest.raises(Closed):
            front_end.serve()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Asker(Wire(ours), (f"text {n}" for n in count()), time.perf_counter)
    finally:
        ours.close()
        thread.join()
        theirs.close()


def no_tick(elapsed: float) -> None:
    """Progress that nobody looks at."""


PACE = Pace(seconds=0.3, warm_up=0.1)


def test_exactly_so_many_requests_are_outstanding() -> None:
    """Against a server that answers a few at a time and in no order."""
    ours, theirs = socket.socketpair()
    wire, draw = Wire(theirs), random.Random(0)
    held: list[int] = []
    most: list[int] = []
    texts: list[str] = []

    def serve() -> None:
        while True:
            try:
                messages = wire.receive(0.001)
            except Closed:
                return
            asked = [each for message in messages for each in message["ask"]]
            held.extend(number for number, _ in asked)
            texts.extend(text for _, text in asked)
            most.append(len(held))
            draw.shuffle(held)
            some = [held.pop() for _ in range(draw.randint(0, min(7, len(held))))]
            if some:
                wire.send({"answers": [[number, []] for number in some]})

    thread = threading.Thread(target=serve)
    thread.start()
    asker = Asker(Wire(ours), (f"text {n}" for n in count()), time.perf_counter)
    timed = closed(asker, 20, PACE, no_tick)
    ours.close()
    thread.join()
    assert max(most) == 20
    assert asker.outstanding == 0
    assert len(texts) == len(set(texts)) >= timed.completed + timed.warm_up


def latencies_above(timed: Timed, seconds: float) -> int:
    return sum(latency > seconds for latency in timed.latencies)


def test_a_stall_shows_in_all_that_was_due_meanwhile_and_in_few_that_wait_for_answers(
    cache: Path,
) -> None:
    # No warm-up and windows of a fifth of a second: the stall lies within what counts.
    pace = Pace(seconds=1.2, warm_up=0.0)
    bound = speed_toys.STALL_SECONDS / 2
    with served(speed_toys.StallsOnce, cache) as asker:
        waiting = closed(asker, 4, pace, no_tick)
    with served(speed_toys.StallsOnce, cache) as asker:
        due = open_loop(asker, 200.0, 20, pace, seed=1, tick=no_tick)
    assert latencies_above(waiting, bound) <= 4
    # A quarter of a second of requests was due in the first half of the stall.
    assert latencies_above(due, bound) > 20
    assert max(due.latencies) > speed_toys.STALL_SECONDS * 0.9
    assert due.offered == 200


def test_batches_are_as_large_as_told(cache: Path) -> None:
    load = LoadSettings(largest_batch=8)
    with served(speed_toys.Slow, cache, load) as asker:
        asker.order({"begin": 0})
        timed = closed(asker, 20, PACE, no_tick)
        report = asker.order({"end": [timed.begin, timed.end]})["report"]
    sizes = {int(size): often for size, often in report["batches"].items()}
    assert max(sizes) == 8
    assert sum(size * often for size, often in sizes.items()) == timed.completed
    assert report["checked"] == 16
    assert report["agreement"] == 1


def test_bursts_wait_for_all_of_a_round(cache: Path) -> None:
    with served(speed_toys.Slow, cache) as asker:
        assert len(once(asker, 5)) == 5
        timed = burst(asker, 30, PACE, no_tick)
    assert {window.completed for window in timed.windows} == {30}
    assert all(first.end <= second.begin for first, second in pairwise(timed.windows))
    assert timed.completed == len(timed.latencies) == 30 * len(timed.windows)
    longest = max(window.end - window.begin for window in timed.windows)
    assert max(timed.latencies) <= longest


def test_answers_that_disagree_with_the_reference_end_the_front_end(cache: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        told = job(cache, "Garbage")
        row = speed_toys.Garbage(Place("cpu", "auto", 1, cache))
        built = row.build(drawn(cache, told.candidates, told.dim), quietly)
        front_end = FrontEnd(row, 0.5, built, told, Wire(theirs), time.perf_counter)
        client = Wire(ours)
        client.send({"ask": [[0, "a red ring"], [1, "a blue disc"]]})
        client.send({"end": [0.0, 1e12]})
        with pytest.raises(Exception, match="below the 50% that it must hold"):
            front_end.serve()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=2000), max_size=300))
def test_messages_arrive_whole_however_large(texts: list[str]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender, receiver = Wire(ours), Wire(theirs)
        sender.post({"ask": list(enumerate(texts))})
        sender.post({"more": 1})
        came: list[dict[str, object]] = []
        while len(came) < 2:
            came += receiver.receive(0.01)
            sender.receive(0)
        assert came == [{"ask": [[n, text] for n, text in enumerate(texts)]}, {"more": 1}]


# Both ends in processes of their own.


def test_jobs_survive_the_way_to_a_process(tmp_path: Path) -> None:
    load = LoadSettings(latency_ms=50, sample=3)
    told = replace(job(tmp_path, "Slow", "open", "batch-100"), load=load)
    assert speed_job_from_json(speed_job_to_json(told)) == told


@pytest.mark.parametrize(
    "wrong", [{"outstanding": 0}, {"rate_share": 0.0}, {"wait_ms": -1.0}, {"sample": 0}]
)
def test_a_load_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"must|share"):
        LoadSettings(**wrong)


def test_rows_are_found_by_their_full_name() -> None:
    assert served_row("tests.bench.speed_toys:Slow").target == "tests.bench.speed_toys:Slow"
    assert served_row("null").name == "null"
    for name in ("nul", "tests.bench.speed_toys:Fast", "tests.bench.no_toys:Fast"):
        with pytest.raises(UnknownRow):
            served_row(name)


def test_every_scenario_of_one_process(cache: Path) -> None:
    load = LoadSettings(latency_ms=200)
    runs = runs_of(replace(job(cache, "Slow", *ALL, seconds=0.3), load=load))
    assert tuple(runs) == ALL
    for scenario, run in runs.items():
        assert run.completed == sum(window.completed for window in run.windows), scenario
        assert 0 <= run.windows[0].begin < 0.1
        assert all(first.end <= second.begin for first, second in pairwise(run.windows))
        assert run.checked == 16
        assert run.agreement == 1
        assert run.part == 1
        assert run.build == {"toy": 0.5}
        assert run.facts["lists"] == 7
        assert run.generator_qps > 1000
        assert set(run.seconds) == {"encode", "search", "front end"}
        assert run.seconds["search"] == pytest.approx(3 * run.seconds["encode"])
        assert run.memory["model_bytes"] == 20
        assert run.memory["peak_bytes"] > 10_000_000
        asked = sum(int(size) * often for size, often in run.batches.items())
        if scenario != "open":
            assert asked == run.completed == len(run.latencies_ms)
    assert {window.completed for window in runs["burst-100"].windows} == {100}
    assert runs["batch-100"].batches == {"100": len(runs["batch-100"].windows)}
    capacity = runs["closed-100"].completed / runs["closed-100"].windows[-1].end
    assert runs["open"].offered_qps == pytest.approx(0.7 * capacity)
    within = runs["open"].facts["queries/s with p95 within 200 ms"]
    assert 0 <= float(within) <= capacity
    assert "queries/s with p95 within 200 ms" not in runs["closed-100"].facts


def test_windows_of_slow_batches_are_the_batches_and_no_more_than_must_be(cache: Path) -> None:
    run = runs_of(job(cache, "VerySlow", seconds=0.1))["closed-100"]
    assert {window.completed for window in run.windows} == {100}
    assert run.warm_up % 100 == 0
    assert 2 <= len(run.windows) + run.warm_up // 100 <= 3
    assert run.checked >= 2


def test_a_part_of_the_work_is_told_as_one(cache: Path) -> None:
    assert runs_of(job(cache, "Quarter", "batch-100"))["batch-100"].part == 0.25


@pytest.mark.parametrize(
    ("toy", "reason"),
    [
        ("Garbage", r"while answering: of 16 .* below the 100% that it must hold"),
        ("Duplicates", "while answering: the ranking holds the same item twice"),
        ("NotANumber", "while answering: the ranking holds a score that is not a finite number"),
        ("OneShort", r"while answering: the ranking has the shape \[7, 10\]"),
        ("Crashes", r"while answering: RuntimeError: the toy broke.*speed_toys.py, line"),
        ("Killed", "while answering: its process was killed by SIGKILL"),
        ("BuildCrashes", "while building: RuntimeError: the toy broke"),
    ],
)
def test_a_row_that_fails_says_why(cache: Path, toy: str, reason: str) -> None:
    with pytest.raises(RowFailed, match=reason):
        runs_of(job(cache, toy))


def test_a_row_as_fast_as_what_asks_is_refused_but_not_where_it_is_asked_directly(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.speed.process, "generator_ceiling", lambda *_, **__: 300.0)
    with pytest.raises(RowFailed, match="more than half of the 300 that the load generator"):
        runs_of(job(cache, "Slow", "closed-100"))
    run = runs_of(job(cache, "Slow", "batch-100"))["batch-100"]
    assert run.completed == 100 * len(run.windows)
    assert run.generator_qps == 300


def test_a_row_that_cannot_run_here_says_why(cache: Path) -> None:
    with pytest.raises(CannotRun, match="more room than the box has"):
        runs_of(job(cache, "Lacking"))
    with pytest.raises(CannotRun, match="on a processor alone"):
        runs_of(replace(job(cache, "Slow"), device="cuda"))


def gone(process: int) -> bool:
    """Whether a process has ended, whether or not its parent has looked."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.05)


def children_of(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(each) for each in found.split()]


@pytest.fixture
def toy_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOY_FOLDER", str(tmp_path))
    return tmp_path


def test_a_row_that_hangs_is_ended_when_it_is_asked_to_stop(cache: Path, toy_folder: Path) -> None:
    stop = threading.Event()
    told = toy_folder / "server"

    def set_once_it_hangs() -> None:
        until(lambda: told.exists() and bool(told.read_text()))
        stop.set()

    watcher = threading.Thread(target=set_once_it_hangs)
    watcher.start()
    with pytest.raises(Stopped):
        list(timed_runs(job(cache, "Hangs"), quietly, stop))
    watcher.join()
    assert gone(int(told.read_text()))


def test_runs_that_nobody_wants_any_more_end_their_processes(cache: Path, toy_folder: Path) -> None:
    with closing(timed_runs(job(cache, "TellsItsNumber", *ALL), quietly)) as runs:
        assert next(runs)[0] == "closed-100"
        before = children_of(os.getpid())
        assert int((toy_folder / "server").read_text()) in before
    assert not set(before) & set(children_of(os.getpid()))


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_the_one_that_started_it(
    cache: Path, toy_folder: Path, ending: signal.Signals
) -> None:
    told = job(cache, "TellsItsNumber", seconds=600)
    line = (
        "import sys; from bench.speed.job import speed_job_from_json as read;"
        "from bench.speed.process import timed_runs;"
        "list(timed_runs(read(sys.argv[1]), lambda *_: None))"
    )
    parent = start("-c", line, speed_job_to_json(told))
    until(lambda: (toy_folder / "server").exists())
    until(lambda: len(children_of(parent.pid)) == 2)
    children = children_of(parent.pid)
    parent.send_signal(ending)
    parent.communicate()
    until(lambda: all(map(gone, children)))
