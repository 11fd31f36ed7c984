"""Whole runs of python -m bench.accuracy with toy retrievers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import bench.accuracy
import bench.request
from bench.accuracy import app
from bench.cells import Cell
from bench.looks import ATTACHMENT, looks_from_json
from bench.store import ResultStore
from datasets.loading import Choice
from tests.bench.processes import start
from tests.datasets.tiny_files import write_coco, write_picture

Run = Callable[..., Result]


def named(names: Sequence[str]) -> str:
    return ",".join(f"tests.bench.toy:{name}" for name in names)


def words(folder: Path, manifest: Path, names: Sequence[str]) -> list[str]:
    return [
        *("--manifest", str(manifest), "--retriever", named(names), "--device", "cpu"),
        *("--results", str(folder / "results"), "--cache", str(folder / "cache")),
        *("--report", str(folder / "report.html")),
    ]


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def run(tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command without the report, which takes a process of its own."""
    monkeypatch.setattr(bench.accuracy, "write_report", lambda *_: True)
    return runner(tmp_path, manifest)


@pytest.fixture
def run_and_report(tmp_path: Path, manifest: Path) -> Run:
    return runner(tmp_path, manifest)


def runner(tmp_path: Path, manifest: Path) -> Run:
    def runs(*names: str, more: Sequence[str] = ()) -> Result:
        return CliRunner().invoke(app, [*words(tmp_path, manifest, names), *more])

    return runs


def stored(folder: Path) -> dict[str, Cell]:
    return {cell.spec.retriever.name: cell for cell in ResultStore(folder / "results").cells()}


def test_weights_that_cannot_be_read_fail_their_own_cell_with_a_sentence(
    run: Run, tmp_path: Path
) -> None:
    ended = run("DAMAGED", "CONSTANT")
    assert ended.exit_code == 1, ended.output
    assert "failed: The toy's box was opened." in flat(ended.output)
    assert "CheckpointError" not in ended.output
    assert stored(tmp_path)["constant"].status == "done"


def test_good_and_bad_retrievers_in_one_run(run_and_report: Run, tmp_path: Path) -> None:
    bad = ("NAN", "CRASH", "KILLED", "LEAVES")
    left_out = ("LACKING", "WASHED", "AUDIO", "NARROWER")
    ended = run_and_report("LEXICAL", *bad, *left_out, "CONSTANT")
    assert ended.exit_code == 1, ended.output
    cells = stored(tmp_path)
    assert set(cells) == {"lexical", "constant", *(name.lower() for name in bad)}
    assert {name for name, cell in cells.items() if cell.status == "done"} == {
        "lexical",
        "constant",
    }
    assert cells["lexical"].metrics["R@1"].value > 2 * cells["constant"].metrics["R@1"].value
    assert cells["constant"].metrics["R@1"].value == pytest.approx(1 / 12)
    reasons = {name: cells[name].reason for name in map(str.lower, bad)}
    assert "while searching: the ranking holds a score that is not a finite" in reasons["nan"]
    assert "while fitting: RuntimeError: the toy broke as it was told to" in reasons["crash"]
    assert "tests/bench/toy.py, line" in reasons["crash"]
    assert "while fitting: its process was killed by SIGKILL" in reasons["killed"]
    assert "ended with status 7" in reasons["leaves"]
    assert all(not cells[name].metrics for name in reasons)

    skipped = {each.retriever: each.reason for each in ResultStore(tmp_path / "results").skipped()}
    assert set(skipped) == {f"tests.bench.toy:{name}" for name in left_out}
    assert "toy truck" in skipped["tests.bench.toy:LACKING"]
    assert "in the wash" in skipped["tests.bench.toy:WASHED"]
    for name in ("AUDIO", "NARROWER"):
        assert skipped[f"tests.bench.toy:{name}"] == "It ranks audio alone."

    shown = flat(ended.output)
    assert "constant 8.3" in shown
    # Each kind of cell comes once, so that none says how long another takes.
    assert shown.count("runs; time left not known yet") == 7
    assert "words shared with the answer" in shown
    assert "crash failed: seed 0: while fitting" in shown
    assert "Left out: tests.bench.toy:WASHED on toys. The toy is in the wash." in shown
    assert max(map(len, ended.output.splitlines())) <= max(80, len(str(tmp_path)) + 40)
    assert f"Report: {tmp_path / 'report.html'}" in shown
    assert (tmp_path / "report.html").is_file()

    cell = cells["lexical"]
    assert cell.counts["gallery"] == 12
    assert cell.seconds.keys() >= {"fit/toy", "index/toy", "search/all"}
    assert cell.memory["peak_bytes"] > 10_000_000
    assert "--retriever tests.bench.toy:LEXICAL" in cell.command
    assert cell.machine["device"] == "cpu"
    store = ResultStore(tmp_path / "results")
    shown = [store.attachment(cells[name].spec.key, ATTACHMENT) for name in ("lexical", "constant")]
    first, second = (looks_from_json(content or b"") for content in shown)
    assert len(first.queries) == 24
    assert first.queries == second.queries
    pictures = {seen.media.thumbnail for seen in first.items.values()}
    assert {path.name for path in store.media.iterdir()} == pictures


def test_what_is_stored_is_reused_and_what_failed_runs_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_FOLDER", str(tmp_path))
    assert run("LEXICAL", "MENDABLE").exit_code == 1
    first = ResultStore(tmp_path / "results").cells()
    assert [cell.status for cell in first] == ["done", "failed"]

    seeds = ("--seeds", "0,1")
    planned = run("LEXICAL", "MENDABLE", "WASHED", more=(*seeds, "--dry-run"))
    assert planned.exit_code == 0
    assert flat(planned.output).count("is stored, would be reused") == 1
    assert flat(planned.output).count("would run") == 3
    assert "WASHED on toys. The toy is in the wash." in flat(planned.output)
    assert ResultStore(tmp_path / "results").cells() == first

    (tmp_path / "mended").touch()
    again = run("LEXICAL", "MENDABLE", more=seeds)
    assert again.exit_code == 0, again.output
    assert flat(again.output).count("stored already, reused") == 1
    assert flat(again.output).count("runs again (failed before: while fitting") == 1
    assert "1 of 4 cells were stored already and reused." in flat(again.output)
    kept = {cell.spec.key: cell for cell in ResultStore(tmp_path / "results").cells()}
    assert kept[first[0].spec.key] == first[0]
    assert [cell.status for cell in kept.values()] == ["done"] * 4

    quiet = run("LEXICAL", more=(*seeds, "--quiet"))
    assert "stored already, reused" not in flat(quiet.output)
    assert "lexical" in quiet.output


def test_a_retriever_that_ranks_texts_is_measured_both_ways(run: Run, tmp_path: Path) -> None:
    ended = run("TWO_WAY", "LEXICAL")
    assert ended.exit_code == 0, ended.output
    cells = stored(tmp_path)
    cell = cells["two-way"]
    assert (cell.modality, cell.media_to_text) == ("image", "any caption")
    assert set(cell.reverse) == set(cell.metrics)
    assert cell.counts["items_asked"] == 12
    assert cell.seconds["search/reverse"] > 0
    assert cells["lexical"].reverse == {}
    backward = ResultStore(tmp_path / "results").reverse(cell.spec.key)
    assert sorted(backward["item"]) == sorted(backward["query"])
    assert len(backward) == 12
    shown = flat(ended.output)
    assert "image to text: 12 items ask, rule any caption; chance R@1 8.3" in shown
    assert f"two-way {100 * cell.reverse['R@1'].value:.1f}" in shown.split("image to text")[1]
    assert shown.count("image to text") == 1


def tiny_coco(folder: Path, year: int, items: int) -> None:
    """The two files of an official split with a picture an item."""
    for part, first in (("train", 100), ("val", 0)):
        captions = {first + n: [f"thing {n}", f"a picture of thing {n}"] for n in range(items)}
        write_coco(folder / f"captions_{part}{year}.json", captions)
        for image in captions:
            write_picture(folder / f"{part}{year}" / f"{image}.jpg", seed=year + image)


def test_one_dataset_under_two_protocols_makes_two_rows(tmp_path: Path, run: Run) -> None:
    for year, items in ((2014, 30), (2017, 20)):
        tiny_coco(tmp_path / "data" / "mscoco", year, items)
    ended = CliRunner().invoke(
        app,
        [
            *(
                "--dataset",
                "mscoco:val2017,mscoco:val2014,mscoco",
                "--retriever",
                named(["CONSTANT"]),
            ),
            *("--data-root", str(tmp_path / "data"), "--cache", str(tmp_path / "cache")),
            *("--results", str(tmp_path / "results"), "--device", "cpu", "--quiet"),
        ],
    )
    assert ended.exit_code == 0, ended.output
    cells = ResultStore(tmp_path / "results").cells()
    assert {cell.spec.dataset for cell in cells} == {"mscoco"}
    assert sorted(cell.spec.protocol.split("-")[0] for cell in cells) == ["val2014", "val2017"]
    galleries = {cell.spec.protocol.split("-")[0]: cell.counts["gallery"] for cell in cells}
    assert galleries == {"val2014": 30, "val2017": 20}
    assert sorted(cell.command.split()[4] for cell in cells) == ["mscoco:val2014", "mscoco:val2017"]


def test_one_dataset_that_cannot_be_loaded_does_not_end_the_others(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    tiny_coco(data / "mscoco", 2017, 12)
    write_picture(data / "flickr30k" / "images" / "1.jpg")
    (data / "flickr30k" / "dataset_flickr30k.json").write_text("{half of it")
    both = [Choice(name, name, "It was found.") for name in ("flickr30k", "mscoco")]
    monkeypatch.setattr(bench.request.loading, "choose_all", lambda *_: both)
    words = [
        *("--retriever", named(["CONSTANT"]), "--data-root", str(data), "--device", "cpu"),
        *("--cache", str(tmp_path / "cache"), "--results", str(tmp_path / "results")),
    ]
    dry = CliRunner().invoke(app, ["--all", "--dry-run", *words])
    assert "flickr30k: fail:" in flat(dry.output)
    assert "would run" in flat(dry.output)
    ended = CliRunner().invoke(app, ["--all", *words])
    assert ended.exit_code == 1, ended.output
    assert "Failed: flickr30k." in flat(ended.output)
    store = ResultStore(tmp_path / "results")
    assert [cell.spec.dataset for cell in store.cells()] == ["mscoco"]
    (lost,) = store.skipped()
    assert (lost.dataset, lost.retriever) == ("flickr30k", "")
    assert "dataset_flickr30k.json" in lost.reason

    alone = CliRunner().invoke(app, ["--dataset", "flickr30k,mscoco", *words])
    assert alone.exit_code == 2
    assert "dataset_flickr30k.json" in flat(alone.output)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def alive(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rsplit(") ", 1)[1][0] != "Z"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks processes up in /proc")
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_stopped_run_leaves_no_process_and_continues(
    tmp_path: Path,
    manifest: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    sent: int,
    status: int,
) -> None:
    monkeypatch.setenv("TOY_FOLDER", str(tmp_path))
    command = words(tmp_path, manifest, ["LEXICAL", "WAITS"])
    process = start("-m", "bench.accuracy", *command)
    wait_for(lambda: (tmp_path / "waiting").exists() and (tmp_path / "waiting").read_text() != "")
    computing = int((tmp_path / "waiting").read_text())
    assert alive(computing)
    os.kill(process.pid, sent)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == status, output
    assert ("the same command continues" in flat(output)) == (sent == signal.SIGINT)
    assert "Traceback" not in output
    wait_for(lambda: not alive(computing), seconds=20)
    assert set(stored(tmp_path)) == {"lexical"}

    (tmp_path / "go").touch()
    again = run("LEXICAL", "WAITS")
    assert again.exit_code == 0, again.output
    assert flat(again.output).count("stored already, reused") == 1
    assert set(stored(tmp_path)) == {"lexical", "waits"}


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks processes up in /proc")
def test_what_a_dead_cell_started_ends_with_it(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_FOLDER", str(tmp_path))
    assert run("ORPHAN").exit_code == 1
    assert "killed by SIGKILL" in stored(tmp_path)["orphan"].reason
    wait_for(lambda: not alive(int((tmp_path / "orphan").read_text())))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--retriever", "cartt"], "Did you mean cart or"),
        (["--retriever", "tests.bench.toy:LEXICAX"], "LEXICAX"),
        (["--dataset", "flickr30k-minj"], "Did you mean flickr30k-mini"),
        (["--dataset", "mscoco:2k"], "no variant '2k'. Variants: mscoco:"),
        (["--dataset", "flickr30k-mini", "--seeds", "x"], "whole numbers"),
        (["--dataset", "flickr30k-mini", "--device", "tpu"], "'tpu' is no device"),
        (["--all", "--checkpoint", "imag=x"], "Did you mean image?"),
        (["--manifest", "no-such-file.csv"], "does not exist"),
        ([], "Say what to run"),
    ],
)
def test_a_command_line_that_cannot_be_followed(
    tmp_path: Path, more: list[str], sentence: str
) -> None:
    ended = CliRunner().invoke(
        app, [*more, "--cache", str(tmp_path / "cache"), "--results", str(tmp_path / "results")]
    )
    assert ended.exit_code == 2
    assert sentence in flat(ended.output)
    assert not (tmp_path / "cache").exists()


def test_broken_data_ends_the_run_before_it_begins(tmp_path: Path, run: Run) -> None:
    (tmp_path / "bad.csv").write_text("id,path,caption,split\na,a.jpg,a thing,test\n")
    ended = run("LEXICAL", more=("--manifest", str(tmp_path / "bad.csv")))
    assert ended.exit_code == 2
    assert "a.jpg" in flat(ended.output)
    assert not (tmp_path / "results").exists()


def test_a_run_in_which_nothing_can_run_says_so(run: Run) -> None:
    ended = run("WASHED", "AUDIO")
    assert ended.exit_code == 2
    assert "Nothing ran" in flat(ended.output)


def test_the_list_shows_what_there_is(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["--list", "--cache", str(tmp_path)])
    assert ended.exit_code == 0
    for name in ("tiny-dual", "aligned", "cart", "generative", "flickr30k-mini", "mscoco"):
        assert name in ended.output
    assert "--checkpoint image=HUB_ID_OR_PATH" in flat(ended.output)
    assert "Published R@1: flickr30k 55.9, mscoco 30.4" in flat(ended.output)
    assert "Published figures only" in ended.output
    assert "mscoco:5k" in ended.output
    assert "Drawn on first use" in flat(ended.output) or "is drawn on first use" in ended.output
    assert not list(tmp_path.iterdir())
    assert max(map(len, ended.output.splitlines())) <= 80


def test_the_list_of_named_retrievers_tells_all(tmp_path: Path) -> None:
    ended = CliRunner().invoke(
        app, ["--list", "--retriever", "imagebind,aligned", "--cache", str(tmp_path)]
    )
    shown = flat(ended.output)
    assert "--checkpoint aligned.image=" in shown
    assert "imagebind_huge.pth" in shown
    assert "not for commercial use" in shown
    assert "msrvtt R@1 36.8 of imagebind_huge.pth" in shown
    assert "flickr30k-mini" not in shown


def test_every_option_is_explained() -> None:
    ended = CliRunner().invoke(app, ["--help"])
    assert ended.exit_code == 0
    explained = flat(ended.output)
    for option in ("--all", "--dry-run", "--skip-bad", "--checkpoint", "--data-root", "--seeds"):
        assert option in explained
    assert "130 interrupted" in explained
