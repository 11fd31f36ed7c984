"""Ranks with their uncertainty: against pairs tested one at a time, and what must hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.cells import Cell
from bench.significance import holm
from bench.standings import Pair, Standings, standings, standings_by
from bench.statistics import paired_differences
from bench.store import ResultStore
from bench.summary import rows_of, summarise
from tests.bench.results import RETRIEVER, done, failed, frame, reverse_frame

ITEMS = 40


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path)


def named(name: str) -> dict[str, object]:
    return {"retriever": replace(RETRIEVER, name=name)}


def put(store: ResultStore, name: str, places: Sequence[int], **changes: object) -> Cell:
    cell = done(places, **named(name), **changes)  # type: ignore[arg-type]
    store.write(cell, frame(places))
    return cell


def places(right: int) -> list[int]:
    """Two queries an item; those of the first ``right`` items find it."""
    return [1] * (2 * right) + [0] * (2 * (ITEMS - right))


def of(store: ResultStore, metric: str = "R@1") -> Standings:
    return standings(summarise(store), store, metric)


def test_ranks_of_one_that_leads_and_two_that_are_not_told_apart(store: ResultStore) -> None:
    for name, right in (("a leads", 36), ("b", 12), ("c", 13)):
        put(store, name, places(right))
    found = of(store)
    first, second, third = found.of
    assert first and second and third
    assert (first.best, first.worst, first.tied) == (1, 1, True)
    assert (second.best, second.worst, second.tied) == (2, 3, False)
    assert (third.best, third.worst, third.tied) == (2, 3, False)
    assert [(pair.first, pair.second) for pair in found.pairs] == [(0, 1), (0, 2), (1, 2)]
    assert [pair.better for pair in found.pairs] == [0, 0, None]
    assert found.left_out == ()


def test_a_pair_is_what_is_computed_of_it_alone(store: ResultStore) -> None:
    rng = np.random.default_rng(2)
    answers = {name: rng.choice([1, 2, 7, 0], 2 * ITEMS).tolist() for name in "abc"}
    for name, found_at in answers.items():
        put(store, name, found_at)
    found = of(store, "MRR@10")
    values = {
        name: np.array([1 / place if place else 0 for place in found_at])
        for name, found_at in answers.items()
    }
    items = [f"i{row // 2}" for row in range(2 * ITEMS)]
    assert [pair.adjusted for pair in found.pairs] == holm([pair.p for pair in found.pairs])
    for pair in found.pairs:
        first, second = (values["abc"[row]] for row in (pair.first, pair.second))
        alone = paired_differences({"x": first}, {"x": second}, items)["x"]
        assert pair.apart.value == pytest.approx(first.mean() - second.mean())
        assert pair.apart.low == pytest.approx(alone.low)
        assert pair.apart.high == pytest.approx(alone.high)
        sums = pd.Series(first - second).groupby(items).sum()
        error = sums.std(ddof=1) * ITEMS**0.5 / (2 * ITEMS)
        assert pair.detectable == pytest.approx(2.801585 * error, rel=1e-5)
    assert found.detectable == max(pair.detectable for pair in found.pairs)


def test_seeds_are_averaged_before_rows_are_held_against_each_other(store: ResultStore) -> None:
    put(store, "a", places(30), seed=0)
    put(store, "a", places(10), seed=1)
    put(store, "b", places(20))
    (pair,) = of(store).pairs
    assert pair.apart.value == pytest.approx(0)
    assert pair.better is None


def test_rows_alike_are_all_tied_for_the_best(store: ResultStore) -> None:
    for name in "abc":
        put(store, name, places(20))
    found = of(store)
    assert {(one.best, one.worst, one.tied) for one in found.of if one} == {(1, 3, True)}
    assert {pair.p for pair in found.pairs} == {1}
    assert found.detectable is None


def test_what_cannot_be_compared_is_left_out_with_the_reason(store: ResultStore) -> None:
    put(store, "a", places(30))
    put(store, "b", places(10))
    put(store, "c other data", places(30), dataset_digest="d2")
    store.write(failed(**named("d broke")))
    put(store, "e fewer", places(30)[:-2])
    found = of(store)
    assert [one is None for one in found.of] == [False, False, True, True, True]
    assert dict(found.left_out) == {
        2: "It was measured on other data than the other rows.",
        3: "It is not finished: seed 0: It broke.",
        4: "It was not asked the same queries as the other rows.",
    }
    assert [(pair.first, pair.second) for pair in found.pairs] == [(0, 1)]


def test_what_most_rows_were_asked_is_compared(store: ResultStore) -> None:
    put(store, "a", places(30), dataset_digest="older")
    for name in "bc":
        put(store, name, places(30))
    assert [one is None for one in of(store).of] == [True, False, False]


def test_a_single_item_tells_nothing_apart(store: ResultStore) -> None:
    for name in "ab":
        put(store, name, [1, 0])
    found = of(store)
    assert found.of == (None, None)
    assert all("single item" in reason for _, reason in found.left_out)


def test_one_row_stands_alone(store: ResultStore) -> None:
    put(store, "a", places(5))
    found = of(store)
    (only,) = found.of
    assert only and (only.best, only.worst, only.tied) == (1, 1, True)
    assert (found.pairs, found.detectable) == ((), None)


def test_no_rows_no_standings(store: ResultStore) -> None:
    assert standings([], store) == Standings("R@1", (), (), ())


def test_the_reverse_direction(store: ResultStore) -> None:
    for name, right in (("a", 30), ("b", 5)):
        asked = [1] * right + [0] * (ITEMS - right)
        cell = done(places(20), reverse=asked, **named(name))  # type: ignore[arg-type]
        store.write(cell, frame(places(20)), reverse=reverse_frame(asked))
    put(store, "c", places(20))
    rows = summarise(store)
    found = standings(rows, store, reverse=True)
    assert [one.tied if one else None for one in found.of] == [True, False, None]
    assert dict(found.left_out) == {2: "It does not rank texts for an item."}


def test_several_metrics_at_once_are_those_one_by_one(store: ResultStore) -> None:
    for name, right in (("a", 30), ("b", 20), ("c", 10)):
        put(store, name, places(right))
    rows = summarise(store)
    assert standings_by(("R@1", "MRR@10"), rows, store) == {
        name: standings(rows, store, name) for name in ("R@1", "MRR@10")
    }


def test_the_order_of_the_rows_decides_nothing(store: ResultStore) -> None:
    rng = np.random.default_rng(9)
    for name, chance in (("a", 0.9), ("b", 0.6), ("c", 0.5), ("d", 0.2)):
        put(store, name, (rng.random(2 * ITEMS) < chance).astype(int).tolist())
    rows = summarise(store)
    ahead, back = standings(rows, store), standings(rows[::-1], store)
    assert ahead.of == back.of[::-1]

    def verdicts(found: Standings, names: Sequence[str]) -> set[tuple[str, str]]:
        return {_verdict(pair, names) for pair in found.pairs if pair.better is not None}

    names = [row.name for row in rows]
    assert verdicts(ahead, names) == verdicts(back, names[::-1]) != set()


def _verdict(pair: Pair, names: Sequence[str]) -> tuple[str, str]:
    better = pair.better
    worse = pair.second if better == pair.first else pair.first
    assert better is not None
    return names[better], names[worse]


def test_the_intervals_hold_the_true_ranks_at_least_as_often_as_they_say(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(12)
    chances = {"a": 0.7, "b": 0.6, "c": 0.5}
    held = 0
    for trial in range(40):
        store = ResultStore(tmp_path / str(trial))
        cells = [
            put(store, name, np.repeat(rng.random(ITEMS) < chance, 2).astype(int).tolist())
            for name, chance in chances.items()
        ]
        found = standings(rows_of(store, cells), store)
        held += all(one and one.best <= rank <= one.worst for rank, one in enumerate(found.of, 1))
    assert held >= 36
