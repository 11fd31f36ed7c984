"""Flickr30K and MS-COCO: every form of their splits, which goes first, and what is noted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from datasets import flickr30k, loading, mscoco, registry
from datasets.annotations import Annotated
from datasets.base import Dataset, DatasetError
from tests.datasets.tiny_files import karpathy_image, write_coco, write_karpathy, write_picture

SPLITS = {"1": "train", "2": "train", "3": "val", "4": "test", "5": "test"}
CAPTIONS = {name: [f"photo {name}, first", f"photo {name} second"] for name in SPLITS}


def of(split: str) -> list[str]:
    return [name for name, one in SPLITS.items() if one == split]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def karpathy_form(folder: Path, name: str = "dataset_flickr30k.json") -> None:
    images = [karpathy_image(f"{one}.jpg", SPLITS[one], CAPTIONS[one]) for one in SPLITS]
    write_karpathy(folder / name, images)


def token_form(folder: Path, photos: Sequence[str] = tuple(SPLITS)) -> None:
    lines = [f"{one}.jpg#{n}\t{CAPTIONS[one][n]}\n" for one in photos for n in range(2)]
    write(folder / "results_20130124.token", "".join(lines))


def lists(
    folder: Path, ending: str, *, test: str = "test.txt", only: Sequence[str] = ("train", "val")
) -> None:
    for split in only:
        write(folder / f"{split}.txt", "".join(f"{one}{ending}\n" for one in of(split)))
    write(folder / test, "".join(f"{one}{ending}\n" for one in of("test")))


def listed_form(folder: Path) -> None:
    token_form(folder)
    lists(folder, ".jpg")


def multi30k_form(folder: Path) -> None:
    token_form(folder)
    lists(folder / "image_splits", ".jpg", test="test_2016_flickr.txt")


def lavis_form(folder: Path, name: str = "flickr30k_{}.json") -> None:
    rows: dict[str, list[dict[str, object]]] = {
        split: [{"image": f"photos/{one}.jpg", "caption": CAPTIONS[one]} for one in of(split)]
        for split in ("val", "test")
    }
    rows["train"] = [
        {"image": f"photos/{one}.jpg", "caption": caption, "image_id": one}
        for one in of("train")
        for caption in CAPTIONS[one]
    ]
    for split, entries in rows.items():
        write(folder / name.format(split), json.dumps(entries))


def clip_benchmark_form(folder: Path) -> None:
    for split in ("train", "val", "test"):
        rows = [f"{one}.jpg,{caption}\n" for one in of(split) for caption in CAPTIONS[one]]
        write(folder / f"flickr30k_{split}_karpathy.txt", "image,caption\n" + "".join(rows))


FORMS = [karpathy_form, listed_form, multi30k_form, lavis_form, clip_benchmark_form]


def read(folder: Path, name: str = "flickr30k") -> Annotated:
    return flickr30k.read(folder, registry.card(name))


def found(folder: Path, name: str = "flickr30k") -> str | None:
    path = flickr30k.find(folder, registry.card(name))
    return path and path.name


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["flickr30k", "flickr30k:karpathy"])
def test_karpathys_split_is_the_same_from_every_form(
    tmp_path: Path, form: Callable[[Path], None], name: str
) -> None:
    form(tmp_path)
    annotated = read(tmp_path, name)
    assert annotated.protocol.name == "karpathy-1k" and annotated.notes == ()
    long = {"val": "validation"}
    assert [(item.id, item.split) for item in annotated.items] == [
        (one, long.get(split, split)) for one, split in SPLITS.items()
    ]
    assert {item.id: [caption.text for caption in item.captions] for item in annotated.items} == (
        CAPTIONS
    )
    assert {item.path.name for item in annotated.items} == {f"{one}.jpg" for one in SPLITS}
    assert found(tmp_path, "flickr30k:entities") is None
    with pytest.raises(DatasetError, match=r"holds no results_20130124\.token with a list"):
        read(tmp_path, "flickr30k:entities")


@pytest.mark.parametrize("folder", [".", "annotations", "flickr30k_entities"])
@pytest.mark.parametrize("captions", [token_form, karpathy_form])
def test_entities_split_with_captions_from_either_file(
    tmp_path: Path, folder: str, captions: Callable[[Path], None]
) -> None:
    captions(tmp_path)
    lists(tmp_path / folder, "")
    annotated = read(tmp_path, "flickr30k:entities")
    assert annotated.protocol.name == "entities-1k" and annotated.notes == ()
    assert [item.id for item in annotated.items if item.split == "test"] == ["4", "5"]
    assert [item.id for item in annotated.items if item.split == "validation"] == ["3"]
    assert [caption.text for caption in annotated.items[0].captions] == CAPTIONS["1"]


def test_entities_lists_decide_over_the_split_of_karpathys_file(tmp_path: Path) -> None:
    karpathy_form(tmp_path)
    for split, ids in {"train": "5\n4\n", "val": "1\n", "test": "2\n3\n"}.items():
        write(tmp_path / f"{split}.txt", ids)
    annotated = read(tmp_path, "flickr30k:entities")
    assert {item.id: item.split for item in annotated.items} == {
        "5": "train",
        "4": "train",
        "1": "validation",
        "2": "test",
        "3": "test",
    }
    assert [item.id for item in read(tmp_path).items if item.split == "test"] == ["4", "5"]


def test_entities_is_taken_where_no_form_of_karpathys_split_is(tmp_path: Path) -> None:
    token_form(tmp_path)
    assert found(tmp_path) is None
    lists(tmp_path / "flickr30k_entities", "")
    assert read(tmp_path).protocol.name == "entities-1k"
    lists(tmp_path / "image_splits", ".jpg")
    assert read(tmp_path).protocol.name == "karpathy-1k"
    assert read(tmp_path, "flickr30k:entities").protocol.name == "entities-1k"


def test_listed_photos_without_captions_are_noted(tmp_path: Path) -> None:
    token_form(tmp_path, ["1", "3", "4"])
    lists(tmp_path, "")
    annotated = read(tmp_path)
    assert [item.id for item in annotated.items] == ["1", "3", "4"]
    assert annotated.notes == (
        "2 of the 5 listed photos are not in results_20130124.token and are left out.",
    )


def test_the_forms_go_by_what_can_be_trained_on_then_in_order(tmp_path: Path) -> None:
    clip_benchmark_form(tmp_path)
    assert found(tmp_path) == "flickr30k_test_karpathy.txt"
    lavis_form(tmp_path)
    (tmp_path / "flickr30k_train.json").unlink()
    assert found(tmp_path) == "flickr30k_test_karpathy.txt"
    (tmp_path / "flickr30k_train_karpathy.txt").unlink()
    assert found(tmp_path) == "flickr30k_test.json"
    listed_form(tmp_path)
    assert found(tmp_path) == "test.txt"
    karpathy_form(tmp_path / "annotations")
    assert found(tmp_path) == "dataset_flickr30k.json"


@pytest.mark.parametrize(
    ("form", "lost", "test"),
    [
        (listed_form, "{}.txt", "test.txt"),
        (lavis_form, "flickr30k_{}.json", "flickr30k_test.json"),
        (clip_benchmark_form, "flickr30k_{}_karpathy.txt", "flickr30k_test_karpathy.txt"),
    ],
)
def test_the_test_split_alone(
    tmp_path: Path, form: Callable[[Path], None], lost: str, test: str
) -> None:
    form(tmp_path)
    for split in ("train", "val"):
        (tmp_path / lost.format(split)).unlink()
    annotated = read(tmp_path)
    assert [item.id for item in annotated.items] == ["4", "5"]
    assert annotated.notes == (
        f"{lost.format('train')} was not found beside {test}: there is nothing to train on.",
        f"{lost.format('val')} was not found beside {test}: there is nothing to choose a model by.",
    )


def test_lists_of_the_other_split_are_not_mixed_in(tmp_path: Path) -> None:
    """Multi30K's test list beside the lists of Entities: neither borrows the other's train."""
    token_form(tmp_path)
    lists(tmp_path, "")
    lists(tmp_path, ".jpg", test="test_2016_flickr.txt", only=())
    assert {item.split for item in read(tmp_path, "flickr30k:karpathy").items} == {"test"}
    assert len(read(tmp_path, "flickr30k:entities").items) == 5


def test_a_photo_in_two_splits_is_refused(tmp_path: Path) -> None:
    lavis_form(tmp_path)
    twice = json.dumps([{"image": "photos/4.jpg", "caption": ["a"]}])
    write(tmp_path / "flickr30k_val.json", twice)
    with pytest.raises(DatasetError, match="'4' stands in validation and again in test"):
        read(tmp_path)


def test_a_copy_under_another_name_is_read_and_named(tmp_path: Path) -> None:
    karpathy_form(tmp_path, "dataset_flickr30k_test_small.json")
    annotated = read(tmp_path)
    assert len(annotated.items) == 5
    assert annotated.notes == (
        "There is no dataset_flickr30k.json; dataset_flickr30k_test_small.json was read in its "
        "place.",
    )
    karpathy_form(tmp_path / "annotations", "dataset_flickr30k (1).json")
    assert found(tmp_path) is not None
    with pytest.raises(DatasetError) as caught:
        read(tmp_path)
    assert "2 files named like it" in str(caught.value)
    assert f"{tmp_path / 'annotations/dataset_flickr30k (1).json'}" in str(caught.value)
    lavis_form(tmp_path)
    assert found(tmp_path) == "flickr30k_test.json"


def test_every_form_that_the_card_names_is_found(tmp_path: Path) -> None:
    """The first word of each phrase is a file that decides, alone or with its lists."""
    for n, phrase in enumerate(registry.card("flickr30k:karpathy").protocols[0].forms):
        folder = tmp_path / str(n)
        write(folder / phrase.split()[0], "{}")
        if "list" in phrase:
            assert found(folder) is None
            lists(folder, ".jpg")
        assert found(folder) is not None
    for n, phrase in enumerate(registry.card("mscoco").protocols[0].forms):
        folder = tmp_path / f"coco{n}"
        write(folder / phrase, "{}")
        assert mscoco.find(folder, registry.card("mscoco")) == folder / phrase


def test_a_form_through_to_the_dataset(tmp_path: Path) -> None:
    """Photos of LAVIS's own folders, the captions of every split where they belong."""
    lavis_form(tmp_path / "flickr30k")
    for n, one in enumerate(SPLITS):
        write_picture(tmp_path / "flickr30k/flickr30k-images" / f"{one}.jpg", n)
    loaded = loading.load("flickr30k:karpathy", root=tmp_path, cache=tmp_path / "cache")
    assert loaded.name == "flickr30k"
    assert loaded.protocol == "karpathy-2of1000-train2of29000-val1of1014"
    assert [query.text for query in loaded.queries] == CAPTIONS["4"] + CAPTIONS["5"]
    assert loaded.train.captions == (*CAPTIONS["1"], *CAPTIONS["2"])
    assert (loaded.folds, loaded.media_to_text) == ((), "any caption")


def coco(root: Path, *, test: int, captions: int) -> None:
    images = [karpathy_image("r.jpg", "restval", ["a"], cocoid=900)]
    for n in range(test):
        words = [f"{n} {j}" for j in range(captions)]
        images.append(karpathy_image(f"{n}.jpg", "test", words, cocoid=n))
    for n, image in enumerate(images):
        write_picture(root / "val2014" / image["filename"], n)
    write_karpathy(root / "dataset_coco.json", images)


def load_coco(root: Path, variant: str) -> Dataset:
    return loading.load(f"mscoco{variant}", root=root, cache=root / "cache")


def test_cocos_variants(tmp_path: Path) -> None:
    coco(tmp_path, test=12, captions=6)
    whole = load_coco(tmp_path, ":5k")
    assert whole.protocol.startswith("karpathy-12of5000-")
    assert (len(whole.queries), whole.folds) == (60, ())
    assert load_coco(tmp_path, "") == whole
    uncapped = load_coco(tmp_path, ":uncapped")
    assert uncapped.protocol.startswith("karpathy-uncapped-12of5000-")
    assert len(uncapped.queries) == 72
    folded = load_coco(tmp_path, ":1k")
    assert folded.protocol.startswith("karpathy-5fold-12of5000-")
    assert (folded.queries, folded.gallery) == (whole.queries, whole.gallery)
    # Neighbours, as equal as twelve in five can be.
    assert folded.folds == (0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4)


def test_coco_from_lavis(tmp_path: Path) -> None:
    lavis_form(tmp_path, "coco_karpathy_{}.json")
    annotated = mscoco.read(tmp_path, registry.card("mscoco:1k"))
    assert annotated.protocol.name == "karpathy-1k-5fold"
    assert [item.split for item in annotated.items] == [
        "train",
        "train",
        "validation",
        "test",
        "test",
    ]


def test_a_named_year_of_coco_is_that_year_or_nothing(tmp_path: Path) -> None:
    card = registry.card
    write_coco(tmp_path / "captions_val2014.json", {1: ["a"]})
    write_coco(tmp_path / "captions_val_own.json", {1: ["a"]})
    assert mscoco.find(tmp_path, card("mscoco:val2017")) is None
    with pytest.raises(DatasetError, match=r"holds no captions_val2017\.json"):
        mscoco.read(tmp_path, card("mscoco:val2017"))
    assert mscoco.find(tmp_path, card("mscoco:5k")) is None
    assert mscoco.read(tmp_path, card("mscoco:val2014")).protocol.name == "val2014-40k"
    coco(tmp_path, test=1, captions=1)
    assert mscoco.read(tmp_path, card("mscoco:val2014")).protocol.name == "val2014-40k"
    assert mscoco.read(tmp_path, card("mscoco")).protocol.name == "karpathy-5k"


def test_a_copy_of_cocos_file(tmp_path: Path) -> None:
    write_karpathy(
        tmp_path / "annotations/dataset_coco_test.json", [karpathy_image("1.jpg", "test", ["a"])]
    )
    annotated = mscoco.read(tmp_path, registry.card("mscoco:uncapped"))
    assert annotated.notes == (
        "There is no dataset_coco.json; dataset_coco_test.json was read in its place.",
    )
