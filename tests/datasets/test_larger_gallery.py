"""Galleries that hold more than the test items: what fills them, what they are called, what not."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets import loading, registry
from datasets.base import Dataset, DatasetError
from datasets.larger_gallery import (
    filled_from_manifest,
    filled_from_twin,
    full_corpus,
    read_protocol,
)
from datasets.media.images import load_image
from datasets.twins import distractors as drawing
from datasets.twins.distractors import distractors
from datasets.twins.drawn import RECORD, Size, maker_module, recorded
from datasets.twins.further_items import FAMILIES, Questions, spot_of, words_of
from datasets.twins.making import make

TWIN = "flickr30k-mini"
MADE = Size(48, 3)


@pytest.fixture(autouse=True)
def few_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few items, drawn in this process."""
    monkeypatch.setattr(drawing, "TOGETHER", 4)
    monkeypatch.setattr(drawing, "default_workers", lambda: None)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a twin of 48 items, 7 of them test items."""
    root = tmp_path_factory.mktemp("data")
    make(registry.entry(TWIN), root / TWIN, MADE.items, MADE.seed)
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def twin(root: Path, cache: Path) -> Dataset:
    return loading.load(TWIN, root=root, cache=cache)


def grown(dataset: Dataset, size: int, root: Path | None, cache: Path) -> Dataset:
    return filled_from_twin(dataset, size, root=root, cache=cache)


def test_a_gallery_is_filled_up_to_its_size(twin: Dataset, root: Path, cache: Path) -> None:
    found = grown(twin, 20, root, cache)
    assert len(found.searched) == 20
    assert found.gallery == twin.gallery and found.queries == twin.queries
    assert found.train == twin.train and found.validation == twin.validation
    assert found.protocol == "mini-7 in 20"
    own = {item.id for part in (twin.train, twin.validation) for item in part.items}
    assert not own.union(item.id for item in twin.gallery).intersection(
        item.id for item in found.distractors
    )
    pictures = [load_image(item).tobytes() for item in found.distractors]
    assert len(set(pictures)) == len(pictures)
    assert any("13 further items" in note for note in found.notes)


def test_a_larger_gallery_holds_the_smaller_one(twin: Dataset, root: Path, cache: Path) -> None:
    small, large = grown(twin, 12, root, cache), grown(twin, 30, root, cache)
    assert large.distractors[: len(small.distractors)] == small.distractors
    assert len({twin.digest, small.digest, large.digest}) == 3
    assert grown(twin, 12, root, cache).digest == small.digest


def test_a_gallery_of_the_test_items_is_the_dataset_itself(
    twin: Dataset, root: Path, cache: Path
) -> None:
    found = grown(twin, 7, root, cache)
    assert replace(found, ceilings={}) == twin


def test_a_size_below_the_test_items_is_refused(twin: Dataset, root: Path, cache: Path) -> None:
    with pytest.raises(DatasetError, match="A gallery of 6 cannot hold the 7 test items"):
        grown(twin, 6, root, cache)


def test_a_twin_that_does_not_say_what_it_was_drawn_with_is_refused(
    twin: Dataset, tmp_path: Path, cache: Path
) -> None:
    make(registry.entry(TWIN), tmp_path / TWIN, MADE.items, MADE.seed)
    (tmp_path / TWIN / RECORD).write_text(json.dumps({"items": "48", "seed": 3}))
    assert recorded(tmp_path / TWIN) is None
    with pytest.raises(DatasetError, match="does not record what it was drawn with"):
        grown(twin, 20, tmp_path, cache)


def test_a_twin_of_another_seed_than_it_says_is_refused(
    twin: Dataset, tmp_path: Path, cache: Path
) -> None:
    make(registry.entry(TWIN), tmp_path / TWIN, MADE.items, MADE.seed)
    (tmp_path / TWIN / RECORD).write_text(json.dumps({"items": 48, "seed": 4}))
    with pytest.raises(DatasetError, match="not those that its generator writes"):
        grown(twin, 20, tmp_path, cache)


def test_a_real_dataset_has_no_further_items(twin: Dataset, cache: Path) -> None:
    with pytest.raises(DatasetError, match="--gallery full"):
        grown(replace(twin, name="flickr30k"), 20, None, cache)


def test_a_gallery_in_folds_is_not_filled(twin: Dataset, root: Path, cache: Path) -> None:
    folded = replace(twin, folds=(0, 0, 0, 0, 1, 1, 1))
    for grow in (lambda: grown(folded, 20, root, cache), lambda: full_corpus(folded)):
        with pytest.raises(DatasetError, match="single one"):
            grow()


def test_the_full_corpus_is_every_item(twin: Dataset) -> None:
    found = full_corpus(twin)
    assert {item.id for item in found.searched} == {
        item.id for item in (*twin.gallery, *twin.train.items, *twin.validation.items)
    }
    assert found.protocol == "mini-7 full corpus" and found.digest != twin.digest
    assert found.queries == twin.queries
    with pytest.raises(DatasetError, match="no items to learn from"):
        full_corpus(replace(twin, train=twin.train.empty(), validation=twin.train.empty()))


def test_a_test_item_is_no_distractor(twin: Dataset) -> None:
    with pytest.raises(DatasetError, match="also a distractor"):
        replace(twin, distractors=twin.gallery[:1])
    with pytest.raises(DatasetError, match="an id twice"):
        replace(twin, distractors=twin.train.items[:1] * 2)


def test_the_name_of_a_protocol_is_read_back(twin: Dataset, root: Path, cache: Path) -> None:
    assert read_protocol("1k-A-9k").others == ""
    assert read_protocol(grown(twin, 20, root, cache).protocol).base == twin.protocol
    whole = read_protocol(full_corpus(twin).protocol)
    assert (whole.base, whole.others) == (twin.protocol, "full")
    other = read_protocol("karpathy-1k in 10,000 with cc3m")
    assert (other.base, other.others) == ("karpathy-1k", "cc3m")


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_twin_has_further_items_of_its_own_kind(name: str, tmp_path: Path) -> None:
    twin, size = registry.entry(name), Size(30, 5)
    found = distractors(twin, size, 2, cache=tmp_path)
    assert [item.modality for item in found.items] == [twin.modality] * 2
    assert all(item.media.stat().st_size > 500 for item in found.items)  # type: ignore[union-attr]
    again = distractors(twin, size, 2, cache=tmp_path / "elsewhere")
    for one, other in zip(found.items, again.items, strict=True):
        assert one.media.read_bytes() == other.media.read_bytes()  # type: ignore[union-attr]


@pytest.mark.parametrize("name", list(FAMILIES))
def test_texts_are_counted_as_one_would_by_trying_each(name: str) -> None:
    twin, family = registry.entry(name), FAMILIES[name]
    assert twin.maker is not None
    maker = maker_module(twin.maker)
    *_, test = maker.SHARES
    examples = [maker.example(0, test, place) for place in range(6)]
    asked = Questions(family, examples)
    told = [caption for one in examples for caption in one.captions]
    contents = [family.draw(spot_of(name, 0, place)) for place in range(12)]
    for content in [*contents, *map(family.shown, examples)]:
        slow = {row for row, one in enumerate(told) if family.fits(one.meaning, content)}
        assert asked.true_of(content) == slow
    for one in examples:
        assert asked.as_right_as_an_item(asked.true_of(family.shown(one)))
    assert asked.texts == [words_of(caption.text) for caption in told]


def test_an_item_as_right_as_a_test_item_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    twin, size = registry.entry(TWIN), Size(30, 5)
    assert twin.maker is not None
    right = maker_module(twin.maker).example(size.seed, "test", 0)
    family = FAMILIES[TWIN]

    def draw(spot: object) -> object:
        return right.scene if str(spot).endswith("/2") else family.draw(spot)  # type: ignore[arg-type, attr-defined]

    monkeypatch.setitem(FAMILIES, TWIN, replace(family, draw=draw))  # type: ignore[arg-type]
    found = distractors(twin, size, 4, cache=tmp_path)
    assert found.refused == 1
    assert [item.id[-1] for item in found.items] == ["0", "1", "3", "4"]


def test_the_ceiling_is_what_a_random_choice_among_true_items_finds(
    twin: Dataset, root: Path, cache: Path
) -> None:
    found = grown(twin, 40, root, cache)
    counts = distractors(registry.entry(TWIN), MADE, 33, cache=cache).true_of
    rng = np.random.default_rng(0)
    hits = [
        np.mean(rng.integers(0, 1 + counts[words_of(query.text)], 4000) < 1)
        for query in found.queries
    ]
    assert found.ceilings["R@1"] == pytest.approx(np.mean(hits), abs=0.01)
    assert found.ceilings["R@1"] <= found.ceilings["R@10"] <= 1


def test_what_was_drawn_is_not_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twin, size = registry.entry(TWIN), Size(30, 5)
    first = distractors(twin, size, 5, cache=tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(drawing, "make_all", refuse)
    assert distractors(twin, size, 5, cache=tmp_path) == first
    assert drawing.undrawn(twin, size, 5, cache=tmp_path) == 0
    assert drawing.undrawn(twin, size, 20, cache=tmp_path) == 12


def test_a_damaged_block_is_told(tmp_path: Path) -> None:
    twin, size = registry.entry(TWIN), Size(30, 5)
    found = distractors(twin, size, 5, cache=tmp_path)
    assert isinstance(found.items[0].media, Path)
    (found.items[0].media.parent / "items.json").write_text("{")
    with pytest.raises(DatasetError, match="Delete the folder"):
        distractors(twin, size, 5, cache=tmp_path)


@pytest.fixture
def offered(tmp_path: Path, twin: Dataset) -> Path:
    """A manifest of eight pictures, one of them a copy of another and one of a test item."""
    rows = []
    for number in range(6):
        Image.new("RGB", (20, 16), (number * 40, 10, 20)).save(tmp_path / f"{number}.png")
        rows.append((str(number), f"{number}.png", "whatever"))
    (tmp_path / "copy.png").write_bytes((tmp_path / "3.png").read_bytes())
    assert isinstance(twin.gallery[0].media, Path)
    (tmp_path / "test.jpg").write_bytes(twin.gallery[0].media.read_bytes())
    rows += [("copy", "copy.png", "x"), ("test", "test.jpg", "x")]
    with (tmp_path / "others.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "path", "caption"), *rows])
    return tmp_path / "others.csv"


def test_a_gallery_is_filled_from_a_manifest(twin: Dataset, offered: Path, cache: Path) -> None:
    found = filled_from_manifest(twin, 13, offered, cache=cache)
    assert len(found.searched) == 13 and found.protocol == "mini-7 in 13 with others"
    assert "others/test" not in {item.id for item in found.distractors}
    assert not found.ceilings
    smaller = filled_from_manifest(twin, 10, offered, cache=cache)
    assert found.distractors[:3] == smaller.distractors and found.digest != smaller.digest
    with pytest.raises(DatasetError, match="offers 6 files"):
        filled_from_manifest(twin, 14, offered, cache=cache)


def test_distractors_are_of_the_same_modality(twin: Dataset, offered: Path, cache: Path) -> None:
    with pytest.raises(DatasetError, match=r"lists image, and .* is of audio"):
        filled_from_manifest(replace(twin, modality="audio"), 10, offered, cache=cache)
