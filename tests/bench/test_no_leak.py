"""What a retriever is shown before it is asked: no caption of a test item, no test item twice.

And what it was told of test items by others: nothing that people said of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.caption_check import LeakedCaptions, check_captions, plain_words
from bench.cells import CellSpec
from bench.galleries import Gallery
from bench.measure import Measurement, measure
from cart.cart import Cart
from cart.config import CartConfig
from datasets.base import Dataset, DatasetError, Item, Pairs, Query
from retrievers.base import GalleryCaptions, IndexStats, Ranking, RetrieverSpec
from retrievers.captioners.caption_file import CaptionFileAdapter
from retrievers.cart import TINY
from retrievers.generative import Generative
from tests.retrievers.colours import ColourEncoder, captions_of
from tests.retrievers.colours import items as colours

SPEC = RetrieverSpec("spy", "dual tower", ("image",), "random", "none")
PICTURE = np.zeros((4, 4, 3), np.uint8)


def items(prefix: str, count: int) -> tuple[Item, ...]:
    return tuple(Item(f"{prefix}{number}", "image", PICTURE) for number in range(count))


def pairs(prefix: str, count: int) -> Pairs:
    captions = tuple(f"{prefix} caption {number}" for number in range(count))
    return Pairs(items(prefix, count), captions, tuple(range(count)))


DATASET = Dataset(
    name="spied",
    protocol="all",
    modality="image",
    train=pairs("train", 5),
    validation=pairs("validation", 3),
    gallery=items("test", 4),
    queries=tuple(Query(f"q{n}", f"test caption {n}", (f"test{n}",)) for n in range(4)),
    digest="d",
    synthetic=True,
    licence="none",
)


class Spy:
    """Writes down all that it is given, in the order in which it is given."""

    spec = SPEC

    def __init__(self) -> None:
        self.told: list[str] = []

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        for part in (train, validation):
            self.told += [*part.captions, *(item.id for item in part.items)]
        return {}

    def index(self, items: Sequence[Item]) -> IndexStats:
        self.told += [item.id for item in items]
        self.gallery = len(items)
        return IndexStats({}, 0)

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        self.told.append("first query")
        ids = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        found = min(k, self.gallery)
        ids[:, :found], scores[:, :found] = np.arange(found), 0
        return Ranking(ids, scores)

    def save(self, folder: Path) -> None:
        raise AssertionError("the harness saves no retriever")

    load = save


def test_nothing_that_is_said_of_a_test_item_is_given_before_the_questions() -> None:
    spy = Spy()
    measure(CellSpec(SPEC, "spied", "all", "d", True, 0, 10, "c"), DATASET, spy, lambda _: None)
    before = spy.told[: spy.told.index("first query")]
    assert {query.text for query in DATASET.queries}.isdisjoint(before)
    assert set(DATASET.train.captions) <= set(before)
    assert sorted(before[-4:]) == ["test0", "test1", "test2", "test3"]


@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_test_item_that_is_also_learned_from_is_refused(part: str) -> None:
    shared = replace(DATASET.train, items=(*items("train", 4), DATASET.gallery[0]))
    with pytest.raises(DatasetError, match=f"1 test items are also in {part}, e.g. 'test0'"):
        replace(DATASET, **{part: shared})


def test_a_query_without_an_answer_in_the_gallery_is_refused() -> None:
    with pytest.raises(DatasetError, match="'lost' has no answer"):
        replace(DATASET, queries=(Query("lost", "text", ("elsewhere",)),))


class CaptionedSpy(Spy):
    """A spy that learned its gallery from captions; they are asked for after the search."""

    def gallery_captions(self) -> GalleryCaptions:
        self.told.append("captions")
        return GalleryCaptions([("a guess",)] * self.gallery, "guesses", remarks=("A remark.",))


def test_captions_are_asked_for_after_the_search_and_reported() -> None:
    spy = CaptionedSpy()
    spec = CellSpec(SPEC, "spied", "all", "d", True, 0, 10, "c")
    taken = measure(spec, DATASET, spy, lambda _: None)
    assert spy.told.index("first query") < spy.told.index("captions")
    assert taken.diagnostics == {"captions/verbatim": 0, "captions/verbatim_untaught": 0}
    assert taken.notes == ("A remark.",)


HUMAN = tuple(tuple(f"A person says {n} of item {item}." for n in range(5)) for item in range(20))
OTHERS = tuple(tuple(f"guess {n} at {item}" for n in range(9)) for item in range(20))
GALLERY = Gallery(
    items("test", 20),
    tuple(
        Query(f"q{item}-{n}", text, (f"test{item}",))
        for item, said in enumerate(HUMAN)
        for n, text in enumerate(said)
    ),
)


def checked(
    texts: Sequence[Sequence[str]],
    *,
    outside: bool = True,
    taught: Sequence[str] = (),
    gallery: Gallery = GALLERY,
) -> dict[str, float]:
    captions = GalleryCaptions(texts, "the file f.csv", outside)
    return check_captions([(gallery, captions)], taught)[0]


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(HUMAN, id="all of them"),
        pytest.param([said[:1] for said in HUMAN], id="one an item"),
        pytest.param(
            [(*others, said[0]) for others, said in zip(OTHERS, HUMAN, strict=True)],
            id="one an item among nine others",
        ),
        pytest.param(
            [tuple(text.upper().rstrip(".") + " " for text in said) for said in HUMAN],
            id="written otherwise",
        ),
        pytest.param([*HUMAN[:5], *OTHERS[5:]], id="of a quarter of the items"),
    ],
)
def test_captions_from_outside_that_are_those_of_people_are_refused(
    texts: Sequence[Sequence[str]],
) -> None:
    with pytest.raises(LeakedCaptions, match=r"The file f\.csv holds human captions of the test"):
        checked(texts)
    checked(texts, outside=False)


def test_captions_that_seldom_meet_a_query_are_let_pass_and_counted() -> None:
    one = [(HUMAN[0][0], *OTHERS[0]), *OTHERS[1:]]
    assert checked(one) == {
        "captions/verbatim": pytest.approx(0.01),
        "captions/verbatim_untaught": pytest.approx(0.01),
    }


def test_the_captions_of_another_item_are_no_leak() -> None:
    assert checked([*HUMAN[1:], HUMAN[0]])["captions/verbatim"] == 0


def test_what_training_captions_say_may_be_said() -> None:
    taught = [text.upper() for said in HUMAN for text in said]
    figures = checked(HUMAN, taught=taught)
    assert figures == {"captions/verbatim": 1, "captions/verbatim_untaught": 0}


def test_where_people_agree_captions_may_agree_with_them() -> None:
    """Of any two people one in five says the same, so of five captions each meets one of five."""
    words = ("red", "blue", "green", "black", "white")
    rng = np.random.default_rng(3)
    drawn = [[f"{rng.choice(words)} {item}" for _ in range(5)] for item in range(20)]
    queries = tuple(
        Query(f"{item}-{n}", f"{rng.choice(words)} {item}", (f"test{item}",))
        for item in range(20)
        for n in range(5)
    )
    figures = checked(drawn, gallery=replace(GALLERY, queries=queries))
    assert figures["captions/verbatim_untaught"] > 0.5


def test_no_captions_no_figures() -> None:
    assert check_captions([], ["a"]) == ({}, ())


def test_words_are_compared_without_case_space_accents_form_and_full_stop() -> None:
    assert plain_words("  Ein  CAFE\u0301. ") == plain_words("ein caf\u00e9") == "ein caf\u00e9"
    assert plain_words("a.b") != plain_words("ab")


class TestCart:
    """CART itself, with a file of captions, through the harness."""

    def measured(self, folder: Path, said: Mapping[str, str]) -> Measurement:
        rows = "".join(f'{name},"{text}"\n' for name, text in said.items())
        (folder / "said.csv").write_text(f"id,caption\n{rows}", encoding="utf-8")
        config: CartConfig = replace(TINY, captions=None)
        captioner = CaptionFileAdapter(folder / "said.csv", 30).build()
        retriever = Generative(SPEC, ColourEncoder(), Cart(config, 0), captioner)
        gallery = captions_of(colours("test", 1), "human")
        dataset = Dataset(
            name="colours",
            protocol="all",
            modality="image",
            train=captions_of(colours("train", 2), "a"),
            validation=captions_of(colours("val", 1), "the"),
            gallery=gallery.items,
            queries=tuple(
                Query(item.id, text, (item.id,))
                for item, text in zip(gallery.items, gallery.captions, strict=True)
            ),
            digest="d",
            synthetic=True,
            licence="none",
        )
        spec = CellSpec(SPEC, "colours", "all", "d", True, 0, 10, "c")
        return measure(spec, dataset, retriever, lambda _: None)

    def of_gallery(self, word: str) -> dict[str, str]:
        told = captions_of(colours("test", 1), word)
        return {item.id: text for item, text in zip(told.items, told.captions, strict=True)}

    def test_a_file_of_the_test_captions_ends_the_cell(self, tmp_path: Path) -> None:
        with pytest.raises(LeakedCaptions, match="12 times"):
            self.measured(tmp_path, self.of_gallery("human"))

    def test_a_file_of_other_words_is_learned_and_what_it_lacks_is_told(
        self, tmp_path: Path
    ) -> None:
        said = self.of_gallery("some")
        said.pop(next(iter(said)))
        taken = self.measured(tmp_path, {**said, "nobody": "x"})
        assert taken.diagnostics["captions/verbatim"] == 0
        lacking, strange = taken.notes
        # The validation items have no caption there either.
        assert "says nothing of 13 of the 24 items" in lacking
        assert "1 of the 12 ids" in strange

    def test_a_file_of_none_of_the_items_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match=r"No item of the gallery.*see that the ids"):
            self.measured(tmp_path, {"nobody": "x"})
