"""What is kept of a result to be looked at: the drawn queries, the items they met, identifiers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import item_media, media_samples, thumbnails
from bench.item_media import ItemMedia, media_of
from bench.looks import DRAWN, Looks, Seen, drawn, looks, looks_from_json, looks_to_json
from bench.store import ResultStore
from datasets.base import Clip, Dataset, Item, Pairs, Query, Sound
from retrievers.base import IntArray
from tests.bench import toy

NAMES = [f"item-{number}" for number in range(80)]
ITEMS = tuple(
    Item(name, "image", np.full((8, 8, 3), row, np.uint8)) for row, name in enumerate(NAMES)
)
DATASET = Dataset(
    name="toys",
    protocol="all",
    modality="image",
    train=Pairs.empty(),
    validation=Pairs.empty(),
    gallery=ITEMS,
    queries=tuple(Query(f"q-{name}", name, (name,)) for name in NAMES),
    digest="d",
    synthetic=True,
    licence="none",
)
QUERIES = [query.id for query in DATASET.queries]


class ToyThatWrites(toy.ToyRetriever):
    def identifiers(self, items: Sequence[Item]) -> IntArray:
        return np.array([[int(item.id[5:]), 0, -1] for item in items])


class ToyThatForgets(toy.ToyRetriever):
    def identifiers(self, items: Sequence[Item]) -> IntArray:
        raise ValueError("no item 'item-3' in the gallery")


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "results")


def top(shift: int, places: int = 3) -> dict[str, list[str]]:
    """Every query's answer is ``shift`` places behind its own item."""
    ring = itertools.cycle(NAMES)
    listed = [next(ring) for _ in range(len(NAMES) + shift + places)]
    return {query: listed[row + shift : row + shift + places] for row, query in enumerate(QUERIES)}


@given(st.permutations(QUERIES))
def test_the_draw_depends_on_no_order(queries: list[str]) -> None:
    assert drawn("toys", "all", queries) == drawn("toys", "all", QUERIES)


@given(st.sets(st.text(), max_size=40), st.text(), st.integers(0, 50))
def test_one_query_more_moves_one_other_at_most(known: set[str], more: str, most: int) -> None:
    before, after = (set(drawn("d", "p", ids, most)) for ids in (known, known | {more}))
    assert len(before) == min(most, len(known))
    assert after <= before | {more}


def test_every_query_can_be_drawn_and_each_protocol_draws_its_own() -> None:
    """Each of 80 is among the 20 of 400 draws about 100 times: within five deviations."""
    draws = [drawn("toys", f"protocol-{number}", QUERIES, 20) for number in range(400)]
    times = [sum(query in found for found in draws) for query in QUERIES]
    assert 100 - 5 * 75**0.5 < min(times) <= max(times) < 100 + 5 * 75**0.5
    assert len({tuple(found) for found in draws}) == 400


def test_all_retrievers_show_the_same_queries_and_make_each_picture_once(
    store: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def counted(item: Item) -> bytes:
        made.append(item.id)
        return thumbnails.thumbnail(item)

    monkeypatch.setattr(item_media, "_PICTURE", replace(item_media._PICTURE, make=counted))
    shuffled = replace(DATASET, queries=DATASET.queries[::-1])
    first, said = looks(DATASET, toy.LEXICAL.tiny(0), ITEMS, top(0), store)
    second, _ = looks(shuffled, toy.CONSTANT.tiny(0), ITEMS[::-1], top(7), store)
    assert said == ()
    assert list(first.queries.items()) == list(second.queries.items())
    assert len(first.queries) == DRAWN
    assert sorted(made) == sorted({*first.items, *second.items})
    shown = {seen.media.thumbnail for both in (first, second) for seen in both.items.values()}
    assert {path.name for path in store.media.iterdir()} == shown


def test_the_items_are_those_that_the_drawn_queries_met(store: ResultStore) -> None:
    found, _ = looks(DATASET, toy.LEXICAL.tiny(0), ITEMS, top(5), store)
    expected = {item for query in found.queries for item in (*top(5)[query], query[2:])}
    assert set(found.items) == expected
    assert all(found.queries[query] == (query[2:],) for query in found.queries)
    assert all(seen.identifier == () for seen in found.items.values())


def test_identifiers_are_of_the_gallery_that_was_searched_last(store: ResultStore) -> None:
    writes = replace(toy.LEXICAL, make=ToyThatWrites).tiny(0)
    found, said = looks(DATASET, writes, ITEMS[:40], top(0), store)
    assert said == ()
    for item, seen in found.items.items():
        number = int(item[5:])
        assert seen.identifier == ((number, 0) if number < 40 else ())
    forgets = replace(toy.LEXICAL, make=ToyThatForgets).tiny(0)
    found, said = looks(DATASET, forgets, ITEMS, top(0), store)
    assert said == ("The identifiers are left out: no item 'item-3' in the gallery",)
    assert not any(seen.identifier for seen in found.items.values())


def test_a_medium_that_cannot_be_read_is_absent_and_noted(
    store: ResultStore, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    gone, broken = (Path(tmp_path / name) for name in ("gone.jpg", "broken.jpg"))
    gallery = (Item(NAMES[0], "image", gone), Item(NAMES[1], "image", broken), *ITEMS[2:])
    few = tuple(query for query in DATASET.queries[:4])
    dataset = replace(DATASET, gallery=gallery, queries=few)
    found, said = looks(dataset, toy.LEXICAL.tiny(0), gallery, top(0, 1), store)
    assert [found.items[name].media.thumbnail != "" for name in NAMES[:4]] == [False] * 2 + [
        True
    ] * 2
    (note,) = said
    assert note.startswith("2 of 4 items to look at cannot be shown: item-")


def test_a_picture_is_kept_where_the_sample_cannot_be_written(
    store: ResultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_samples, "MP3", ("no-such-codec", 32_000, {}))
    sound = Sound(np.zeros((1, 8_000), np.float32), 8_000)
    media, problem = media_of(Item("a", "audio", sound), store)
    assert (store.media / media.thumbnail).is_file()
    assert media.sample == ""
    assert "cannot be written as MP3" in str(problem)


def test_names_stand_for_content_not_for_the_item(store: ResultStore) -> None:
    frames = np.zeros((4, 16, 24, 3), np.uint8)
    clip, other = Clip(frames, np.arange(4) / 4), Clip(frames + 9, np.arange(4) / 4)
    first, again, third = (
        media_of(Item(name, "video", held), store)[0]
        for name, held in (("a", clip), ("b", clip), ("c", other))
    )
    assert first == again
    assert {first.thumbnail, first.sample}.isdisjoint({third.thumbnail, third.sample})
    assert sorted(path.suffix for path in store.media.iterdir()) == [".jpg"] * 2 + [".webm"] * 2


@given(
    st.dictionaries(st.text(), st.lists(st.text(), max_size=3).map(tuple), max_size=4),
    st.dictionaries(
        st.text(),
        st.builds(
            Seen,
            st.builds(ItemMedia, st.text(), st.text()),
            st.lists(st.integers(0, 1 << 40), max_size=5).map(tuple),
        ),
        max_size=4,
    ),
)
def test_what_is_written_is_read(
    queries: dict[str, tuple[str, ...]], items: dict[str, Seen]
) -> None:
    found = looks_from_json(looks_to_json(Looks(queries, items)))
    assert found == Looks(queries, items)
    assert list(found.queries) == list(queries)
