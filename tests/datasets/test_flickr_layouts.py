"""The layouts of a caption a row in which Flickr30K is passed on, and the lists of its splits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datasets.annotations import AnnotatedItem
from datasets.base import DatasetError
from datasets.layouts import clip_benchmark, flickr_token, lavis, published_file, split_lists


def texts(items: tuple[AnnotatedItem, ...]) -> dict[str, list[str]]:
    return {item.id: [caption.text for caption in item.captions] for item in items}


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_token_file(tmp_path: Path) -> None:
    """Commas, quotes, tabs and number signs are part of a caption; lines may end in CR LF."""
    path = written(
        tmp_path / "results.token",
        '\ufeff1.jpg#0\tTwo men, one "tall" .\r\n'
        "1.jpg#1\tA\ttab and a #1 sign\n"
        "b#2.jpg#0\tCafe\u0301\n"
        "1.jpg#2\t\n\n"
        "1.jpg#3\tsee 2.jpg,3.jpg",
    )
    first, second = flickr_token.parse(path, "test")
    assert (first.id, first.split, first.path) == ("1", "test", Path("1.jpg"))
    assert [(caption.id, caption.text) for caption in first.captions] == [
        ("1#0", 'Two men, one "tall" .'),
        ("1#1", "A\ttab and a #1 sign"),
        ("1#2", ""),
        ("1#3", "see 2.jpg,3.jpg"),
    ]
    assert (second.id, second.path, second.captions[0].text) == ("b#2", Path("b#2.jpg"), "Café")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1.jpg\tno number", "line 2 is not a photo's name, '#', the caption's number, a tab"),
        ("1.jpg#1 no tab", "line 2 is not a photo's name"),
        ("1.jpg#\tempty number", "line 2 is not a photo's name"),
        ("1.jpg#one\tword", "line 2 is not a photo's name"),
        ("1.jpg#\u0661\tArabic digit", "line 2 is not a photo's name"),
        ("#1\tno name", "line 2 is not a photo's name"),
        ("1.jpg#0\tagain", "line 2: caption '1#0' stands twice"),
        ("1.png#0\tother file", "line 2: 1.png and 1.jpg have the same name"),
        ("../1.jpg#0\tout", "line 2: .* not a path inside the data folder"),
        ("/1.jpg#0\tout", "line 2: .* not a path inside the data folder"),
        ("2.jpg#0\ta\0b", "line 2: .* NUL"),
    ],
)
def test_bad_token_files(tmp_path: Path, line: str, said: str) -> None:
    path = written(tmp_path / "results.token", f"1.jpg#0\tgood\n{line}\n")
    with pytest.raises(DatasetError, match=said):
        flickr_token.parse(path, "test")


def test_lavis_rows_and_lists(tmp_path: Path) -> None:
    train = [
        {"image": "flickr30k-images/1.jpg", "caption": "a", "image_id": 0},
        {"image": "flickr30k-images/2.jpg", "caption": "b, c", "image_id": 1},
        {"image": "flickr30k-images/1.jpg", "caption": " d\n", "image_id": 0},
    ]
    path = written(tmp_path / "flickr30k_train.json", json.dumps(train))
    one, two = lavis.parse(path, "train")
    assert (one.path, one.split) == (Path("flickr30k-images/1.jpg"), "train")
    assert [(caption.id, caption.text) for caption in one.captions] == [("1#0", "a"), ("1#1", "d")]
    assert texts((two,)) == {"2": ["b, c"]}
    test = [{"image": "flickr30k-images/1.jpg", "caption": ["a", "d"]}]
    path = written(tmp_path / "flickr30k_test.json", json.dumps(test))
    assert lavis.parse(path, "test")[0].captions == one.captions


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"image": "1.jpg"}, r"\[0\] has no 'image' or no 'caption'"),
        ({"caption": ["a"]}, r"\[0\] has no 'image' or no 'caption'"),
        ({"image": "1.jpg", "caption": []}, r"\[0\] has no 'image' or no 'caption'"),
        ({"image": "1.jpg", "caption": {"a": 1}}, r"\[0\] has no 'image' or no 'caption'"),
        ({"image": 1, "caption": "a"}, r"\[0\] has no 'image' or no 'caption'"),
        ({"image": "1.jpg", "caption": ["a", 2]}, r"\[0\]: a caption is not text but 2"),
        ({"image": "../1.jpg", "caption": "a"}, r"\[0\]: .* not a path inside"),
        ({"image": "1.jpg", "caption": "\ud83d"}, r"\[0\]: .* surrogate"),
        ("1.jpg", r"\[0\] has no 'image' or no 'caption'"),
    ],
)
def test_bad_lavis_files(tmp_path: Path, entry: object, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        lavis.parse(written(tmp_path / "a.json", json.dumps([entry])), "test")


def test_lavis_is_a_list(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds a dict, not a list"):
        lavis.parse(written(tmp_path / "a.json", "{}"), "test")


def test_clip_benchmark_rows_are_cut_at_the_first_extension(tmp_path: Path) -> None:
    path = written(
        tmp_path / "flickr30k_test_karpathy.txt",
        "image,caption\r\n"
        '1.jpg,Two men, one "tall" .\r\n'
        "1.jpg,a file named 9.jpg, they say\r\n"
        "2.JPG,\r\n"
        '2.JPG,"quoted"',
    )
    one, two = clip_benchmark.parse(path, "validation")
    assert texts((one,)) == {"1": ['Two men, one "tall" .', "a file named 9.jpg, they say"]}
    assert (two.id, two.path, two.split) == ("2", Path("2.JPG"), "validation")
    assert [(caption.id, caption.text) for caption in two.captions] == [
        ("2#0", ""),
        ("2#1", '"quoted"'),
    ]


def test_clip_benchmark_without_a_header_loses_no_row(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", "1.jpg,a\n1.jpg,b\n")
    assert texts(clip_benchmark.parse(path, "test")) == {"1": ["a", "b"]}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1.jpg;a", "line 3 is not a photo's name, a comma and the caption"),
        ("a caption on a line of its own", "line 3 is not a photo's name"),
        ("x/../../1.jpg,a", "line 3: .* not a path inside"),
        ("1.png,a", "line 3: 1.png and 1.jpg have the same name"),
    ],
)
def test_bad_clip_benchmark_files(tmp_path: Path, line: str, said: str) -> None:
    path = written(tmp_path / "a.txt", f"image,caption\n1.jpg,a\n{line}\n")
    with pytest.raises(DatasetError, match=said):
        clip_benchmark.parse(path, "test")


def test_lists_of_ids_and_of_file_names(tmp_path: Path) -> None:
    ids = written(tmp_path / "ids.txt", "\ufeff12\r\n3.5\n\n")
    names = written(tmp_path / "names.txt", "  7.jpg \n8.PNG")
    assert not split_lists.lists_file_names(ids)
    assert split_lists.lists_file_names(names)
    assert split_lists.parse({"train": ids, "test": names}) == {
        "12": "train",
        "3.5": "train",
        "7": "test",
        "8": "test",
    }


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe", b"\0" * 9000])
def test_a_list_of_nothing_names_no_files(tmp_path: Path, content: bytes) -> None:
    assert not split_lists.lists_file_names(written(tmp_path / "list.txt", content))
    assert not split_lists.lists_file_names(tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1", "line 2: '1' stands twice in the lists, see train"),
        ("1.jpg", "line 2: '1' stands twice"),
        ("../2", "line 2: .* not a path inside"),
        ("a/2.jpg", "line 2: 'a/2.jpg' is neither an id nor the name of a photo"),
    ],
)
def test_bad_lists(tmp_path: Path, line: str, said: str) -> None:
    train = written(tmp_path / "train.txt", "1\n2\n")
    test = written(tmp_path / "test.txt", f"3\n{line}\n")
    with pytest.raises(DatasetError, match=said):
        split_lists.parse({"train": train, "test": test})


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = written(tmp_path / "a.token", b"1.jpg#0\ta\n1.jpg#1\tcaf\xe9\n")
    with pytest.raises(DatasetError, match=r"a\.token, line 2 is not UTF-8"):
        flickr_token.parse(path, "test")
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        flickr_token.parse(tmp_path / "none.token", "test")


def test_a_file_without_bounds_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sparse file, so that the real bound is met without the bytes."""
    path = tmp_path / "a.token"
    with path.open("wb") as stream:
        stream.truncate(published_file.MAX_BYTES + 1)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
    for read in (flickr_token.parse, lavis.parse, clip_benchmark.parse):
        with pytest.raises(DatasetError, match="1,073,741,825 bytes, more than any published"):
            read(path, "test")
