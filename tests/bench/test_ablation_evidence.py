"""What an ablation's cells say, in cases worked by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.ablations import wording
from bench.ablations.evidence import evidence
from bench.ablations.runs import Drawn, Of, Run, RunRow, RunStore
from bench.ablations.tables import ablation_of
from bench.ablations.verdicts import tally, verdict
from bench.cells import Cell, Measure
from bench.statistics import paired_differences
from bench.store import ResultStore
from tests.bench.results import RETRIEVER, SPEC, figures, frame

OF = Of("flickr30k-mini", "1k", True, "cart")
FOUND, LOST = 1, 0


def store_cell(store: ResultStore, name: str, places: Sequence[int], seed: int = 0) -> str:
    spec = replace(SPEC, retriever=replace(RETRIEVER, name=name), seed=seed)
    ranks = frame(places)
    cell = Cell(spec, "done", "2026-11-21T09:45:00+00:00", "", metrics=figures(ranks))
    store.write(cell, ranks)
    return spec.key


def run_of(table: int, keys: Mapping[str, Mapping[str, str]]) -> Run:
    rows = tuple(
        RunRow(each.name, each.label, each.changes, f"cart[{n}]", keys.get(each.name, {}))
        for n, each in enumerate(ablation_of(table).settings)
    )
    return Run(OF, table, "Flickr30K", "", rows)


@pytest.mark.parametrize(
    ("published", "measured", "told"),
    [
        (-2.0, Measure(-0.05, -0.08, -0.01), "agrees"),
        (2.0, Measure(0.05, 0.01, 0.08), "agrees"),
        (-2.0, Measure(0.05, 0.01, 0.08), "contradicts"),
        (2.0, Measure(-0.05, -0.08, -0.01), "contradicts"),
        (2.0, Measure(0.05, -0.01, 0.11), "not told apart"),
        (-0.1, Measure(0.0, 0.0, 0.0), "not told apart"),
        (2.0, Measure(0.05, 0.0, 0.1), "not told apart"),
        (0.0, Measure(0.05, 0.01, 0.08), "no direction"),
    ],
)
def test_a_direction(published: float, measured: Measure, told: str) -> None:
    assert verdict(published, measured) == told


def test_directions_are_counted() -> None:
    assert tally(["agrees", "agrees", "contradicts", "not told apart", "no direction"]) == (
        "2 of 4 rows agree, 1 contradict, 1 not told apart at this size"
    )
    assert tally(["agrees"]) == "1 of 1 rows agree, 0 contradict"
    assert tally([]) == "no row can be compared"


def test_a_paired_difference_draws_items_with_all_their_queries() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.random(60), rng.random(60)
    items = [f"i{n // 3}" for n in range(60)]
    found = paired_differences({"R@1": first}, {"R@1": second}, items)["R@1"]
    # The obvious way: a list of items, drawn with their queries one by one.
    means = []
    for _ in range(3000):
        drawn = rng.integers(0, 20, 20)
        rows = np.concatenate([np.arange(3 * item, 3 * item + 3) for item in drawn])
        means.append((first[rows] - second[rows]).mean())
    assert found.value == pytest.approx((first - second).mean())
    assert (found.low, found.high) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.02)


def test_pairing_makes_hard_queries_fall_out() -> None:
    hard = np.random.default_rng(0).integers(0, 2, 400).astype(float)
    items = [str(n) for n in range(400)]
    found = paired_differences({"R@1": hard + 0.1}, {"R@1": hard}, items)["R@1"]
    assert found == Measure(*[pytest.approx(0.1)] * 3)


def test_what_cannot_be_paired_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_differences({"R@1": np.ones(2)}, {"R@5": np.ones(2)}, ["a", "b"])


def test_rows_are_held_against_the_whole(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    queries = 80
    half = [FOUND, LOST] * (queries // 2)
    keys = {
        # Published: full 81.78, w/o consistency 81.64, w/o fusion 75.54, w/o K-Means 79.50.
        "full": {"0": store_cell(store, "cart", half)},
        "w/o consistency loss": {"0": store_cell(store, "a", half)},
        "w/o fusion strategy": {"0": store_cell(store, "b", [LOST] * queries)},
        "w/o K-Means": {"0": store_cell(store, "c", [FOUND] * queries)},
    }
    found = evidence(run_of(4, keys), store)
    rows = {row.setting: row for row in found.rows}
    assert rows["full"].measured["R@1"].value == 0.5
    assert not rows["full"].verdicts and not rows["full"].further
    assert rows["w/o consistency loss"].apart["R@1"] == Measure(0, 0, 0)
    assert rows["w/o consistency loss"].further["R@1"] == -0.14
    assert rows["w/o consistency loss"].verdicts["R@1"] == "not told apart"
    # Every item has one query that is found by the whole: none of them decides the interval.
    assert rows["w/o fusion strategy"].apart["R@1"] == Measure(-0.5, -0.5, -0.5)
    assert rows["w/o fusion strategy"].verdicts["R@1"] == "agrees"
    assert rows["w/o K-Means"].verdicts["R@1"] == "contradicts"
    assert rows["w/o RQ-VAE"].reason == "It was not run."
    assert rows["w/o RQ-VAE"].published["R@1"] == 76.22
    assert found.tally("R@1") == "1 of 3 rows agree, 1 contradict, 1 not told apart at this size"
    assert len(found.cells) == 4
    assert not found.best


def test_the_best_of_a_series(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    share = {1: 10, 2: 40, 3: 20, 4: 20, 5: 20}
    keys = {
        f"encoder_layers={layers}": {
            "0": store_cell(store, str(layers), [FOUND] * n + [LOST] * (40 - n))
        }
        for layers, n in share.items()
    }
    found = evidence(run_of(5, keys), store)
    best = found.best["R@1"]
    assert (best.published, best.measured) == ("4", "2")
    assert best.apart is not None and best.apart.value == 0.5
    told = list(wording.directions(found))
    # To 3 layers: 1 is published lower and measured so, 2 lower and measured higher, 4 and 5
    # are measured alike.
    assert told[0] == (
        "Direction, R@1: 1 of 4 rows agree, 1 contradict, 2 not told apart at this size."
    )
    assert told[-1].startswith("Best setting by R@1: published 4, measured 2, here +50.0 (")
    assert told[-1].endswith(") points above the published best.")


def test_seeds_are_averaged_before_they_are_paired(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    whole = [[FOUND] * 40, [FOUND] * 20 + [LOST] * 20]
    fused = [[FOUND] * 20 + [LOST] * 20, [LOST] * 40]
    keys = {
        name: {
            str(seed): store_cell(store, name[:6], places, seed) for seed, places in enumerate(of)
        }
        for name, of in {"full": whole, "w/o fusion strategy": fused}.items()
    }
    found = evidence(run_of(4, keys), store)
    rows = {row.setting: row for row in found.rows}
    assert rows["full"].measured["R@1"].value == 0.75
    assert rows["full"].seeds == (0, 1)
    assert rows["w/o fusion strategy"].apart["R@1"].value == -0.5
    assert not any("One seed" in line for line in wording.remarks(found))


def test_a_reduced_run_says_so_wherever_it_stands(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    keys = {"full": {"0": store_cell(store, "cart", [FOUND] * 4)}}
    of = replace(OF, effort=0.05, shortened={"fit.epochs": "1", "fit.least_steps": "10"})
    told = list(wording.remarks(evidence(replace(run_of(4, keys), of=of), store)))
    assert any("effort 0.05 (fit.epochs 1, fit.least_steps 10)" in line for line in told)
    assert any("One seed (0)" in line for line in told)
    whole = wording.remarks(evidence(run_of(4, keys), store))
    assert not any("effort" in line for line in whole)


def test_a_row_that_lacks_a_seed_has_no_figures(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    failed = Cell(
        replace(SPEC, seed=1), "failed", "2026-11-21T09:45:00+00:00", "", reason="It broke."
    )
    store.write(failed)
    keys = {
        "full": {"0": store_cell(store, "cart", [FOUND] * 4)},
        "w/o K-Means": {
            "0": store_cell(store, "c", [FOUND] * 4),
            "1": failed.spec.key,
            "2": "0" * 32,
        },
    }
    rows = {row.setting: row for row in evidence(run_of(4, keys), store).rows}
    assert not rows["w/o K-Means"].measured
    assert rows["w/o K-Means"].reason == "seed 1: It broke.; seed 2: not measured yet"


def test_rows_that_were_asked_other_queries_are_not_paired(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    keys = {
        "full": {"0": store_cell(store, "cart", [FOUND] * 4)},
        "w/o K-Means": {"0": store_cell(store, "c", [FOUND] * 8)},
    }
    rows = {row.setting: row for row in evidence(run_of(4, keys), store).rows}
    assert rows["w/o K-Means"].measured
    assert not rows["w/o K-Means"].apart


def test_runs_are_read_back_and_what_is_broken_is_left_out(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    runs = [
        run_of(5, {"encoder_layers=1": {"0": "a" * 32}}),
        replace(run_of(4, {}), of=replace(OF, effort=0.05, shortened={"fit.epochs": "1"})),
        replace(run_of(4, {}), of=replace(OF, dataset="a/b\u202e<c>")),
    ]
    drawn = Drawn(OF, 5, "cart[fit.epochs=1]", 0, "b" * 32)
    for each in (*runs, drawn):
        store.write(each)
    (store.folder / "broken.json").write_text("{}")
    (store.folder / "wrong.json").write_text('{"schema": 1, "kind": "figure", "of": {}}')
    assert sorted(store.runs(), key=str) == sorted(runs, key=str)
    assert store.drawn() == [drawn]
    assert all(re.fullmatch("[A-Za-z0-9._-]+", path.name) for path in store.folder.iterdir())
    assert RunStore(tmp_path / "none").runs() == []
