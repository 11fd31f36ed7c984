"""The living corpus: its protocol on toys whose figures are known, its store, whole runs."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import bench.living
from bench.cells import CellSpec
from bench.galleries import Gallery
from bench.growth import terminal
from bench.growth.job import LivingJob, living_job_from_json, living_job_to_json
from bench.growth.protocol import Growth, NotUpdatable, grow, split
from bench.growth.results import Living, LivingSpec, LivingStore
from bench.growth.summary import restored_share, rows
from bench.job import Job, Provenance
from bench.living import app
from bench.sources import DatasetSource
from datasets.base import Dataset, Item, Pairs, Query
from retrievers.base import Settings
from tests.bench.living_toys import GROWS, LEARNS, STIRS, GrowingAdapter
from tests.bench.results import SPEC
from tests.bench.toy import CONSTANT

NAMES = [f"{c}-{s}" for c, s in itertools.product(["red", "green", "blue", "white"], "abcde")]
NOTHING = Pairs((), (), ())


def gallery() -> Gallery:
    items = tuple(Item(name, "image", np.zeros((1, 1, 3), np.uint8)) for name in NAMES)
    queries = tuple(Query(f"q-{name}", name.replace("-", " "), (name,)) for name in NAMES)
    return Gallery(items, queries)


def dataset() -> Dataset:
    whole = gallery()
    return Dataset(
        *("toys", "all", "image", NOTHING, NOTHING, whole.items, whole.queries),
        digest="d",
        synthetic=True,
        licence="Apache-2.0",
        notes=("a note",),
    )


def grown(adapter: GrowingAdapter, seed: int = 0) -> Growth:
    settings = Settings(seed, "cpu", Path())
    spec = CellSpec(adapter.describe(settings), "toys", "all", "d", True, seed, 10, "c")
    return grow(spec, dataset(), adapter.build(settings), 0.2, lambda phase: None)


def result(growth: Growth, seed: int = 0, created: str = "2026-01-01", code: str = "c") -> Living:
    cell = CellSpec(
        LEARNS.describe(Settings(0, "cpu", Path())), "toys", "all", "d", True, seed, 10, code
    )
    return Living(LivingSpec(cell, 0.2, code), "done", created, "python -m bench.living", growth)


def test_each_stage_has_the_figures_that_the_toy_was_made_for() -> None:
    growth = grown(LEARNS)
    assert growth.items == {"seen": 16, "added": 4}
    (row,) = rows([result(growth)])
    at_1 = {
        (stage, group): measures["R@1"].value
        for stage, groups in row.figures.items()
        for group, measures in groups.items()
    }
    assert at_1 == {
        ("before", "seen"): 1.0,
        ("added", "seen"): 1.0,
        ("added", "added"): 0.0,
        ("adapted", "seen"): pytest.approx(15 / 16),
        ("adapted", "added"): 0.5,
        ("whole", "seen"): 1.0,
        ("whole", "added"): 1.0,
    }
    assert row.forgotten["R@1"].value == row.behind["R@1"].value == pytest.approx(1 / 16)
    restored = row.restored["R@1"]
    assert restored is not None and restored.value == 0.5
    assert restored.low <= 0.5 <= restored.high
    assert row.undone == 1.0
    assert set(row.seconds) == {"fit", "index", "add", "remove", "adapt", "whole"}


def test_a_retriever_without_a_short_training_has_no_such_stage() -> None:
    (row,) = rows([result(grown(GROWS))])
    assert list(row.figures) == ["before", "added", "whole"]
    assert not row.forgotten and not row.restored
    assert "no short training" in " ".join(terminal.conclusions(row))


def test_what_is_not_the_same_after_removal_is_told() -> None:
    assert grown(STIRS).undone < 1.0


def test_a_gallery_that_cannot_change_is_refused() -> None:
    settings = Settings(0, "cpu", Path())
    spec = CellSpec(CONSTANT.describe(settings), "toys", "all", "d", True, 0, 10, "c")
    with pytest.raises(NotUpdatable, match="cannot add items"):
        grow(spec, dataset(), CONSTANT.build(settings), 0.2, lambda phase: None)


@given(st.floats(0.001, 0.999), st.integers(0, 500))
def test_a_split_loses_nothing_and_leaves_none_empty(share: float, seed: int) -> None:
    whole = gallery()
    parts = split(whole, share, seed)
    assert {item.id for item in parts.whole} == set(NAMES)
    assert len(parts.whole) == len(NAMES)
    assert len(parts.added) == min(max(1, round(share * 20)), 19)
    assert len(parts.queries["added"]) == len(parts.added)
    for group, items in (("seen", parts.seen), ("added", parts.added)):
        ids = {item.id for item in items}
        assert all(query.relevant[0] in ids for query in parts.queries[group])
    assert split(whole, share, seed) == parts


def test_the_part_restored_is_a_ratio_of_gains() -> None:
    items = [f"i{row // 2}" for row in range(200)]
    untrained, whole = np.zeros(200), np.ones(200)
    adapted = (np.arange(200) % 4 == 0).astype(float)
    found = restored_share(untrained, adapted, whole, items)
    assert found is not None and found.value == 0.25
    assert 0.15 < found.low < 0.25 < found.high < 0.35
    assert restored_share(untrained, adapted, untrained, items) is None


def test_seeds_are_pooled_and_only_the_newest_version_is_shown() -> None:
    growths = [grown(LEARNS, seed) for seed in (0, 1)]
    results = [
        result(growths[0], seed=0, created="2025-01-01", code="old"),
        result(growths[1], seed=1),
        result(growths[0], seed=0),
    ]
    (row,) = rows(results)
    assert row.seeds == (0, 1)
    assert row.queries == {"seen": 32, "added": 8}
    assert row.figures["adapted"]["seen"]["R@1"].value == pytest.approx(15 / 16)


def test_what_is_stored_comes_back_and_what_is_broken_is_left_out(tmp_path: Path) -> None:
    store = LivingStore(tmp_path)
    one = result(grown(LEARNS))
    store.write(one)
    (found,) = store.results()
    assert found.spec == one.spec
    assert rows([found])[0].figures == rows([one])[0].figures
    path = tmp_path / "living" / f"{one.spec.key}.json"
    told = json.loads(path.read_text())
    told["growth"]["answers"]["whole"]["seen"]["best"].pop()
    path.write_text(json.dumps(told))
    assert store.results() == []
    path.write_text("{")
    assert store.get(one.spec.key) is None


def test_a_job_is_told_whole(tmp_path: Path) -> None:
    job = Job(
        SPEC,
        "toy",
        DatasetSource("toys", tmp_path),
        Settings(0, "cpu", tmp_path),
        tmp_path,
        Provenance("line", {}, {}, ""),
    )
    told = LivingJob(job, LivingSpec(SPEC, 0.3, "code"))
    assert living_job_from_json(living_job_to_json(told)) == told


def test_whole_runs_store_reuse_and_report_failures(
    tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.living, "write_report", lambda *_: True)
    names = "tests.bench.living_toys:LEARNS,tests.bench.toy:CONSTANT,tests.bench.toy:WASHED"
    words = [
        *("--manifest", str(manifest), "--retriever", names, "--device", "cpu", "--share", "0.25"),
        *("--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")),
    ]
    first = CliRunner().invoke(app, words)
    said = " ".join(first.output.split())
    assert first.exit_code == 1, first.output
    assert "constant cannot add items to its gallery" in said
    assert "The toy is in the wash" in said
    assert "9 items indexed, 3 added later" in said
    stored = {
        one.spec.cell.retriever.name: one for one in LivingStore(tmp_path / "results").results()
    }
    assert stored["learns"].status == "done"
    assert "--share 0.25" in stored["learns"].command
    assert stored["constant"].status == "failed"
    planned = " ".join(CliRunner().invoke(app, [*words, "--dry-run"]).output.split())
    assert "is stored, would be reused" in planned
    assert "failed before" in planned
    alone = [each if each != names else names.split(",")[0] for each in words]
    again = CliRunner().invoke(app, alone)
    assert again.exit_code == 0
    assert "stored already, reused" in " ".join(again.output.split())


@pytest.mark.parametrize("words", [[], ["--dataset", "flickr30k-mini", "--share", "1"]])
def test_a_command_line_that_cannot_be_followed_says_why(words: list[str]) -> None:
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 2
    assert "--share" in ended.output or "--dataset" in ended.output
