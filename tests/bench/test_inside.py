"""What is shown of the inside of a retriever: which queries, which branches, and the file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import bench.accuracy
from bench.accuracy import app
from bench.galleries import Gallery
from bench.inside.look import code_use, look_inside
from bench.inside.record import (
    NAME,
    Branch,
    CodeUse,
    Inside,
    QueryTree,
    Unreadable,
    from_bytes,
    to_bytes,
)
from bench.inside.trees import LIKELIEST_KEPT, LIKELIEST_LET_GO, choose, query_tree
from bench.store import ResultStore
from datasets.base import Item, Query
from retrievers.base import ItemMap
from tests.bench import toy
from tests.bench.inside_toys import CODED, beam_tree, codes_of
from tests.retrievers.colours import captions_of, items
from tests.retrievers.test_item_map import CONFIG, indexed

HOSTILE = '</script><script>alert("1")</script> \u202egnp.exe =1+1 $x$'


def answers(best: Sequence[int], worst: Sequence[int] | None = None) -> pd.DataFrame:
    names = [f"q{row}" for row in range(len(best))]
    right = [int(one > 0) for one in best]
    return pd.DataFrame(
        {"query": names, "best": best, "worst": list(worst or best), "right": right}
    )


def test_a_query_of_each_outcome_is_chosen_whatever_the_order_of_the_rows() -> None:
    frame = answers([1, 1, 3, 0, 2, 1, 0, 9])
    rows = choose(frame)
    assert [frame["best"][row] > 1 for row in rows] == [False, True, False]
    assert [frame["best"][row] for row in (rows[0], rows[2])] == [1, 0]
    turned = frame[::-1].reset_index(drop=True)
    assert [turned["query"][row] for row in choose(turned)] == [frame["query"][row] for row in rows]


def test_an_outcome_that_there_is_not_is_left_out() -> None:
    assert choose(answers([1, 1])) == choose(answers([1, 1, 0]))[:1]
    assert len(choose(answers([2, 0]))) == 2
    assert choose(answers([])) == []


def test_a_tie_at_the_top_is_not_surely_right() -> None:
    assert choose(answers([1, 1], worst=[2, 3])) == []


def paths(tree: QueryTree) -> dict[tuple[int, ...], Branch]:
    """By whole prefix, which is read from the parents alone."""
    found: list[tuple[int, ...]] = []
    for branch in tree.branches:
        before = found[branch.parent] if branch.parent >= 0 else ()
        found.append((*before, branch.code))
    assert len(set(found)) == len(found)
    return dict(zip(found, tree.branches, strict=True))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 12))
def test_what_is_shown_is_part_of_the_tree_and_holds_what_matters(
    seed: int, beam: int, k: int
) -> None:
    rng = np.random.default_rng(seed)
    identifiers = rng.permutation(np.unique(rng.integers(0, 9, (150, 3)), axis=0))
    names = [f"item {row}" for row in range(len(identifiers))]
    whole = beam_tree(rng.dirichlet(np.full(len(names), 0.3)) + 1e-9, identifiers, beam)
    answer = int(rng.integers(len(names)))
    query = Query("q", "any", (names[answer], "of another fold"))
    shown = query_tree(whole, query, 1, names, k)
    assert shown.right[0].identifier == tuple(identifiers[answer])
    assert [step.kept for step in shown.steps] == [step.kept for step in whole.steps]
    assert [step.weighed for step in shown.steps] == [len(step.scores) for step in whole.steps]
    found = paths(shown)
    for path, branch in found.items():
        step = whole.steps[branch.step]
        (row,) = np.flatnonzero((step.prefixes == np.array(path)).all(axis=1))
        assert branch.score == pytest.approx(step.scores[row], abs=1e-4)
        assert branch.kept == (row < step.kept)
        assert branch.right == (path == shown.right[0].identifier[: len(path)])
        assert branch.item == (names[whole.items[row]] if len(path) == 3 else "")
    leaves = [branch.item for branch in shown.branches if branch.item and branch.kept]
    ranked = [names[row] for row in whole.items[: min(k, whole.steps[-1].kept)]]
    assert leaves[: len(ranked)] == ranked
    for level, step in enumerate(whole.steps):
        here = [branch for branch in shown.branches if branch.step == level]
        let_go = sum(not branch.kept for branch in here)
        assert min(LIKELIEST_KEPT, step.kept) <= len(here) - let_go <= step.kept
        least = min(LIKELIEST_LET_GO, len(step.scores) - step.kept)
        assert least <= let_go <= least + 1
        weighed = (step.prefixes == identifiers[answer][: level + 1]).all(axis=1).any()
        assert any(branch.right for branch in here) == weighed


def test_a_right_item_that_fell_out_is_shown_as_far_as_it_came() -> None:
    identifiers = np.array([[0, 0], [0, 1], [1, 0], [2, 0]])
    whole = beam_tree(np.array([0.4, 0.3, 0.2, 0.1]), identifiers, 1)
    shown = query_tree(whole, Query("q", "t", ("d",)), 0, ["a", "b", "c", "d"], 1)
    assert {path: (one.kept, one.right) for path, one in paths(shown).items()} == {
        (0,): (True, False),
        (1,): (False, False),
        (2,): (False, True),
        (0, 0): (True, False),
        (0, 1): (False, False),
    }


def gallery(count: int) -> Gallery:
    names = [f"{'long-' * (row % 4)}{row}-x" for row in range(count)]
    pictures = np.zeros((2, 2, 3), np.uint8)
    return Gallery(
        tuple(Item(name, "image", pictures) for name in names),
        tuple(Query(f"q-{name}", name.replace("-", " "), (name,)) for name in names),
    )


def looked(count: int) -> Inside | None:
    shelf = gallery(count)
    retriever = CODED.tiny(0)
    retriever.index(shelf.items)
    frame = answers([1] * count).assign(query=[query.id for query in shelf.queries])
    return look_inside(retriever, shelf, frame, 10, 0)


def test_a_look_at_a_gallery() -> None:
    found = looked(30)
    assert found is not None and found.items is not None
    codes = codes_of([item.id for item in gallery(30).items])[:, 0]
    assert found.items.ids == tuple(item.id for item in gallery(30).items)
    assert found.items.prefixes[:, 0].tolist() == codes.tolist()
    assert found.items.distances[0].prefixes == len(set(codes.tolist()))
    assert found.codes == (CodeUse(16, tuple(sorted(np.bincount(codes), reverse=True))),)
    (tree,) = found.trees
    leaf = next(branch for branch in tree.branches if branch.item)
    assert leaf.right and leaf.item in tree.query


def test_a_look_at_cart_ends_in_its_own_ranking() -> None:
    retriever, shelf = indexed(CONFIG), items("test", 2)
    captions = captions_of(shelf, "a").captions
    queries = tuple(
        Query(f"q{row}", text, (item.id,))
        for row, (text, item) in enumerate(zip(captions, shelf, strict=False))
    )
    frame = answers([row % 3 for row in range(len(queries))])
    found = look_inside(retriever, Gallery(tuple(shelf), queries), frame, 5, 0)
    assert found is not None
    read = from_bytes(to_bytes(found))
    assert [one.size for one in read.codes] == [4, 4]
    assert [tree.rank for tree in read.trees] == [1, 2, 0]
    for tree in read.trees:
        ranking = retriever.search([tree.text], 5)
        leaves = [branch for branch in tree.branches if branch.item and branch.kept]
        assert [one.item for one in leaves[:5]] == [shelf[row].id for row in ranking.ids[0]]
        scores = [one.score for one in leaves[:5]]
        np.testing.assert_allclose(scores, ranking.scores[0], atol=1e-3)


def test_a_gallery_too_small_for_a_map_says_so() -> None:
    found = looked(3)
    assert found is not None and found.items is None
    assert found.codes and found.trees
    assert found.remarks == (
        "There is no map of the items: a map wants 5 items, the gallery has 3.",
    )


def test_a_retriever_that_shows_nothing_of_itself() -> None:
    plain = toy.LEXICAL.tiny(0)
    plain.index(gallery(8).items)
    assert look_inside(plain, gallery(8), answers([1] * 8), 10, 0) is None


def test_codes_in_use_are_counted_by_position() -> None:
    found = ItemMap(np.ones((4, 2), np.float32), np.array([[0, 3], [0, 3], [0, 1], [5, 2]]), (8, 4))
    assert code_use(found) == (CodeUse(8, (3, 1)), CodeUse(4, (2, 1, 1)))
    assert code_use(replace(found, sizes=()))[0].size == 0


def test_what_was_written_is_read_again() -> None:
    found = looked(30)
    assert found is not None and found.items is not None
    nobody = replace(found.items.distances[0], within=float("nan"))
    named = replace(found.items, ids=(HOSTILE, *found.items.ids[1:]), distances=(nobody,))
    told = replace(found, items=named, remarks=(HOSTILE,))
    again = from_bytes(to_bytes(told))
    assert again.codes == told.codes
    assert again.trees == told.trees
    assert again.remarks == told.remarks
    assert again.items is not None
    assert again.items.ids == named.ids
    assert np.isnan(again.items.distances[0].within)
    assert again.items.distances[0].shuffled == nobody.shuffled
    np.testing.assert_array_equal(again.items.prefixes, named.prefixes)
    np.testing.assert_allclose(again.items.plane, named.plane, atol=1e-3)
    assert to_bytes(from_bytes(to_bytes(told))) == to_bytes(told)


@pytest.mark.parametrize(
    "damage",
    [
        {"schema": 0},
        {"codes": [{"size": 4}]},
        {"items": {"ids": ["a"], "prefixes": [], "plane": [], "gallery": 1, "distances": []}},
        {"trees": [{"query": "q"}]},
        {"trees": 7},
    ],
)
def test_what_is_no_such_file(damage: dict[str, object]) -> None:
    found: dict[str, object] = {"schema": 1, "items": None, "codes": [], "trees": [], "remarks": []}
    assert from_bytes(json.dumps(found).encode()) == Inside()
    with pytest.raises(Unreadable):
        from_bytes(json.dumps({**found, **damage}).encode())
    with pytest.raises(Unreadable):
        from_bytes(b"\xff no JSON")


@pytest.mark.parametrize("parent", [-1, 2, 9])
def test_a_branch_that_extends_nothing(parent: int) -> None:
    whole = beam_tree(np.array([0.6, 0.4]), np.array([[0, 0], [1, 0]]), 2)
    tree = query_tree(whole, Query("q", "t", ("a",)), 1, ["a", "b"], 1)
    torn = (*tree.branches[:-1], replace(tree.branches[-1], parent=parent))
    with pytest.raises(Unreadable, match="branch 3 extends none"):
        from_bytes(to_bytes(Inside(trees=(replace(tree, branches=torn),))))


def test_a_run_stores_it_beside_the_cell_and_goes_on_without(
    tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.accuracy, "write_report", lambda *_: True)
    results = tmp_path / "results"
    names = ",".join(f"tests.bench.inside_toys:{name}" for name in ("CODED", "SHY"))
    words = ["--manifest", str(manifest), "--retriever", names, "--device", "cpu"]
    words += ["--results", str(results), "--cache", str(tmp_path / "cache")]
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == 0, ran.output
    store = ResultStore(results)
    cells = {cell.spec.retriever.name: cell for cell in store.cells()}
    assert {cell.status for cell in cells.values()} == {"done"}
    content = store.attachment(cells["coded"].spec.key, NAME)
    assert content is not None
    found = from_bytes(content)
    assert found.codes and found.trees
    assert store.attachment(cells["shy"].spec.key, NAME) is None
    (note,) = [one for one in cells["shy"].notes if "inside" in one]
    assert "the toy keeps its tree to itself" in note
