"""Vectors and scores that were made elsewhere: what is refused, and that they rank as they say."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.base import Item
from retrievers import registry
from retrievers.base import Retriever, Settings, TextRanker, WeightsAbsent
from retrievers.import_files import ImportedScores, ImportProblem, read_import
from retrievers.imported import ScoreMatrix
from tests.retrievers.toys import SPEC

IDS = ("b", "a", "c")
TEXTS = ("one", "two, three", 'a "fourth"\nline', "five")
FloatArray = npt.NDArray[np.float32]


def unit(rows: int, seed: int, dim: int = 5) -> FloatArray:
    vectors = np.random.default_rng(seed).standard_normal((rows, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def lists(folder: Path, ids: Sequence[str] = IDS, texts: Sequence[str] = TEXTS) -> Path:
    folder.mkdir(exist_ok=True)
    for name, column, values in (("items", "id", ids), ("queries", "text", texts)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("number", column), *enumerate(values)])
    return folder


def with_arrays(folder: Path) -> Path:
    np.save(lists(folder) / "items.npy", unit(3, 0))
    np.save(folder / "queries.npy", unit(4, 1))
    return folder


def with_tables(folder: Path) -> Path:
    folder.mkdir()
    for name, column, values, vectors in (
        ("items", "id", IDS, unit(3, 0)),
        ("queries", "text", TEXTS, unit(4, 1)),
    ):
        table = pa.table({column: values, "vector": [row.tolist() for row in vectors]})
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


def with_scores(folder: Path) -> Path:
    np.save(lists(folder) / "scores.npy", (unit(4, 1) @ unit(3, 0).T).astype(np.float32))
    return folder


def built(folder: Path, name: str = "clip@imported") -> Retriever:
    given_folder = {"imported": str(folder)}
    return registry.adapter(name).build(Settings(0, "cpu", folder / "cache", given_folder))


def gallery(ids: Sequence[str] = ("c", "b", "a")) -> list[Item]:
    return [Item(one, "image", Path(f"{one}.jpg")) for one in ids]


@pytest.mark.parametrize("make", [with_arrays, with_tables, with_scores])
def test_every_form_ranks_as_the_vectors_do(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    retriever = built(make(tmp_path / "import"))
    retriever.index(gallery())
    asked = [TEXTS[2], TEXTS[0]]
    scores = unit(4, 1)[[2, 0]] @ unit(3, 0)[[2, 0, 1]].T
    ranking = retriever.search(asked, 2)
    np.testing.assert_array_equal(ranking.ids, np.argsort(-scores, axis=1)[:, :2])
    np.testing.assert_allclose(ranking.scores, -np.sort(-scores, axis=1)[:, :2], atol=1e-6)
    assert isinstance(retriever, TextRanker)
    retriever.index_texts(asked)
    backward = retriever.search_texts(gallery(("a",)), 2)
    np.testing.assert_array_equal(backward.ids, [np.argsort(-scores[:, 2])])
    beyond = retriever.search(asked, 5)
    assert (beyond.ids[:, 3:] == -1).all()


@pytest.mark.parametrize("make", [with_arrays, with_scores])
def test_what_was_saved_ranks_the_same(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    folder = make(tmp_path / "import")
    first, second = built(folder), built(folder)
    first.index(gallery())
    (tmp_path / "saved").mkdir()
    first.save(tmp_path / "saved")
    second.load(tmp_path / "saved")
    one, other = first.search(TEXTS, 3), second.search(TEXTS, 3)
    np.testing.assert_array_equal(one.ids, other.ids)


def test_the_spec_says_what_was_imported(tmp_path: Path) -> None:
    folder = with_arrays(tmp_path / "import")
    spec = built(folder).spec
    assert (spec.name, spec.weights, spec.checkpoint) == (
        "clip",
        "imported",
        {"imported": str(folder)},
    )
    before = spec.revision
    np.save(folder / "items.npy", unit(3, 7))
    assert built(folder).spec.revision != before
    mine = built(folder, "my-own.system@imported").spec
    assert (mine.name, mine.licence) == ("my-own.system", "not stated")


def test_a_text_that_is_asked_twice_may_stand_twice(tmp_path: Path) -> None:
    folder = lists(tmp_path / "import", texts=("one", "two", "one"))
    vectors = unit(3, 1)
    vectors[2] = vectors[0]
    np.save(folder / "items.npy", unit(3, 0))
    np.save(folder / "queries.npy", vectors)
    retriever = built(folder)
    retriever.index(gallery())
    assert retriever.search(["one", "one"], 1).ids.shape == (2, 1)


def replaced(name: str, array: npt.NDArray[np.generic]) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / name, array)


def not_finite(array: FloatArray) -> FloatArray:
    array[1, 2] = np.nan
    return array


def pickled(folder: Path) -> None:
    np.save(folder / "items.npy", np.array([{"run": "me"}]), allow_pickle=True)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (replaced("items.npy", unit(2, 0)), "lists 3 and items.npy holds 2 rows"),
        (replaced("queries.npy", unit(4, 1, dim=6)), "5 dimensions and the queries 6"),
        (replaced("items.npy", not_finite(unit(3, 0))), "row 1 holds a number that is not finite"),
        (replaced("items.npy", 2 * unit(3, 0)), "lengths from 2 to 2"),
        (replaced("items.npy", np.zeros((3, 5), np.float32)), "lengths from 0 to 0"),
        (replaced("items.npy", np.ones((3, 5), np.int64)), "must be floating-point"),
        (replaced("items.npy", unit(3, 0)[0]), "must be floating-point numbers in rows"),
        (lambda folder: (folder / "items.npy").write_bytes(b"PK"), "not an array of numbers"),
        (lambda folder: (folder / "items.npy").write_bytes(b""), "not an array of numbers"),
        (pickled, "not an array of numbers"),
        (lambda folder: (folder / "items.csv").write_text("name\na\n"), "no column 'id'"),
        (lambda folder: (folder / "items.csv").write_bytes(b"id\n\xff\n"), "cannot be read"),
        (lambda folder: lists(folder, ids=("a", "a", "b")), "'a' stands twice, with different"),
        (lambda folder: (folder / "queries.npy").unlink(), "must hold scores.npy"),
    ],
)
def test_vectors_that_cannot_be_trusted_are_refused(
    tmp_path: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    folder = with_arrays(tmp_path / "import")
    spoil(folder)
    with pytest.raises(ImportProblem, match=sentence):
        read_import(folder)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (replaced("scores.npy", unit(3, 0, dim=4)), r"it must be \[queries, items\]"),
        (replaced("scores.npy", not_finite(unit(4, 0, dim=3))), "not finite"),
        (lambda folder: lists(folder, ids=("a", "a", "b")), "lists an id twice"),
        (lambda folder: lists(folder, texts=("x", "x", "y", "z")), "'x' stands twice"),
    ],
)
def test_scores_that_cannot_be_trusted_are_refused(
    tmp_path: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    folder = with_scores(tmp_path / "import")
    spoil(folder)
    with pytest.raises(ImportProblem, match=sentence):
        read_import(folder)


@pytest.mark.parametrize(
    ("column", "vectors", "sentence"),
    [
        ("id", [[1.0, 0.0], [0.0], [1.0, 0.0]], "1 to 2 dimensions"),
        ("id", [[1.0, 0.0], None, [1.0, 0.0]], "a vector is missing"),
        ("id", [[1.0, None], [0.0, 1.0], [1.0, 0.0]], "a vector is missing"),
        ("id", [[1, 0], [0, 1], [1, 0]], "something else than numbers|lists of numbers"),
        ("id", ["x", "y", "z"], "must hold lists of numbers"),
        ("name", [[1.0], [1.0], [1.0]], "cannot be read"),
    ],
)
def test_tables_that_cannot_be_trusted_are_refused(
    tmp_path: Path, column: str, vectors: list[object], sentence: str
) -> None:
    folder = with_tables(tmp_path / "import")
    pq.write_table(pa.table({column: list(IDS), "vector": vectors}), folder / "items.parquet")
    with pytest.raises(ImportProblem, match=sentence):
        read_import(folder)


@pytest.mark.parametrize("make", [with_arrays, with_scores])
def test_what_was_not_imported_is_named(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    retriever = built(make(tmp_path / "import"))
    with pytest.raises(ImportProblem, match=r"nothing for 1 of 2 items, e\.g\. 'z'"):
        retriever.index(gallery(("a", "z")))
    retriever.index(gallery())
    with pytest.raises(ImportProblem, match=r"nothing for 1 of 1 queries, e\.g\. 'unasked'"):
        retriever.search(["unasked"], 1)


def test_a_folder_that_is_not_there_is_a_state_with_a_sentence(tmp_path: Path) -> None:
    adapter = registry.adapter("clip@imported")
    nowhere = Settings(0, "cpu", tmp_path, {"imported": str(tmp_path / "nowhere")})
    assert "There is no folder" in adapter.availability(nowhere).sentence
    unnamed = Settings(0, "cpu", tmp_path)
    assert not adapter.availability(unnamed).ready
    with pytest.raises(WeightsAbsent, match="--imported"):
        adapter.build(unnamed)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 8), st.data())
def test_a_score_matrix_ranks_like_a_sorted_list(
    queries: int, items: int, k: int, data: st.DataObject
) -> None:
    flat = data.draw(
        st.lists(st.integers(-3, 3), min_size=queries * items, max_size=queries * items)
    )
    scores = np.array(flat, np.float32).reshape(queries, items)
    ids, texts = tuple(map(str, range(items))), tuple(f"t{row}" for row in range(queries))
    matrix = ScoreMatrix(SPEC, ImportedScores(ids, texts, scores), "here")
    order = data.draw(st.permutations(range(items)))
    matrix.index(gallery([ids[place] for place in order]))
    ranking = matrix.search(texts, k)
    for row in range(queries):
        best = sorted(range(items), key=lambda place: (-scores[row, order[place]], place))[:k]
        assert ranking.ids[row].tolist() == best + [-1] * (k - len(best))
