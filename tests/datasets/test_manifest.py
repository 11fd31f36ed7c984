"""The user's own data: CSV and JSONL."""

from __future__ import annotations

import csv
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets.annotations import Annotated
from datasets.base import DatasetError
from datasets.manifest import parse

FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def csv_file(folder: Path, *lines: str) -> Path:
    path = folder / "own.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def jsonl_file(folder: Path, *rows: object) -> Path:
    path = folder / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def splits(annotated: Annotated) -> dict[str, str]:
    return {item.id: item.split for item in annotated.items}


def test_csv_with_a_split(tmp_path: Path) -> None:
    read = parse(
        csv_file(
            tmp_path,
            "id,path,caption,split",
            "a,pics/a.jpg,A dog,train",
            "b,/data/b.PNG,  A cat,test",
            'a,pics/a.jpg,"A dog, running",train',
            "c,../c.webp,A bird,val",
        )
    )
    assert read.protocol.name == "own-split" and read.notes == ()
    a, b, c = read.items
    assert (a.id, a.path, a.split) == ("a", tmp_path / "pics/a.jpg", "train")
    assert [(x.id, x.text) for x in a.captions] == [("a#0", "A dog"), ("a#1", "A dog, running")]
    assert (b.path, b.split, b.captions[0].text) == (Path("/data/b.PNG"), "test", "A cat")
    assert (c.path, c.split) == (tmp_path / "../c.webp", "validation")


def test_jsonl_with_a_list_of_captions_and_a_number_for_id(tmp_path: Path) -> None:
    rows = [
        {"id": 5, "path": "a.jpg", "caption": ["x", "y"], "split": "test"},
        {"id": "5", "path": "a.jpg", "caption": "z", "split": "TEST"},
    ]
    (item,) = parse(jsonl_file(tmp_path, *rows)).items
    assert (item.id, [c.text for c in item.captions]) == ("5", ["x", "y", "z"])


@pytest.mark.parametrize(
    ("files", "modality"),
    [
        (["a.wav", "b.FLAC", "c.mp3", "d.ogg"], "audio"),
        (["a.mp4", "b.webm", "c.AVI", "d.mkv"], "video"),
        (["a.jpg", "b.PNG", "c.webp", "d.gif"], "image"),
    ],
)
def test_the_modality_is_that_of_the_files(tmp_path: Path, files: list[str], modality: str) -> None:
    lines = [f"{name},media/{name},text,test" for name in files]
    read = parse(csv_file(tmp_path, "id,path,caption,split", *lines))
    assert [item.path for item in read.items] == [tmp_path / "media" / name for name in files]
    assert {item.modality for item in read.items} == {modality}


def test_columns_in_any_order_and_others_noted(tmp_path: Path) -> None:
    read = parse(csv_file(tmp_path, "\ufeffCaption,Rating,ID,Path,Split", "dog,5,a,a.jpg,test"))
    assert read.items[0].captions[0].text == "dog"
    assert read.notes == ("Columns of the manifest that are not read: rating.",)


@pytest.mark.parametrize(
    ("items", "test", "validation"), [(5, 1, 0), (24, 4, 2), (100, 20, 8), (239, 47, 19)]
)
def test_drawn_split(tmp_path: Path, items: int, test: int, validation: int) -> None:
    lines = [f"i{n},i{n}.jpg,text {n}" for n in range(items)]
    read = parse(csv_file(tmp_path, "id,path,caption", *lines))
    assert read.protocol.name == "seeded-split-0"
    assert read.notes == ("The manifest has no split; one was drawn with seed 0.",)
    drawn = list(splits(read).values())
    assert (drawn.count("test"), drawn.count("validation")) == (test, validation)
    again = parse(csv_file(tmp_path, "id,path,caption,split", *(f"{x}," for x in lines[::-1])))
    assert splits(again) == splits(read)


def test_drawn_split_never_changes(tmp_path: Path) -> None:
    lines = [f"{n},{n}.jpg,text" for n in range(12)]
    read = splits(parse(csv_file(tmp_path, "id,path,caption", *lines)))
    assert {name for name, split in read.items() if split == "test"} == {"2", "10"}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["id,path,text", "a,a.jpg,x"], "line 1: the header lacks caption"),
        (["id,path,caption,id", "a,a.jpg,x,a"], "line 1: the header names a column twice"),
        (["id,path,caption", "a,a.jpg,x,y"], "line 2 has 4 fields where the header has 3"),
        (["id,path,caption", "a,a.jpg,x", "b,b.jpg, "], "line 3: 'caption' is empty"),
        (["id,path,caption", " ,a.jpg,x"], "line 2: 'id' is empty"),
        (["id,path,caption", "a,,x"], "line 2: 'path' is empty"),
        (["id,path,caption", 'a,a.jpg,"x', "y", "z"], "line 2 is not CSV"),
        (["id,path,caption", 'a,a.jpg,"x\ny"', "b,b.jpg,"], "line 4: 'caption' is empty"),
        (["id,path,caption", "", "a,a.jpg,x\0y"], "line 3, caption: the text holds a NUL"),
        (["id,path,caption", "a,a.jpg,x", "a,b.jpg,y"], "line 3: id 'a' has path .*line 2"),
        (
            ["id,path,caption,split", "a,a.jpg,x,train", "a,a.jpg,y,test"],
            "line 3: id 'a' has split test, but train at .*line 2",
        ),
        (["id,path,caption,split", "a,a.jpg,x,dev"], "line 2: split 'dev' is not known"),
        (
            ["id,path,caption,split", "a,a.jpg,x,test", "b,b.jpg,x,"],
            "line 3 has no split while other lines have one",
        ),
        (["id,path,caption,split", "a,a.jpg,x,train"], "no line has split 'test'"),
        (
            ["id,path,caption", "a,a.jpg,x", "b,b.png,x", "c,c.wav,x", "d,d.mp4,x"],
            "line 4: c.wav is audio while a.jpg is image; .* a manifest of its own",
        ),
        (["id,path,caption", "a,a.MP4,x", "b,b.flac,x"], "line 3: b.flac is audio .* is video"),
        (["id,path,caption", "a,a.txt,x"], "unknown extension '.txt'; .* read is .jpg .*.wav .*"),
        (["id,path,caption", "a,a,x"], "unknown extension ''"),
        (["id,path,caption", "a,https://x.org/a.jpg,x"], "line 2: .* is an address"),
        (["id,path,caption", "a,a.jpg,x"], "1 items, too few to draw a split"),
        (["id,path,caption"], "lists no item"),
        ([""], "lists no item"),
    ],
)
def test_bad_csv(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        parse(csv_file(tmp_path, *lines))


ROW = {"id": "a", "path": "a.jpg", "caption": "x", "split": "test"}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([ROW, {**ROW, "caption": None}], "line 2: 'caption' is missing or not text"),
        ([ROW, {**ROW, "caption": []}], "line 2: the list 'caption' is empty"),
        ([{**ROW, "caption": ["x", 3]}], "line 1: 'caption' is missing or not text"),
        ([{**ROW, "caption": ["x", "\t"]}], "line 1: 'caption' is empty"),
        ([{**ROW, "id": True}], "line 1: 'id' is missing or not text"),
        ([{**ROW, "split": 1}], "line 1: split 1 is not known"),
        ([{**ROW, "path": "\ud800.jpg"}], "line 1, path: .* surrogate"),
        ([[1]], "line 1 holds a list, not an object"),
    ],
)
def test_bad_jsonl(tmp_path: Path, rows: list[object], said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        parse(jsonl_file(tmp_path, *rows))


def test_files_that_are_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").touch()
    with pytest.raises(DatasetError, match=r"\.csv or a \.jsonl"):
        parse(tmp_path / "a.tsv")
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        parse(tmp_path / "none.csv")
    (tmp_path / "a.jsonl").write_text('\n{"id": 1\n')
    with pytest.raises(DatasetError, match="line 2 is not JSON"):
        parse(tmp_path / "a.jsonl")
    (tmp_path / "a.csv").write_bytes(b"id,path,caption\na,a.jpg,caf\xe9\n")
    with pytest.raises(DatasetError, match="line 2 is not UTF-8; save the file as UTF-8"):
        parse(tmp_path / "a.csv")


def clean(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).filter(clean)
manifests = st.dictionaries(
    texts.map(clean),
    st.tuples(st.lists(texts, min_size=1, max_size=3), st.sampled_from(["train", "val", "test"])),
    min_size=1,
    max_size=6,
).filter(lambda items: any(split == "test" for _, split in items.values()))


@FILES
@given(manifests, st.booleans())
def test_what_is_written_is_read_back(
    tmp_path: Path, items: dict[str, tuple[list[str], str]], as_csv: bool
) -> None:
    rows = [
        {"id": name, "path": f"{number}.jpg", "caption": caption, "split": split}
        for number, (name, (captions, split)) in enumerate(items.items())
        for caption in captions
    ]
    if as_csv:
        path = tmp_path / "own.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, ["id", "path", "caption", "split"])
            writer.writeheader()
            writer.writerows(rows)
    else:
        path = tmp_path / "own.jsonl"
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        path.write_text("\n".join(lines), encoding="utf-8", newline="\n")
    read = parse(path)
    names = {"train": "train", "val": "validation", "test": "test"}
    assert {i.id: ([c.text for c in i.captions], i.split) for i in read.items} == {
        name: ([clean(caption) for caption in captions], names[split])
        for name, (captions, split) in items.items()
    }


@FILES
@given(st.binary(max_size=60) | st.text('abc,"\n\r \0\ufeff{}[]:1', max_size=60).map(str.encode))
def test_any_bytes_below_a_header_give_items_or_a_dataset_error(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes(b"id,path,caption\n" + content)
    try:
        read = parse(path)
    except DatasetError as error:
        assert str(error)
    else:
        assert all(item.captions for item in read.items)
