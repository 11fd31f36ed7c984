"""Queries to look at: what is joined, what is left out for room, and what is never read."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.item_media import ItemMedia
from bench.looks import ATTACHMENT, looks_from_json
from bench.store import ResultStore
from bench.summary import summarise
from reports.comparison import sections
from reports.look.albums import Album, read
from reports.look.fitting import largest
from reports.page import write
from tests.reports.page_reading import Element, assert_inert, parse
from tests.reports.stored_results import Plan, scene_jpeg, store_failure, store_result, stored_media

HOSTILE = (
    "<script>alert(1)</script>",
    "</script></section></main><script src=//example.org/x.js></script>",
    "\"'><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} {% raw %}",
    "\u202eevil \u2066right to left",
    "&lt;b&gt; &amp;amp; &#60;",
    "<!-- -->]]><svg onload=alert(1)>",
    "كلب يجري على الشاطئ",
    "tab\tand\u00a0space,\u2028line, 👩‍👩‍👧 and \U0001f600",
    "=HYPERLINK(1)",
)


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "results")


def albums_of(store: ResultStore) -> tuple[Album, ...]:
    return read(sections(summarise(store)), store)


def page_of(store: ResultStore, limit: int | None = None) -> Element:
    page = store.root.parent / "page.html"
    write(store.root, page, *([] if limit is None else [limit]))
    return parse(page.read_text(encoding="utf-8"))


def data_of(page: Element, name: str) -> Any:
    (script,) = page.all("script", id=f"look-{name}")
    return json.loads("".join(map(str, script.children)))


def test_retrievers_stand_side_by_side_by_query(store: ResultStore) -> None:
    cart = store_result(store, Plan("cart", paradigm="generative", skill=0.9))
    dual = store_result(store, Plan("tiny-dual", skill=0.1))
    (album,) = albums_of(store)
    assert [one.label for one in album.retrievers] == ["cart", "tiny-dual"]
    assert (album.total, album.depth, len(album.queries)) == (120, 10, 60)
    frames = [store.ranks(cell.spec.key).set_index("query") for cell in (cart, dual)]
    looks = looks_from_json(store.attachment(cart.spec.key, ATTACHMENT) or b"")
    assert [query.id for query in album.queries] == list(looks.queries)
    for query in album.queries:
        assert query.right == looks.queries[query.id]
        for rank, frame in zip(query.rankings, frames, strict=True):
            row = frame.loc[query.id]
            assert rank is not None
            assert query.text == row["text"]
            assert (list(rank.top), rank.best) == (list(row["ids"]), row["best"])
            assert list(rank.scores) == list(row["scores"])
    writes, writes_not = album.retrievers
    assert writes.identifiers["item-13"] == (1, 5, 0)
    assert not any(writes_not.identifiers.values())


def test_the_first_finished_seed_is_shown(store: ResultStore) -> None:
    store_failure(store, Plan("cart", seed=0), "It broke.")
    for seed in (2, 1):
        store_result(store, Plan("cart", seed=seed))
    (album,) = albums_of(store)
    assert [one.seed for one in album.retrievers] == [1]


def test_another_text_under_the_same_id_is_another_query(store: ResultStore) -> None:
    store_result(store, Plan("cart", skill=0.9), texts=["one"])
    store_result(store, Plan("tiny-dual", skill=0.1, digest="other"), texts=["two"])
    (album,) = albums_of(store)
    assert len(album.queries) == 120
    for query in album.queries:
        assert [rank is not None for rank in query.rankings] == [
            query.text == "one",
            query.text == "two",
        ]


def test_a_result_without_looks_is_left_out(store: ResultStore) -> None:
    cell = store_result(store, Plan("cart"))
    bare = replace(cell, spec=replace(cell.spec, dataset="sounds"))
    store.write(bare, store.ranks(cell.spec.key))
    assert [album.label for album in albums_of(store)] == ["photos"]
    assert data_of(page_of(store), "albums")[0]["label"] == "photos"


def test_four_are_shown_first_and_of_each_paradigm_the_best(store: ResultStore) -> None:
    for place, name in enumerate(("a", "b", "c", "d", "e")):
        store_result(store, Plan(name, skill=0.95 - 0.1 * place))
    store_result(store, Plan("cart", paradigm="generative", skill=0.1))
    (album,) = albums_of(store)
    shown = {one.label: one.shown for one in album.retrievers}
    order = [one.label for one in album.retrievers if one.label != "cart"]
    assert shown == {**dict.fromkeys(order, False), **dict.fromkeys((*order[:3], "cart"), True)}


def test_each_medium_is_on_the_page_once(store: ResultStore) -> None:
    for name in ("cart", "tiny-dual"):
        store_result(store, Plan(name, dataset="clotho-mini", modality="audio"))
    page = page_of(store)
    assert_inert(page)
    media = data_of(page, "media")
    assert len(media) == len(set(media))
    assert {re.split(r"[:;]", uri)[1] for uri in media} == {"image/jpeg", "audio/mpeg"}
    (album,) = data_of(page, "albums")
    assert len(album["thumbnails"]) == len(album["samples"]) == len(album["items"])
    assert all(0 <= place < len(media) for place in (*album["thumbnails"], *album["samples"]))


def test_no_file_that_the_store_did_not_name_is_read(store: ResultStore, tmp_path: Path) -> None:
    (tmp_path / "private.jpg").write_bytes(scene_jpeg(1))
    store.media.mkdir(parents=True)
    for name in ("a" * 32, "b" * 32):
        (store.media / f"{name}.jpg").write_text("not a picture")
    (store.media / "notes.jpg").write_bytes(scene_jpeg(1))
    names = [
        *("../../private.jpg", str(tmp_path / "private.jpg"), "notes.jpg", "a\0b.jpg", "..", ""),
        *(f"{'a' * 32}.jpg", f"{'b' * 32}.jpg\n", f"{'c' * 32}.webm", f"{'a' * 32}.svg"),
    ]

    def hostile(_: ResultStore, __: Plan, number: int) -> ItemMedia:
        return ItemMedia(names[number % len(names)], names[-1 - number % len(names)])

    store_result(store, Plan("cart", modality="video"), media=hostile)
    page = page_of(store)
    assert data_of(page, "media") == []
    (album,) = data_of(page, "albums")
    assert {*album["thumbnails"], *album["samples"]} == {-1}


def without_samples(store: ResultStore, plan: Plan, number: int) -> ItemMedia:
    return replace(stored_media(store, plan, number), sample="")


@pytest.mark.parametrize("media", [stored_media, without_samples])
def test_the_limit_is_kept_by_a_part_of_the_drawn_queries(
    store: ResultStore, media: Callable[[ResultStore, Plan, int], ItemMedia]
) -> None:
    """Sounds go first, then queries, from the last drawn on, until no query is left."""
    for name in ("cart", "tiny-dual"):
        store_result(store, Plan(name, items=40, modality="audio"), media=media)
    output = store.root.parent / "page.html"
    whole = write(store.root, output).stat().st_size
    all_queries = data_of(parse(output.read_text()), "albums")[0]["queries"]
    seen = []
    for share in (-5_000, 10_000, 60_000, 120_000, 180_000, 240_000):
        limit = whole - share
        page = page_of(store, limit)
        assert output.stat().st_size <= limit
        (album,) = data_of(page, "albums")
        shown = [query["text"] for query in album["queries"]]
        assert shown == [query["text"] for query in all_queries[: len(shown)]]
        told = page.all(id="look-shortened")
        played = sum(place >= 0 for place in album["samples"])
        if share > 0:
            assert f"{len(shown)} of 60 drawn queries are here" in told[0].words
        else:
            assert not told
        if len(shown) < 60:
            assert played == 0
        seen.append((len(shown), played))
    assert seen == sorted(seen, reverse=True)
    assert seen[0][0] == 60 > seen[-1][0]


def test_without_room_for_any_query_the_page_says_so(store: ResultStore) -> None:
    store_result(store, Plan("cart"))
    page = page_of(store, 1)
    assert "0 of 60 drawn queries are here" in page.all(id="look-shortened")[0].words
    assert data_of(page, "albums")[0]["queries"] == []


@given(st.integers(0, 200), st.integers(0, 250))
def test_the_largest_that_fits_is_found(most: int, bound: int) -> None:
    assert largest(most, lambda number: number <= bound) == min(most, bound)
    assert largest(most, lambda _: False) == 0


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_caption_is_data_to_the_letter(store: ResultStore, text: str) -> None:
    store_result(store, Plan("cart", items=5), texts=[text])
    page = page_of(store)
    assert_inert(page)
    (album,) = data_of(page, "albums")
    assert {query["text"] for query in album["queries"]} == {text}


@settings(max_examples=10, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=30))
def test_any_caption_is_data_to_the_letter(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = ResultStore(Path(folder) / "results")
        store_result(store, Plan("cart", items=6), texts=texts)
        page = page_of(store)
        assert_inert(page)
        (album,) = data_of(page, "albums")
        (stored,) = albums_of(store)
        assert [each["text"] for each in album["queries"]] == [each.text for each in stored.queries]
