"""The section on the inside of generative retrievers, from stored results alone."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.ablations.runs import RunStore
from bench.inside.record import NAME, CodeUse, Inside, to_bytes
from bench.inside.trees import query_tree
from bench.store import ResultStore
from datasets.base import Query
from reports.inside.codes import Position, positions
from reports.inside.tree import ANSWERS, LET_GO, drawn, story
from reports.page import write
from tests.bench.inside_toys import beam_tree
from tests.reports.page_reading import Element, assert_inert, parse
from tests.reports.stored_ablations import store_table
from tests.reports.stored_inside import TOLD, inside
from tests.reports.stored_results import Plan, store_result

CART = Plan("cart", paradigm="generative", diagnostics=TOLD, synthetic=True)
HOSTILE = "</title></svg><script>alert(1)</script> $\\frac{1}{2}$ \u202egnp.exe \ufffe\x0b'\"&"


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "results")


def page_of(store: ResultStore) -> Element:
    page = write(store.root, store.root.parent / "page.html")
    return parse(page.read_text(encoding="utf-8"))


def section(store: ResultStore) -> Element:
    (found,) = page_of(store).all("section", id="inside")
    return found


def stored(store: ResultStore, plan: Plan = CART, shown: Inside | None = None) -> None:
    content = to_bytes(inside() if shown is None else shown)
    store_result(store, plan, attachments={NAME: content})


def table(found: Element, label: str) -> list[list[str]]:
    (region,) = [
        each
        for each in found.all("div", class_="scroll")
        if each.attributes["aria-label"].startswith(label)
    ]
    return [
        [cell.words for cell in row.children if isinstance(cell, Element)]
        for row in region.all("tr")
    ]


def test_a_row_shows_all_its_parts_and_says_where_it_comes_from(store: ResultStore) -> None:
    stored(store)
    page = page_of(store)
    (found,) = page.all("section", id="inside")
    (head,) = found.all("h3")
    assert "photos" in head.words and "cart, seed 0" in head.words
    assert "synthetic twin" in head.words
    (link,) = [a.attributes["href"] for a in found.all("a") if "provenance" in a.attributes["href"]]
    assert page.all(id=link.removeprefix("#"))
    assert [part.words for part in found.all("h4")] == [
        "Items by code prefix",
        "Codes in use",
        "Where answers are lost",
        "What the beam wrote",
    ]
    assert "60 of 120 items, drawn at random." in found.words
    # A map, three positions, one of losses, three trees; each with words for who sees none.
    assert len(found.all("svg")) == 1 + 3 + 1 + 3
    for svg in found.all("svg"):
        assert svg.attributes["role"] == "img"
        assert svg.all("title")[0].words and svg.all("desc")[0].words
    (nav,) = page.all("nav")
    assert "CART inside" in nav.words


def test_tokens_are_told_with_what_is_left_after_each(store: ResultStore) -> None:
    stored(store)
    found = section(store)
    assert table(found, "Accuracy by token") == [
        ["Token", "Right, given the right ones before", "Lost here", "Left"],
        ["k, the coarse code", "80.0 %", "20.0 %", "80.0 %"],
        ["v1", "90.0 %", "5.0 %", "75.0 %"],
        ["u, the counter", "100.0 %", "0.0 %", "75.0 %"],
    ]
    assert table(found, "How exact the beam is")[1:] == [
        ["10", "40.0 %", "99.0 %", "70.0 %", "× 3.50"],
        ["20", "60.0 %", "–", "–", "–"],
    ]
    assert "its R@1 is 75.0 %" in found.words
    assert "Collision ceiling 91.0 %" in found.words
    (plot,) = [svg for svg in found.all("svg") if "after each token" in svg.words]
    assert "v1: 90.0 % right given the right tokens before, 75.0 % of the queries left" in (
        plot.all("desc")[0].words
    )


def test_what_was_not_told_is_left_open(store: ResultStore) -> None:
    told = {name: value for name, value in TOLD.items() if not name.startswith("greedy")}
    unsized = replace(inside(), codes=(CodeUse(0, (3, 1)),))
    stored(store, replace(CART, diagnostics=told), unsized)
    found = section(store)
    assert [row[2:] for row in table(found, "Accuracy by token")[1:]] == [["–", "–"]] * 3
    assert table(found, "Codes in use")[1] == ["k", "–", "2", "–", "1.8", "3 (75.0 %)"]
    assert "Greedy decoding" not in found.words


def test_parts_that_there_are_not_leave_the_rest(store: ResultStore) -> None:
    bare = Inside(codes=(CodeUse(4, (2, 2)),), remarks=("There is no map: a <b>reason</b>.",))
    stored(store, replace(CART, diagnostics={}), bare)
    found = section(store)
    assert [part.words for part in found.all("h4")] == ["Items by code prefix", "Codes in use"]
    assert "There is no map: a <b>reason</b>." in found.words


def test_codes_in_use_against_counts_by_hand() -> None:
    even, skewed, none = positions(
        (CodeUse(8, (2, 2, 2, 2)), CodeUse(4, (6, 1, 1)), CodeUse(4, (8,)))
    )
    assert (even.name, even.used, even.used_share) == ("k", 4, 0.5)
    assert even.perplexity == pytest.approx(4)
    entropy = -(0.75 * math.log(0.75) + 2 * 0.125 * math.log(0.125))
    assert skewed.perplexity == pytest.approx(math.exp(entropy))
    assert skewed.largest_share == 0.75
    assert none == Position("v2", CodeUse(4, (8,)))
    assert none.perplexity == pytest.approx(1)


def test_a_tree_is_drawn_told_and_tabled(store: ResultStore) -> None:
    shown = inside()
    stored(store, shown=shown)
    articles = section(store).all("article", class_="beam")
    assert len(articles) == len(shown.trees) == 3
    for article, tree in zip(articles, shown.trees, strict=True):
        part = drawn(tree)
        assert article.all("blockquote")[0].words == tree.text
        (plot,) = article.all("svg")
        labels = [text.words for text in plot.all("text")]
        for node in part.nodes:
            if node.answer:
                assert [one for one in labels if node.branch.item in one]
        dashed = [
            path
            for path in plot.all("path")
            if "stroke-dasharray" in path.attributes.get("style", "")
        ]
        assert len(dashed) == sum(not node.branch.kept for node in part.nodes)
        rows = article.all("table")[0].all("tr")[1:]
        assert [row.all("th")[0].words for row in rows] == [node.codes for node in part.nodes]
        for sentence in story(part):
            assert sentence in article.words
            assert sentence in plot.all("desc")[0].words
    assert "right item at rank 1" in articles[0].words
    assert "ended at rank 1 with" in articles[0].words
    assert "right item at rank 3" in articles[1].words
    assert "right item not in the top 10" in articles[2].words


def test_where_a_right_item_fell_out_is_told() -> None:
    identifiers = np.array([[0, 0], [0, 1], [1, 0], [2, 0]])
    whole = beam_tree(np.array([0.4, 0.3, 0.2, 0.1]), identifiers, 2)
    tree = query_tree(whole, Query("q", "t", ("d",)), 0, ["a", "b", "c", "d"], 1)
    assert list(story(drawn(tree))) == [
        "The right item d is written 2, 0. It fell out at k, where its prefix 2 had \u22122.30 and "
        "the last one kept \u22121.61."
    ]
    behind = query_tree(whole, Query("q", "t", ("b",)), 0, ["a", "b", "c", "d"], 1)
    assert next(story(drawn(behind))).endswith("\u22121.20, and ended behind the first 1.")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 4))
def test_a_layout_has_room_for_every_branch(seed: int, beam: int, length: int) -> None:
    rng = np.random.default_rng(seed)
    identifiers = rng.permutation(np.unique(rng.integers(0, 6, (120, length)), axis=0))
    names = [f"item {row}" for row in range(len(identifiers))]
    whole = beam_tree(rng.dirichlet(np.full(len(names), 0.3)) + 1e-9, identifiers, beam)
    right = names[int(rng.integers(len(names)))]
    tree = query_tree(whole, Query("q", "t", (right,)), 1, names, 10)
    part = drawn(tree)
    children: dict[int, list[int]] = {}
    for place, node in enumerate(part.nodes):
        assert node.parent < place
        before = part.nodes[node.parent].prefix if node.parent >= 0 else ()
        assert node.prefix == (*before, node.branch.code)
        children.setdefault(node.parent, []).append(place)
    leaves = [node for place, node in enumerate(part.nodes) if place not in children]
    assert sorted(node.height for node in leaves) == list(range(part.rows))
    for place, below in children.items():
        heights = [part.nodes[child].height for child in below]
        assert heights == sorted(heights)
        if place >= 0:
            assert part.nodes[place].height == pytest.approx((heights[0] + heights[-1]) / 2)
    for step in range(length):
        here = sorted(node.height for node in part.nodes if node.branch.step == step)
        assert (np.diff(here) >= 0.5).all()
        let_go = [n for n in part.nodes if n.branch.step == step and not n.branch.kept]
        assert len(let_go) <= LET_GO + 1
        weighed, kept, shown = part.counts(step)
        assert weighed >= kept >= shown
    answers = sorted(node.answer for node in part.nodes if node.answer)
    assert answers[:ANSWERS] == list(range(1, min(ANSWERS, whole.steps[-1].kept) + 1))
    assert any(node.branch.right for node in part.nodes)


def test_text_from_outside_stays_text(store: ResultStore) -> None:
    shown = inside(ids=[HOSTILE, "\ufffe\uffff\x00"] * 30, texts=[HOSTILE])
    stored(store, replace(CART, dataset=HOSTILE), replace(shown, remarks=(HOSTILE,)))
    page = page_of(store)
    assert_inert(page)
    (found,) = page.all("section", id="inside")
    for article in found.all("article", class_="beam"):
        assert "<script>alert(1)</script> $\\frac{1}{2}$" in article.all("blockquote")[0].text
        cells = [cell.words for cell in article.all("td")]
        assert any("$\\frac{1}{2}$ \\u{202e}gnp.exe" in cell for cell in cells)
        labels = [text.words for text in article.all("svg")[0].all("text")]
        assert any("</title></svg>" in label for label in labels)


def test_a_row_without_it_leaves_the_rest_whole(store: ResultStore) -> None:
    store_result(store, CART)
    store_result(store, Plan("tiny-dual", synthetic=True))
    page = page_of(store)
    assert not page.all("section", id="inside")
    assert not [a for a in page.all("a") if a.attributes["href"] == "#inside"]
    assert {"cart", "tiny-dual"} <= {name.words for name in page.all("a", class_="name")}


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema": 99}', b"\xff"])
def test_one_that_cannot_be_read_is_left_out(
    store: ResultStore, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    store_result(store, CART, attachments={NAME: content})
    stored(store, replace(CART, dataset="sounds"))
    found = section(store)
    assert len(found.all("h3")) == 1
    assert "is left out" in caplog.text


def test_a_variant_of_the_ablations_is_not_shown(store: ResultStore) -> None:
    run = store_table(store)
    changed = store_result(
        store, replace(CART, retriever="cart[a=9]"), attachments={NAME: to_bytes(inside())}
    )
    rows = (*run.rows[:1], replace(run.rows[1], keys={"0": changed.spec.key}), *run.rows[2:])
    RunStore(store.root).write(replace(run, rows=rows))
    assert not page_of(store).all("section", id="inside")
    stored(store)
    assert len(section(store).all("h3")) == 1


def test_the_first_seed_stands_for_the_row(store: ResultStore) -> None:
    for seed in (2, 1):
        stored(store, replace(CART, seed=seed))
    found = section(store)
    assert "cart, seed 1 of 2" in found.all("h3")[0].words


def test_the_same_results_give_the_same_bytes(store: ResultStore) -> None:
    stored(store)
    first = write(store.root, store.root.parent / "a.html").read_bytes()
    assert write(store.root, store.root.parent / "b.html").read_bytes() == first
