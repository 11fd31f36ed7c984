"""The published annotation files, with the counts that the field knows."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from datasets import loading
from datasets.layouts import coco_captions, karpathy
from tests.datasets.tiny_files import write_picture

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def real() -> Path:
    folder = os.environ.get("RETRIEVAL_TEST_DATA")
    if not folder:
        pytest.skip("RETRIEVAL_TEST_DATA names no folder of real data")
    return Path(folder)


def test_coco_test_5k(real: Path) -> None:
    items = karpathy.parse(real / "coco/dataset_coco_test5k_DERIVED.json")
    assert len(items) == 5000
    assert sum(len(item.captions) for item in items) == 25_000
    assert {item.split for item in items} == {"test"}
    assert items[0].path == Path("val2014/COCO_val2014_000000391895.jpg")


def test_coco_val_2017(real: Path) -> None:
    items = coco_captions.parse(real / "coco/captions_val2017.json", "test")
    assert len(items) == 5000
    assert sum(len(item.captions) for item in items) == 25_014
    known = {item.id: item for item in items}
    assert "A black Honda motorcycle parked in front of a garage." in [
        caption.text for caption in known["179765"].captions
    ]


def test_flickr30k_test_through_the_loader(real: Path, tmp_path: Path) -> None:
    """The real captions, with one drawn picture standing for every photo."""
    source = real / "flickr30k/dataset_flickr30k_test_DERIVED.json"
    (tmp_path / "dataset_flickr30k.json").write_bytes(source.read_bytes())
    (tmp_path / "flickr30k-images").mkdir()
    picture = write_picture(tmp_path / "one.png")
    for item in karpathy.parse(source):
        (tmp_path / "flickr30k-images" / item.path.name).hardlink_to(picture)
    loaded = loading.load("flickr30k", root=tmp_path, cache=tmp_path / "cache")
    assert loaded.protocol == "karpathy-1k-train0of29000-val0of1014"
    assert (len(loaded.gallery), len(loaded.queries)) == (1000, 5000)
    assert "1,000 gallery files are byte for byte the same as another of them." in loaded.notes


def test_coco_photos_as_own_data(real: Path, tmp_path: Path) -> None:
    folder = real / "image_coco_mini"
    items = coco_captions.parse(folder / "captions.json", "test")
    assert (len(items), sum(len(item.captions) for item in items)) == (239, 1195)
    with (tmp_path / "photos.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "path", "caption"])
        for item in items:
            writer.writerows(
                [item.id, folder / "images" / item.path, caption.text] for caption in item.captions
            )
    loaded = loading.load_manifest(tmp_path / "photos.csv", cache=tmp_path / "cache")
    assert (loaded.name, loaded.protocol) == ("photos", "seeded-split-0")
    assert (len(loaded.gallery), len(loaded.queries)) == (47, 235)
    assert (len(loaded.train.items), len(loaded.validation.items)) == (173, 19)
    assert len(loaded.train.captions) == 173 * 5
    assert loaded.notes == ("The manifest has no split; one was drawn with seed 0.",)
