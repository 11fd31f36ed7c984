"""The published annotation files, with the counts that the field knows."""

from __future__ import annotations

import csv
import gzip
import os
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from datasets import loading, registry
from datasets.annotations import Annotated
from datasets.assemble import dataset_of, media_of
from datasets.base import Dataset
from datasets.layouts import coco_captions, karpathy, split_lists
from datasets.verify import Verified
from tests.datasets.tiny_files import write_picture

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def real() -> Path:
    folder = os.environ.get("RETRIEVAL_TEST_DATA")
    if not folder:
        pytest.skip("RETRIEVAL_TEST_DATA names no folder of real data")
    return Path(folder)


@cache
def annotated(name: str, folder: Path) -> Annotated:
    """What the loader reads in a folder that holds annotations and no media."""
    return loading.loader_of(registry.entry(name)).read(folder, registry.card(name))


def as_if_whole(name: str, folder: Path) -> Dataset:
    """The dataset as it would be with a good file for each item."""
    read = annotated(name, folder)
    verified = Verified({item.id: item.id for item in media_of(read)}, (), {})
    return dataset_of(read, loading.labels_of(registry.card(name)), verified)


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split()


@pytest.fixture(scope="module")
def token_folder(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A token file of the 31,014 photos whose captions Multi30K passes on, five for each."""
    folder = tmp_path_factory.mktemp("flickr30k")
    source = real / "flickr30k"
    with (folder / "results_20130124.token").open("w", encoding="utf-8") as token:
        for texts, photos in (
            ("train", "train.txt"),
            ("val", "val.txt"),
            ("test_2016", "test_2016_flickr.txt"),
        ):
            named = lines(source / "multi30k_image_splits" / photos)
            for n in range(5):
                path = source / f"multi30k_task2_raw/{texts}.{n + 1}.en.gz"
                with gzip.open(path, "rt", encoding="utf-8", newline="\n") as stream:
                    for photo, caption in zip(named, stream, strict=True):
                        token.write(f"{photo}#{n}\t{caption}")
    (folder / "image_splits").symlink_to(source / "multi30k_image_splits")
    (folder / "flickr30k_entities").symlink_to(source / "entities_splits_NOT_karpathy")
    return folder


def counts(read: Annotated) -> dict[str, int]:
    return Counter(item.split for item in read.items)


def test_flickr30k_karpathy_whole_from_the_token_file(token_folder: Path) -> None:
    loaded = as_if_whole("flickr30k", token_folder)
    assert loaded.protocol == "karpathy-1k"
    assert loaded.protocol == as_if_whole("flickr30k:karpathy", token_folder).protocol
    assert [len(pairs.items) for pairs in (loaded.train, loaded.validation)] == [29_000, 1014]
    assert [len(pairs.captions) for pairs in (loaded.train, loaded.validation)] == [145_000, 5070]
    assert (len(loaded.gallery), len(loaded.queries)) == (1000, 5000)
    assert not any("protocol" in note or "empty" in note for note in loaded.notes)


def test_flickr30k_test_split_is_the_same_from_two_forms(real: Path, token_folder: Path) -> None:
    """The copy in Karpathy's layout, its texts tokenised anew, against the token file."""
    copy = annotated("flickr30k", real / "flickr30k")
    assert copy.notes == (
        "There is no dataset_flickr30k.json; dataset_flickr30k_test_DERIVED.json was read in its "
        "place.",
    )
    test = [item for item in annotated("flickr30k", token_folder).items if item.split == "test"]
    assert [item.id for item in copy.items] == [item.id for item in test]
    for one, other in zip(copy.items, test, strict=True):
        assert [caption.text for caption in one.captions] == [
            caption.text for caption in other.captions
        ]


def test_flickr30k_entities_split(real: Path, token_folder: Path) -> None:
    """Karpathy's photos are 769 fewer, 38 of them test photos of Entities."""
    folder = token_folder / "flickr30k_entities"
    listed = Counter(
        split_lists.parse(
            {
                "train": folder / "train.txt",
                "validation": folder / "val.txt",
                "test": folder / "test.txt",
            }
        ).values()
    )
    assert listed == {"train": 29_783, "validation": 1000, "test": 1000}
    read = annotated("flickr30k:entities", token_folder)
    assert counts(read) == {"train": 29_073, "validation": 979, "test": 962}
    assert read.notes == (
        "769 of the 31,783 listed photos are not in results_20130124.token and are left out.",
    )
    loaded = as_if_whole("flickr30k:entities", token_folder)
    assert loaded.protocol == "entities-962of1000-train29073of29783-val979of1000"


def test_the_two_test_splits_of_flickr30k_share_25_photos(token_folder: Path) -> None:
    entities, karpathys = (
        {item.id for item in annotated(name, token_folder).items if item.split == "test"}
        for name in ("flickr30k:entities", "flickr30k:karpathy")
    )
    assert len(entities & karpathys) == 25
    listed = set(lines(token_folder / "flickr30k_entities/test.txt"))
    assert len(listed) == 1000 and len(listed & karpathys) == 25


def test_coco_in_five_folds(real: Path) -> None:
    """Fold n is the n-th thousand of the file, as VSE++ evaluates."""
    loaded = as_if_whole("mscoco:1k", real / "coco")
    order = [item.id for item in karpathy.parse(real / "coco/dataset_coco_test5k_DERIVED.json")]
    for fold in range(5):
        held = [
            item.id for item, own in zip(loaded.gallery, loaded.folds, strict=True) if own == fold
        ]
        assert held == order[1000 * fold : 1000 * (fold + 1)]
    assert len(loaded.queries) == 25_000
    assert loaded.protocol == "karpathy-1k-5fold-train0of113287-val0of5000"


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        ("mscoco", "karpathy-5k-train0of113287-val0of5000"),
        # The derived file holds five captions a photo: the ten beyond are missed and told.
        ("mscoco:uncapped", "karpathy-5k-uncapped-25000queries-train0of113287-val0of5000"),
        ("mscoco:val2017", "val2017-5k-train0of113287-val0of5000"),
    ],
)
def test_coco_variants(real: Path, name: str, protocol: str) -> None:
    loaded = as_if_whole(name, real / "coco")
    assert loaded.protocol == protocol
    assert (len(loaded.gallery), len(loaded.queries)) == (5000, 25_000)
    assert loaded.folds == ()


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
