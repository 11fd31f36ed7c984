"""COCO's twin: its layout, that it repeats itself, and that it is more crowded than Flickr30K's."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets import mscoco, registry
from datasets.annotations import count
from datasets.twins import flickr30k_mini, mscoco_mini
from datasets.twins.parallel import split_sizes
from datasets.twins.scene_captions import fits, identifying_share
from datasets.twins.scene_rendering import SIDE
from tests.datasets.written import file_digests

ITEMS = 48


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twin")
    mscoco_mini.make(folder, ITEMS, seed=3)
    return folder


def _images(folder: Path) -> list[dict[str, Any]]:
    table = json.loads((folder / "dataset_coco.json").read_text(encoding="utf-8"))
    assert table["dataset"] == "coco"
    images: list[dict[str, Any]] = table["images"]
    return images


def test_layout_is_that_of_karpathys_coco(twin: Path) -> None:
    images = _images(twin)
    assert [image["imgid"] for image in images] == list(range(ITEMS))
    assert Counter(image["split"] for image in images) == {
        "train": 28,
        "restval": 9,
        "val": 4,
        "test": 7,
    }
    for image in images:
        assert set(image) == {
            "filepath", "sentids", "filename", "imgid", "split", "sentences", "cocoid",
        }  # fmt: skip
        part = "train2014" if image["split"] == "train" else "val2014"
        assert image["filepath"] == part
        assert image["filename"] == f"COCO_{part}_{image['cocoid']:012d}.jpg"
        with Image.open(twin / part / image["filename"]) as picture:
            assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (SIDE, SIDE))
        assert [one["sentid"] for one in image["sentences"]] == image["sentids"]
        assert {one["imgid"] for one in image["sentences"]} == {image["imgid"]}
        assert len({one["raw"] for one in image["sentences"]}) == len(image["sentids"])
    numbers = [number for image in images for number in image["sentids"]]
    assert numbers == list(range(len(numbers)))
    assert len(list(twin.glob("*/*.jpg"))) == ITEMS


def test_the_loader_caps_the_test_captions_at_five(twin: Path) -> None:
    found = mscoco.read(twin, registry.card("mscoco-mini"))
    assert found.protocol.max_captions_per_item == 5
    assert all(item.path.is_file() for item in found.items)
    counts = count(found.items, found.protocol.max_captions_per_item)
    assert {split: here.items for split, here in counts.items()} == {
        "train": 37,
        "validation": 4,
        "test": 7,
    }
    assert counts["test"].queries == 35


def test_some_items_have_six_captions_or_seven() -> None:
    counts = Counter(mscoco_mini.caption_count(0, "test", place) for place in range(250))
    assert set(counts) == {5, 6, 7}
    assert 0.05 < (counts[6] + counts[7]) / 250 < 0.2
    seven = next(p for p in range(250) if mscoco_mini.caption_count(0, "test", p) == 7)
    assert len({one.text for one in mscoco_mini.example(0, "test", seven).captions}) == 7


def test_the_card_counts_what_is_made() -> None:
    splits = registry.card("mscoco-mini").protocols[0].splits
    sizes = split_sizes(mscoco_mini.DEFAULT_ITEMS, mscoco_mini.SHARES)
    parts = {"train": ("train", "restval"), "validation": ("val",), "test": ("test",)}
    for known, words in parts.items():
        counts = [
            mscoco_mini.caption_count(0, word, place)
            for word in words
            for place in range(sizes[word])
        ]
        assert splits[known].items == len(counts)
        assert splits[known].captions == sum(counts)
    assert splits["test"].queries == 5 * sizes["test"]


def test_same_seed_gives_the_same_bytes_whatever_the_workers(twin: Path, tmp_path: Path) -> None:
    mscoco_mini.make(tmp_path, ITEMS, seed=3, workers=2)
    assert file_digests(tmp_path) == file_digests(twin)


def test_another_seed_gives_other_pictures_and_captions(twin: Path, tmp_path: Path) -> None:
    mscoco_mini.make(tmp_path, ITEMS, seed=4)
    other, ours = file_digests(tmp_path), file_digests(twin)
    assert set(other) == set(ours)
    assert all(other[name] != ours[name] for name in ours)


def test_scenes_are_more_crowded_than_flickrs_and_none_of_them() -> None:
    ours = [mscoco_mini.example(0, "test", place).scene for place in range(120)]
    others = [flickr30k_mini.example(0, "test", place).scene for place in range(120)]
    mine, theirs = (np.array([len(one.objects) for one in scenes]) for scenes in (ours, others))
    assert np.mean(mine >= 3) > np.mean(theirs >= 3) + 0.2
    assert not set(ours) & set(others)


def test_captions_are_true_and_most_single_out_their_item() -> None:
    made = [mscoco_mini.example(0, "test", place) for place in range(250)]
    captions = [(row, one.meaning) for row, item in enumerate(made) for one in item.captions]
    assert all(fits(meaning, made[row].scene) for row, meaning in captions)
    share = identifying_share(captions[::5], [one.scene for one in made])
    assert 0.7 < share < 0.95


def test_too_few_items_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 4 items, not 3"):
        mscoco_mini.make(tmp_path, 3, seed=0)
