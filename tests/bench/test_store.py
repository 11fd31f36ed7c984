"""Results are kept whole: round trips, broken folders, killed writers, several at once."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

import bench.store
from bench.store import RANK_COLUMNS, REVERSE_COLUMNS, ResultStore, Skipped
from tests.bench.results import SPEC, done, failed, frame, reverse_frame

PLACES = [1, 0, 3, 10]


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "results")


def test_what_is_written_is_read(store: ResultStore) -> None:
    cell = done(PLACES)
    store.write(cell, frame(PLACES))
    assert store.get(SPEC.key) == cell
    assert store.cells() == [cell]
    found = store.ranks(SPEC.key)
    assert list(found.columns) == list(RANK_COLUMNS)
    assert found["best"].tolist() == PLACES
    assert found["text"].tolist() == frame(PLACES)["text"].tolist()
    assert [list(ids) for ids in found["ids"]] == frame(PLACES)["ids"].tolist()


def test_nothing_is_there_at_first(store: ResultStore) -> None:
    assert store.get(SPEC.key) is None
    assert store.cells() == []
    assert store.skipped() == []
    with pytest.raises(FileNotFoundError):
        store.ranks(SPEC.key)


def test_cells_come_oldest_first(store: ResultStore) -> None:
    for seed, created in ((0, "2026-03-01"), (1, "2026-01-01"), (2, "2026-02-01")):
        store.write(done(PLACES, seed=seed, created=created), frame(PLACES))
    assert [cell.spec.seed for cell in store.cells()] == [1, 2, 0]


def test_a_failed_cell_is_replaced_and_a_done_one_stays(store: ResultStore) -> None:
    store.write(failed())
    assert store.get(SPEC.key) == failed()
    store.write(done(PLACES), frame(PLACES))
    store.write(failed())
    store.write(done([1, 1, 1, 1]), frame([1, 1, 1, 1]))
    assert store.get(SPEC.key) == done(PLACES)
    assert sorted(path.name for path in store.root.iterdir()) == [".lock", SPEC.key]


def test_a_done_cell_needs_all_its_ranks(store: ResultStore) -> None:
    with pytest.raises(ValueError, match="ranks"):
        store.write(done(PLACES))
    with pytest.raises(ValueError, match="worst"):
        store.write(done(PLACES), frame(PLACES).drop(columns="worst"))
    assert store.cells() == []


def test_both_directions_are_kept(store: ResultStore) -> None:
    cell, backward = done(PLACES, reverse=[2, 0]), reverse_frame([2, 0])
    for incomplete in (done(PLACES), cell):
        with pytest.raises(ValueError, match="come together"):
            store.write(incomplete, frame(PLACES), reverse=None if incomplete.reverse else backward)
    store.write(cell, frame(PLACES), reverse=backward)
    assert store.get(SPEC.key) == cell
    found = store.reverse(SPEC.key)
    assert list(found.columns) == list(REVERSE_COLUMNS)
    assert found["best"].tolist() == [2, 0]
    _cut(store.root / SPEC.key / "reverse.parquet")
    assert store.get(SPEC.key) is None


def _cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _rename_key(path: Path) -> None:
    found = json.loads(path.read_text())
    found["spec"]["seed"] = 99
    path.write_text(json.dumps(found))


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("cell.json", _cut),
        ("cell.json", lambda path: path.write_text("[]")),
        ("cell.json", lambda path: path.write_text('{"schema": 3}')),
        ("cell.json", lambda path: path.write_bytes(b"\xff\xfe")),
        ("cell.json", Path.unlink),
        ("cell.json", _rename_key),
        ("ranks.parquet", _cut),
        ("ranks.parquet", Path.unlink),
        ("looks.json", _cut),
    ],
)
def test_a_broken_cell_is_put_aside_with_a_sentence(
    store: ResultStore, caplog: pytest.LogCaptureFixture, file: str, damage: object
) -> None:
    store.write(done(PLACES), frame(PLACES), attachments={"looks.json": b"{} "})
    store.write(done(PLACES, seed=1), frame(PLACES))
    damage(store.root / SPEC.key / file)  # type: ignore[operator]
    with caplog.at_level(logging.WARNING):
        assert store.get(SPEC.key) is None
    assert [cell.spec.seed for cell in store.cells()] == [1]
    assert "is broken" in caplog.text
    assert "run the benchmark again" in caplog.text
    assert len(list((store.root / "quarantine").iterdir())) == 1
    store.write(done(PLACES), frame(PLACES))
    assert store.get(SPEC.key) == done(PLACES)


def test_cells_of_another_schema_are_left_alone(
    store: ResultStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.write(done(PLACES), frame(PLACES))
    path = store.root / SPEC.key / "cell.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 1}))
    assert store.cells() == []
    assert "schema is 1" in caplog.text
    assert path.is_file()


def test_a_store_that_cannot_be_written_can_be_read(
    store: ResultStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(done(PLACES), frame(PLACES))
    _cut(store.root / SPEC.key / "cell.json")

    def refuse(*_: object) -> None:
        raise PermissionError("read-only file system")

    monkeypatch.setattr(Path, "rename", refuse)
    assert store.get(SPEC.key) is None
    assert "cannot be moved aside: read-only" in caplog.text


def _write_until_killed(root: Path, started: str) -> None:
    def stop_there(path: Path, content: bytes) -> None:
        path.write_bytes(content[: len(content) // 2])
        Path(started).touch()
        time.sleep(60)

    bench.store.write_synced = stop_there
    ResultStore(root).write(done(PLACES), frame(PLACES))


def test_a_writer_killed_in_the_middle_leaves_nothing_behind(store: ResultStore) -> None:
    started = store.root.parent / "started"
    writer = multiprocessing.get_context("spawn").Process(
        target=_write_until_killed, args=(store.root, str(started))
    )
    writer.start()
    while not started.exists():
        time.sleep(0.01)
    os.kill(writer.pid or 0, signal.SIGKILL)
    writer.join()
    assert store.get(SPEC.key) is None
    assert store.cells() == []
    (left,) = store.root.glob(".writing-*")
    day_ago = time.time() - 2 * 24 * 3600
    os.utime(left, (day_ago, day_ago))
    store.write(done(PLACES), frame(PLACES))
    assert store.cells() == [done(PLACES)]
    assert not left.exists()


def _write_often(root: Path, status: str) -> None:
    for _ in range(25):
        for seed in range(3):
            cell = done(PLACES, seed=seed) if status == "done" else failed(seed=seed)
            ResultStore(root).write(cell, frame(PLACES) if status == "done" else None)


def test_writers_and_readers_at_once_see_whole_cells(
    store: ResultStore, caplog: pytest.LogCaptureFixture
) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_write_often, args=(store.root, status))
        for status in ("failed", "failed", "done")
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        for seed in range(3):
            cell = store.get(done(PLACES, seed=seed).spec.key)
            assert cell in (None, done(PLACES, seed=seed), failed(seed=seed))
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert sorted(cell.spec.seed for cell in store.cells()) == [0, 1, 2]
    assert {cell.status for cell in store.cells()} == {"done"}
    assert not (store.root / "quarantine").exists(), caplog.text


def test_a_medium_is_made_once(store: ResultStore) -> None:
    made: list[str] = []

    def make() -> bytes:
        made.append("again")
        return b"jpeg"

    store.keep_medium("one.jpg", make)
    store.keep_medium("one.jpg", make)
    store.keep_medium("two.jpg", make)
    assert made == ["again"] * 2
    assert (store.media / "one.jpg").read_bytes() == b"jpeg"
    assert store.cells() == []
    for name in ("", "../one.jpg", "a/b.jpg"):
        with pytest.raises(ValueError, match="name of a medium"):
            store.keep_medium(name, make)


def test_what_was_skipped_is_remembered(store: ResultStore) -> None:
    told = [Skipped("toys", "aligned", "No weights. Get <them>.")]
    store.write_skipped(told)
    assert store.skipped() == told
    store.write_skipped([])
    assert store.skipped() == []
    (store.root / "skipped.json").write_text('[{"dat')
    assert store.skipped() == []


def test_a_result_of_an_empty_ranking_is_kept(store: ResultStore) -> None:
    nothing = frame([0, 0]).assign(ids=[[], []], scores=[[], []])
    store.write(done([0, 0]), nothing)
    assert [len(ids) for ids in store.ranks(SPEC.key)["ids"]] == [0, 0]


def test_a_copied_store_reads_the_same(store: ResultStore, tmp_path: Path) -> None:
    store.write(done(PLACES), frame(PLACES))
    shutil.copytree(store.root, tmp_path / "elsewhere")
    other = ResultStore(tmp_path / "elsewhere")
    assert other.cells() == store.cells()
    pd.testing.assert_frame_equal(other.ranks(SPEC.key), store.ranks(SPEC.key))


def test_what_is_attached_is_read_again_and_watched(store: ResultStore) -> None:
    store.write(done(PLACES), frame(PLACES), attachments={"inside.json": b"[1]"})
    assert store.attachment(SPEC.key, "inside.json") == b"[1]"
    assert store.attachment(SPEC.key, "looks.json") is None
    (store.root / SPEC.key / "inside.json").write_bytes(b"[2]")
    assert store.get(SPEC.key) is None


@pytest.mark.parametrize("name", ["cell.json", "ranks.parquet", "../outside.json", ""])
def test_an_attachment_takes_no_other_files_name(store: ResultStore, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        store.write(done(PLACES), frame(PLACES), attachments={name: b""})
