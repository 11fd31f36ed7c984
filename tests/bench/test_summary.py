"""Rows: seeds averaged, failures withheld, older versions counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.cells import Cell
from bench.store import ResultStore
from bench.summary import labels, rows_of, summarise
from tests.bench.results import RETRIEVER, done, failed, frame, reverse_frame

FIRST, SECOND = [1, 0, 3, 10, 1, 1], [2, 1, 0, 0, 1, 4]


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path)


def put(store: ResultStore, places: list[int], **changes: object) -> Cell:
    cell = done(places, **changes)  # type: ignore[arg-type]
    store.write(cell, frame(places))
    return cell


def test_one_seed_is_shown_as_it_is_stored(store: ResultStore) -> None:
    cell = put(store, FIRST)
    (row,) = summarise(store)
    assert (row.dataset, row.protocol, row.synthetic) == ("toys", "own-split", True)
    assert (row.status, row.seeds, row.cells) == ("done", (0,), (cell,))
    assert row.metrics == cell.metrics
    assert set(row.seed_sd.values()) == {None}


def test_seeds_are_averaged_and_the_interval_is_of_the_average(store: ResultStore) -> None:
    cells = [put(store, FIRST, seed=4), put(store, SECOND, seed=2)]
    (row,) = summarise(store)
    assert row.seeds == (2, 4)
    for name, measure in row.metrics.items():
        values = [cell.metrics[name].value for cell in cells]
        assert measure.value == pytest.approx(np.mean(values))
        assert row.seed_sd[name] == pytest.approx(np.std(values, ddof=1))
        assert measure.low <= measure.value <= measure.high
    hits = np.array([[1, 0, 0, 0, 1, 1], [0, 1, 0, 0, 1, 0]]).mean(axis=0).reshape(3, 2)
    draws = np.random.default_rng(0).integers(0, 3, (20_000, 3))
    low, high = np.quantile(hits[draws].mean(axis=(1, 2)), [0.025, 0.975])
    assert row.metrics["R@1"].low == pytest.approx(low, abs=1e-9)
    assert row.metrics["R@1"].high == pytest.approx(high, abs=1e-9)


def test_the_reverse_direction_is_averaged_alike(store: ResultStore) -> None:
    cells = [done(FIRST, seed=seed, reverse=places) for seed, places in ((0, [1, 2]), (1, [1, 0]))]
    for cell, places in zip(cells, ([1, 2], [1, 0]), strict=True):
        store.write(cell, frame(FIRST), reverse=reverse_frame(places))
    (row,) = summarise(store)
    assert row.reverse["R@1"].value == pytest.approx(0.5)
    assert row.reverse["MRR@10"].value == pytest.approx((1 + 1 / 2 + 1) / 4)
    assert row.reverse_sd["MRR@10"] == pytest.approx(np.std([0.75, 0.5], ddof=1))
    assert row.reverse["R@5"].low <= row.reverse["R@5"].value <= row.reverse["R@5"].high


def test_a_seed_without_the_reverse_direction_withholds_its_average(store: ResultStore) -> None:
    store.write(done(FIRST, reverse=[1, 2]), frame(FIRST), reverse=reverse_frame([1, 2]))
    put(store, FIRST, seed=1)
    (row,) = summarise(store)
    assert (row.status, row.reverse, row.reverse_sd) == ("done", {}, {})
    assert row.metrics


def test_an_average_over_failed_cells_is_withheld(store: ResultStore) -> None:
    put(store, FIRST)
    store.write(failed(seed=1))
    (row,) = summarise(store)
    assert row.status == "partial"
    assert row.metrics == {}
    assert row.seeds == (0, 1)
    assert "seed 1: It broke." in row.reason


def test_a_row_of_failures_says_why(store: ResultStore) -> None:
    store.write(failed())
    (row,) = summarise(store)
    assert (row.status, row.metrics) == ("failed", {})
    assert "It broke." in row.reason


def test_the_newest_version_is_shown_and_the_older_ones_counted(store: ResultStore) -> None:
    put(store, FIRST, created="2026-01-02", code="new")
    put(store, FIRST, created="2026-01-01", code="old")
    put(store, FIRST, created="2026-01-01", code="old", seed=1)
    put(store, FIRST, created="2026-01-01", dataset_digest="other data")
    (row,) = summarise(store)
    assert [cell.spec.code for cell in row.cells] == ["new"]
    assert row.superseded == 3


def test_other_protocols_checkpoints_and_names_are_rows_of_their_own(store: ResultStore) -> None:
    put(store, FIRST)
    put(store, FIRST, protocol="own-split-5of6")
    put(store, FIRST, retriever=replace(RETRIEVER, checkpoint={"image": "other"}))
    put(store, FIRST, retriever=replace(RETRIEVER, name="another"))
    assert len(summarise(store)) == 4
    assert {row.superseded for row in summarise(store)} == {0}


def test_a_name_that_occurs_twice_is_told_with_what_was_named(store: ResultStore) -> None:
    for checkpoint in ({}, {"captioner": "none"}, {"captioner": "file:/a/said.csv"}):
        put(store, FIRST, retriever=replace(RETRIEVER, checkpoint=checkpoint))
    put(store, FIRST, retriever=replace(RETRIEVER, name="another"))
    assert set(labels(summarise(store))) == {
        "another",
        "toy",
        "toy (captioner=none)",
        "toy (captioner=said.csv)",
    }


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, ""),
        ({"transductive": False}, "test items not captioned"),
        ({"transductive": True}, "test items captioned"),
        (
            {"transductive": True, "captioner": "neighbours"},
            "test items captioned by neighbours",
        ),
    ],
)
def test_a_row_says_whether_test_items_were_captioned(
    store: ResultStore, options: dict[str, bool | str], told: str
) -> None:
    put(store, FIRST, retriever=replace(RETRIEVER, options=options))
    (row,) = summarise(store)
    assert row.captioning == told


def test_rows_of_some_cells(store: ResultStore) -> None:
    cell = put(store, FIRST)
    put(store, SECOND, seed=1)
    (row,) = rows_of(store, [cell])
    assert row.seeds == (0,)


def test_an_empty_store_has_no_rows(store: ResultStore) -> None:
    assert summarise(store) == []
