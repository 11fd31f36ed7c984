"""Tuning to a recall on one half of the queries, and indexes that are kept with it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.candidates import CandidateSet, drawn
from retrievers.base import FloatArray, IntArray, Ranking
from retrievers.indexes.kept import Kept, tuned_index
from retrievers.indexes.tuning import recall, tune

COUNT, DIM, QUERIES = 3000, 32, 200


@dataclass
class Stepped:
    """Finds all of the exact rows from an effort on, and before it the first half of them."""

    enough: int
    exact: IntArray
    greatest_effort: int = 1000
    effort: int = 1
    effort_name: str = "steps"
    asked: list[int] = field(default_factory=list)

    def search(self, queries: FloatArray, k: int) -> Ranking:
        self.asked.append(self.effort)
        rows = self.exact[queries[:, 0].astype(int), :k].copy()
        if self.effort < self.enough:
            rows[:, k // 2 :] = -1
        return Ranking(rows, np.zeros(rows.shape, np.float32))


def exact_rows(queries: int = 40) -> IntArray:
    return np.random.default_rng(0).permuted(np.tile(np.arange(50), (queries, 1)), axis=1)[:, :10]


def numbered(queries: int = 40) -> FloatArray:
    return np.arange(queries, dtype=np.float32)[:, None]


@given(enough=st.integers(1, 1000))
@settings(max_examples=60, deadline=None)
def test_the_least_effort_that_reaches_the_target_is_chosen(enough: int) -> None:
    index = Stepped(enough, exact_rows())
    tuned = tune(index, numbered(), index.exact)
    assert enough <= tuned.effort <= max(enough + 1, 1.1 * enough)
    assert index.effort == tuned.effort
    assert (tuned.reached, tuned.recall) == (True, 1.0)
    assert [point.recall for point in tuned.curve] == [
        1.0 if point.effort >= enough else 0.5 for point in tuned.curve
    ]
    assert tuned.effort in [point.effort for point in tuned.curve]
    assert sorted(set(index.asked)) == [point.effort for point in tuned.curve]


def test_a_target_out_of_reach_is_told_and_the_most_is_done() -> None:
    index = Stepped(2000, exact_rows())
    tuned = tune(index, numbered(), index.exact)
    assert (tuned.effort, tuned.reached, tuned.recall) == (1000, False, 0.5)
    assert tuned.facts == {
        "steps": 1000,
        "recall@10": 0.5,
        "recall target": 0.95,
        "target reached": False,
    }


def test_the_choice_sees_the_first_half_and_the_recall_the_second() -> None:
    exact = exact_rows()
    halved = exact.copy()
    halved[20:, 5:] = 77
    tuned = tune(Stepped(3, halved), numbered(), exact)
    assert (tuned.reached, tuned.effort, tuned.recall) == (True, 3, 0.5)


def test_queries_a_second_are_of_the_whole_pass() -> None:
    ticks = iter(range(1000))
    tuned = tune(Stepped(1, exact_rows()), numbered(), exact_rows(), clock=lambda: next(ticks))
    assert {point.queries_per_second for point in tuned.curve} == {40.0}


def test_recall_is_the_share_of_the_first_ten_that_are_there() -> None:
    exact = np.array([[1, 2, 3, 4], [5, 6, -1, -1], [-1, -1, -1, -1]])
    found = np.array([[9, 3, 1, -1], [6, 5, 7, 8], [1, 2, 3, 4]])
    np.testing.assert_allclose(recall(found, exact), [0.5, 1.0, 1.0])


def test_too_few_queries_and_no_share_are_refused() -> None:
    index = Stepped(1, exact_rows())
    with pytest.raises(ValueError, match="at least 20 queries, not 19"):
        tune(index, numbered(19), index.exact[:19])
    with pytest.raises(ValueError, match=r"a share above 0, not 1\.5"):
        tune(index, numbered(), index.exact, target=1.5)


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> CandidateSet:
    return drawn(tmp_path_factory.mktemp("drawn"), COUNT, DIM)


def kept(candidates: CandidateSet, cache: Path, target: float = 0.9, threads: int = 1) -> Kept:
    return tuned_index(
        "ivf-sq8", candidates, cache, threads=threads, target=target, queries=QUERIES
    )


def test_a_kept_index_answers_as_the_built_one(candidates: CandidateSet, tmp_path: Path) -> None:
    first, again = kept(candidates, tmp_path), kept(candidates, tmp_path)
    assert list(first.seconds) == ["index", "tuning"]
    assert list(again.seconds) == ["index (kept)", "tuning (kept)"]
    assert again.tuned == first.tuned
    assert again.index.facts == first.index.facts
    assert first.tuned.reached
    assert first.tuned.recall > 0.85
    queries = candidates.queries(QUERIES)
    exact = np.argsort(-(queries @ candidates.vectors.T), axis=1)[:, :10]
    answers = [one.index.search(queries, 10) for one in (first, again)]
    np.testing.assert_array_equal(answers[0].ids, answers[1].ids)
    held_out = recall(answers[1].ids, exact)[QUERIES // 2 :].mean()
    assert held_out == pytest.approx(first.tuned.recall, abs=1e-9)


def test_another_target_tunes_anew_and_other_vectors_build_anew(
    candidates: CandidateSet, tmp_path: Path
) -> None:
    low = kept(candidates, tmp_path, target=0.5)
    high = kept(candidates, tmp_path, target=0.9)
    assert list(high.seconds) == ["index (kept)", "tuning"]
    assert low.tuned.effort < high.tuned.effort
    assert "index" in kept(replace(candidates, count=COUNT - 1), tmp_path).seconds
    other = drawn(tmp_path, COUNT, DIM, seed=1)
    assert "index" in kept(other, tmp_path).seconds


@pytest.mark.parametrize("file", ["index.faiss", "index.json", "tuned"])
def test_a_broken_file_is_told_of_and_made_anew(
    file: str, candidates: CandidateSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = kept(candidates, tmp_path)
    (path,) = tmp_path.rglob(f"{file}*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    again = kept(candidates, tmp_path)
    assert "made anew" in caplog.text or "built anew" in caplog.text or "done anew" in caplog.text
    assert ("index" in again.seconds) == (file != "tuned")
    assert "tuning" in again.seconds
    assert (again.tuned.effort, again.tuned.recall) == (first.tuned.effort, first.tuned.recall)
    assert list(kept(candidates, tmp_path).seconds) == ["index (kept)", "tuning (kept)"]


def test_a_tuning_that_was_never_tried_is_not_believed(
    candidates: CandidateSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = kept(candidates, tmp_path)
    (path,) = tmp_path.rglob("tuned-*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "effort": "many"}))
    assert kept(candidates, tmp_path).tuned.effort == first.tuned.effort
    assert "never tried" in caplog.text


def test_an_index_that_the_disk_does_not_hold_serves_all_the_same(
    candidates: CandidateSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10}))
    assert kept(candidates, tmp_path).tuned.reached
    assert "is not kept" in caplog.text
    assert not list(tmp_path.rglob("index.faiss"))
