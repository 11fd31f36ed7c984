"""Clotho and AudioCaps from small written files; only ``load`` opens a sound."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import audiocaps, clotho, loading, registry
from datasets.annotations import Annotated, AnnotatedItem
from datasets.base import DatasetError
from datasets.layouts import audiocaps_csv, clotho_csv
from tests.datasets.table_files import touch, write_audiocaps, write_clotho, write_table
from tests.datasets.tiny_files import tone, write_sound

FIVE = ("a", "b", "c", "d", "e")


def read_clotho(folder: Path, name: str = "clotho") -> Annotated:
    return clotho.read(folder, registry.card(name))


def read_audiocaps(folder: Path, name: str = "audiocaps") -> Annotated:
    return audiocaps.read(folder, registry.card(name))


def paths(annotated: Annotated, folder: Path) -> dict[str, str]:
    return {item.id: item.path.relative_to(folder).as_posix() for item in annotated.items}


def clotho_tables(
    folder: Path,
    development: Sequence[str] = ("rain.wav",),
    validation: Sequence[str] = ("wind.wav",),
    evaluation: Sequence[str] = ("dog.wav",),
) -> None:
    named = {"development": development, "validation": validation, "evaluation": evaluation}
    for split, names in named.items():
        if names:
            table = folder / f"clotho_captions_{split}.csv"
            write_clotho(table, {name: [f"{name} {one}" for one in FIVE] for name in names})


LAYOUTS = [
    (".", "{}/"),
    ("clotho_csv_files", "clotho_audio_files/{}/"),
    ("annotations", "audio/{}/"),
    (".", "clotho_audio_files/"),
    (".", ""),
]


@pytest.mark.parametrize(("tables", "sounds"), LAYOUTS)
def test_clotho_layouts(tmp_path: Path, tables: str, sounds: str) -> None:
    clotho_tables(tmp_path / tables)
    places = {
        "development/rain": sounds.format("development") + "rain.wav",
        "validation/wind": sounds.format("validation") + "wind.wav",
        "evaluation/dog": sounds.format("evaluation") + "dog.wav",
    }
    touch(*(tmp_path / place for place in places.values()))
    found = clotho.find(tmp_path, registry.card("clotho"))
    assert found == tmp_path / tables / "clotho_captions_evaluation.csv"
    read = read_clotho(tmp_path)
    assert paths(read, tmp_path) == places
    assert [item.split for item in read.items] == ["train", "validation", "test"]
    assert {item.modality for item in read.items} == {"audio"}
    assert [caption.id for caption in read.items[2].captions][:2] == [
        "evaluation/dog#1",
        "evaluation/dog#2",
    ]
    assert [caption.text for caption in read.items[2].captions] == [f"dog.wav {x}" for x in FIVE]
    assert (read.protocol.name, read.notes) == ("clotho-v2.1-1045", ())


@pytest.mark.parametrize(
    ("published", "on_disk"),
    [
        ("dog bark.wav", "dog bark.wav"),
        (" dog bark.wav", "dog bark.wav"),
        ("dog bark.wav", " dog bark .wav"),
        ("dog: bark.wav", "dog_ bark.wav"),
        ("dog_ bark.wav", "dog: bark.wav"),
        ("oiseau é.wav", unicodedata.normalize("NFD", "oiseau é.wav")),
        (unicodedata.normalize("NFD", "oiseau é.wav"), "oiseau é.wav"),
        ("dog v1.2.wav", "dog v1.2.flac"),
        ("dog.wav", "dog.WAV"),
    ],
)
def test_clotho_names_differ_between_copies(tmp_path: Path, published: str, on_disk: str) -> None:
    clotho_tables(tmp_path, evaluation=[published])
    touch(tmp_path / "evaluation" / on_disk, tmp_path / "evaluation/dog.mp4")
    item = read_clotho(tmp_path).items[-1]
    assert item.path == tmp_path / "evaluation" / on_disk
    stem = Path(published).stem
    assert item.id == "evaluation/" + unicodedata.normalize("NFC", stem).strip()


def test_clotho_exact_names_come_first(tmp_path: Path) -> None:
    clotho_tables(tmp_path, evaluation=["x_b.wav"])
    touch(tmp_path / "evaluation/x:b.wav", tmp_path / "evaluation/x_b.wav")
    assert read_clotho(tmp_path).items[2].path == tmp_path / "evaluation/x_b.wav"


def test_clotho_names_that_two_splits_share(tmp_path: Path) -> None:
    clotho_tables(tmp_path, ["rain.wav"], ["wind.wav"], ["rain.wav", "dog.wav"])
    touch(*(tmp_path / f"clotho_audio_files/{one}.wav" for one in ("rain", "wind", "dog")))
    flat = read_clotho(tmp_path)
    assert flat.notes == (
        "Files that could each be of several items, and are used for none: 1, e.g. rain.wav.",
    )
    assert paths(flat, tmp_path)["validation/wind"] == "clotho_audio_files/wind.wav"
    lost = [item.path for item in flat.items if item.path.name == "rain.wav"]
    assert lost == [tmp_path / "development/rain.wav", tmp_path / "evaluation/rain.wav"]
    touch(tmp_path / "development/rain.wav", tmp_path / "evaluation/rain.wav")
    own = paths(read_clotho(tmp_path), tmp_path)
    assert own["development/rain"] == "development/rain.wav"
    assert own["evaluation/rain"] == "evaluation/rain.wav"


def test_a_data_folder_may_bear_the_name_of_a_split(tmp_path: Path) -> None:
    folder = tmp_path / "evaluation"
    clotho_tables(folder)
    touch(folder / "development/rain.wav", folder / "wind.wav", folder / "dog.wav")
    assert all(item.path.exists() for item in read_clotho(folder).items)


def test_clotho_without_a_validation_table_draws_one(tmp_path: Path) -> None:
    clotho_tables(tmp_path, [f"{n}.wav" for n in range(30)], [])
    read = read_clotho(tmp_path, "clotho:v1")
    assert [sum(item.split == s for item in read.items) for s in ("train", "validation")] == [27, 3]
    assert read.protocol.variant == "v1"
    assert read.notes == (
        "There is no clotho_captions_validation.csv: 3 sounds of clotho_captions_development.csv "
        "were drawn for validation with seed 0.",
    )
    again = {item.id for item in read_clotho(tmp_path).items if item.split == "validation"}
    assert again == {item.id for item in read.items if item.split == "validation"}


@pytest.mark.parametrize(
    ("development", "name"), [(2893, "clotho-v1-1045"), (2892, "clotho-v2.1-1045")]
)
def test_clotho_v1_is_told_by_its_counts(tmp_path: Path, development: int, name: str) -> None:
    tests = [f"test {n}.wav" for n in range(1045)]
    clotho_tables(tmp_path, [f"{n}.wav" for n in range(development)], [], tests)
    assert read_clotho(tmp_path).protocol.name == name


def test_clotho_evaluation_alone(tmp_path: Path) -> None:
    clotho_tables(tmp_path, [], [])
    read = read_clotho(tmp_path)
    assert [item.split for item in read.items] == ["test"]
    assert read.notes == (
        "clotho_captions_development.csv was not found beside clotho_captions_evaluation.csv: "
        "there is nothing to train on.",
    )
    with pytest.raises(DatasetError, match=r"holds no clotho_captions_evaluation\.csv.*zenodo"):
        read_clotho(tmp_path / "nowhere")


def test_clotho_licences_are_counted(tmp_path: Path) -> None:
    clotho_tables(tmp_path)
    header = ["file_name", "keywords", "manufacturer", "license"]
    rows = [["dog.wav", "dog;bark", "Café", "by/3.0"], ["x.wav", "", "", "zero/1.0"]]
    write_table(tmp_path / "clotho_metadata_evaluation.csv", header, rows, "iso-8859-1")
    table = tmp_path / "clotho_metadata_development.csv"
    write_table(table, header, [["rain.wav", "", "", "zero/1.0"]])
    assert read_clotho(tmp_path).notes == (
        "Licences of the single sounds, by clotho_metadata_*.csv: zero/1.0 2, by/3.0 1.",
    )
    write_table(table, header, [[f"{n}.wav", "", "", f"own/{n:02}"] for n in range(30)])
    assert read_clotho(tmp_path).notes[0].endswith("own/07 1, and 24 others.")
    write_table(table, header, [["rain.wav", "by/3.0"]])
    (note,) = read_clotho(tmp_path).notes
    assert note.startswith("The licences of the single sounds were not counted: ")
    assert "line 2 has 2 fields where the header has 4" in note


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["a.wav", *FIVE], ["a.wav", *FIVE]], r"line 3: 'a\.wav' stands twice"),
        ([["a.wav", *FIVE], [" a.wav", *FIVE]], r"line 3: ' a\.wav' stands twice"),
        ([["../a.wav", *FIVE]], r"line 2: '\.\./a\.wav' is not a path inside the data folder"),
        ([["/a.wav", *FIVE]], "is not a path inside the data folder"),
        ([["x/a.wav", *FIVE]], r"line 2: 'x/a\.wav' is not the name of a sound"),
        ([["", *FIVE]], "line 2: '' is not a path inside the data folder"),
        ([["a.wav", "one", "two"]], "line 2 has 3 fields where the header has 6"),
    ],
)
def test_bad_clotho_tables(tmp_path: Path, rows: list[list[str]], said: str) -> None:
    header = ["file_name", *(f"caption_{n}" for n in range(1, 6))]
    write_table(tmp_path / "clotho_captions_evaluation.csv", header, rows)
    with pytest.raises(DatasetError, match=said):
        read_clotho(tmp_path)


SAFE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
STEMS = st.text("abcXYZ019 '_-éß鳥", min_size=1, max_size=9).filter(str.strip)


def cleaned(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(STEMS, st.tuples(*[SAFE] * 5), max_size=5))
def test_clotho_table_is_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, sounds: dict[str, tuple[str, ...]]
) -> None:
    sounds = {cleaned(stem): texts for stem, texts in sounds.items()}
    table = {f"{stem}.wav": texts for stem, texts in sounds.items()}
    path = write_clotho(tmp_path_factory.getbasetemp() / "round.csv", table)
    items = clotho_csv.parse(path, "test", "evaluation")
    assert [item.id for item in items] == [f"evaluation/{stem}" for stem in sounds]
    assert [[caption.text for caption in item.captions] for item in items] == [
        [cleaned(text) for text in texts] for texts in sounds.values()
    ]


ROWS = [("-abc", 30, "a dog"), ("xyz", 0, "rain"), ("-abc", 30, "a bark"), ("-abc", 40, "a cat")]


def audiocaps_tables(folder: Path, test: Sequence[tuple[str, int, str]] = ROWS) -> None:
    write_audiocaps(folder / "train.csv", [("tra", 10, "a train")])
    write_audiocaps(folder / "val.csv", [("val", 20, "a valley"), ("val", 20, "a hill")])
    write_audiocaps(folder / "test.csv", test)


def by_id(annotated: Annotated) -> dict[str, AnnotatedItem]:
    return {item.id: item for item in annotated.items}


def test_audiocaps_rows_of_one_sound_are_gathered(tmp_path: Path) -> None:
    audiocaps_tables(tmp_path)
    read = read_audiocaps(tmp_path)
    items = by_id(read)
    assert [item.id for item in read.items if item.split == "test"] == [
        "-abc_30",
        "xyz_0",
        "-abc_40",
    ]
    assert [(c.id, c.text) for c in items["-abc_30"].captions] == [
        ("100", "a dog"),
        ("102", "a bark"),
    ]
    assert items["tra_10"].split == "train" and items["val_20"].split == "validation"
    assert {item.modality for item in read.items} == {"audio"}
    assert (read.protocol.name, read.notes) == ("audiocaps-975", ())


@pytest.mark.parametrize("folder", ["test/", "audio/test/", "audio/", "audio_32000Hz/test/", ""])
@pytest.mark.parametrize("name", ["xyz_0", "Yxyz", "Yxyz_0", "xyz"])
@pytest.mark.parametrize("extension", [".wav", ".flac", ".mp3", ".ogg", ".m4a", ".opus"])
def test_audiocaps_names(tmp_path: Path, folder: str, name: str, extension: str) -> None:
    audiocaps_tables(tmp_path)
    touch(tmp_path / f"{folder}{name}{extension}", tmp_path / "audio/xyz_0.txt")
    found = by_id(read_audiocaps(tmp_path))["xyz_0"].path
    assert found == tmp_path / f"{folder}{name}{extension}"


def test_audiocaps_surest_name_and_own_folder_come_first(tmp_path: Path) -> None:
    audiocaps_tables(tmp_path)
    for name in ("xyz.wav", "Yxyz_0.wav", "Yxyz.wav", "xyz_0.flac"):
        for folder in ("audio", "test"):
            touch(tmp_path / folder / name)
            assert by_id(read_audiocaps(tmp_path))["xyz_0"].path == tmp_path / folder / name
    touch(tmp_path / "test/xyz_0.wav")
    assert by_id(read_audiocaps(tmp_path))["xyz_0"].path == tmp_path / "test/xyz_0.wav"


def test_audiocaps_sound_of_another_split_is_not_taken(tmp_path: Path) -> None:
    audiocaps_tables(tmp_path)
    touch(tmp_path / "audio/train/xyz_0.wav", tmp_path / "train/xyz_0.wav")
    touch(tmp_path / "test/other.wav")
    assert by_id(read_audiocaps(tmp_path))["xyz_0"].path == tmp_path / "test/xyz_0.wav"


def test_audiocaps_file_without_a_start_is_refused_where_there_are_two(tmp_path: Path) -> None:
    audiocaps_tables(tmp_path)
    touch(tmp_path / "test/-abc.wav", tmp_path / "test/Y-abc.wav", tmp_path / "test/xyz.wav")
    items = by_id(read_audiocaps(tmp_path))
    assert not items["-abc_30"].path.exists() and not items["-abc_40"].path.exists()
    assert items["xyz_0"].path == tmp_path / "test/xyz.wav"
    touch(tmp_path / "test/Y-abc_40.wav")
    items = by_id(read_audiocaps(tmp_path))
    assert items["-abc_30"].path == tmp_path / "test/-abc_30.wav"
    assert items["-abc_40"].path == tmp_path / "test/Y-abc_40.wav"


@pytest.mark.parametrize(
    ("asked", "folders", "variant", "taken"),
    [
        ("audiocaps", ["dataset", "dataset2.0"], "v1", "dataset"),
        ("audiocaps:v2", ["dataset", "dataset2.0"], "v2", "dataset2.0"),
        ("audiocaps", ["dataset2.0"], "v2", "dataset2.0"),
        ("audiocaps:v1", [".", "v2"], "v1", "."),
        ("audiocaps:v2", [".", "v2"], "v2", "v2"),
        ("audiocaps:v2", ["."], "v2", "."),
        ("audiocaps", ["csv_files_v1", "csv_files_v2"], "v1", "csv_files_v1"),
    ],
)
def test_audiocaps_versions(
    tmp_path: Path, asked: str, folders: list[str], variant: str, taken: str
) -> None:
    for folder in folders:
        audiocaps_tables(tmp_path / folder)
    assert audiocaps.find(tmp_path, registry.card(asked)) == tmp_path / taken / "test.csv"
    assert read_audiocaps(tmp_path, asked).protocol.variant == variant


def test_audiocaps_missing_tables(tmp_path: Path) -> None:
    assert audiocaps.find(tmp_path, registry.card("audiocaps")) is None
    with pytest.raises(DatasetError, match=r"holds no test\.csv\. .*github\.com/cdjkim/audiocaps"):
        read_audiocaps(tmp_path)
    write_audiocaps(tmp_path / "test.csv", ROWS)
    assert read_audiocaps(tmp_path).notes == (
        "train.csv was not found beside test.csv: there is nothing to train on.",
        "val.csv was not found beside test.csv: there is nothing to choose a model by.",
    )


def test_audiocaps_sound_in_two_splits_is_refused(tmp_path: Path) -> None:
    audiocaps_tables(tmp_path, [("tra", 10, "again")])
    with pytest.raises(DatasetError, match="'tra_10' stands in train and again in test"):
        read_audiocaps(tmp_path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((1, "../x", 3, "a"), r"line 2: '\.\./x' is not the id of a video at YouTube"),
        ((1, "", 3, "a"), "line 2: '' is not the id of a video at YouTube"),
        ((1, "x", "3.5", "a"), r"line 2: start_time '3\.5' is not a number of seconds"),
        ((1, "x", -3, "a"), "line 2: start_time '-3' is not"),
        ((1, "x", 3, "a\0"), "NUL"),
    ],
)
def test_bad_audiocaps_rows(tmp_path: Path, row: tuple[object, ...], said: str) -> None:
    header = ["audiocap_id", "youtube_id", "start_time", "caption"]
    write_table(tmp_path / "test.csv", header, [row])
    with pytest.raises(DatasetError, match=said):
        read_audiocaps(tmp_path)
    write_table(tmp_path / "test.csv", header, [(1, "x", 3, "a"), (1, "x", 3, "b")])
    with pytest.raises(DatasetError, match="line 3: audiocap_id '1' stands twice"):
        read_audiocaps(tmp_path)


IDS = st.text("aB3-_", min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(IDS, st.integers(0, 12), SAFE), max_size=12))
def test_audiocaps_groups_are_those_of_a_plain_search(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, str]]
) -> None:
    path = write_audiocaps(tmp_path_factory.getbasetemp() / "groups.csv", rows)
    sounds = audiocaps_csv.parse(path)
    assert len({sound.id for sound in sounds}) == len({row[:2] for row in rows})
    for sound in sounds:
        expected = [cleaned(text) for *key, text in rows if key == [sound.youtube_id, sound.start]]
        assert [caption.text for caption in sound.captions] == expected


def sound(path: Path, hertz: float) -> Path:
    return write_sound(path, tone(0.2, hertz=hertz))


def test_clotho_loads(tmp_path: Path) -> None:
    clotho_tables(tmp_path / "clotho")
    sound(tmp_path / "clotho/development/rain.wav", 200)
    sound(tmp_path / "clotho/validation/wind.wav", 300)
    dog = sound(tmp_path / "clotho/evaluation/dog.wav", 400)
    loaded = loading.load("clotho", root=tmp_path, cache=tmp_path / "cache", workers=1)
    assert loaded.protocol == "clotho-v2.1-1of1045-train1of3839-val1of1045"
    assert (loaded.modality, loaded.media_to_text) == ("audio", "any caption")
    assert [query.text for query in loaded.queries] == [f"dog.wav {one}" for one in FIVE]
    assert len(loaded.train.captions) == len(loaded.validation.captions) == 5
    dog.unlink()
    with pytest.raises(DatasetError, match=r"evaluation/dog: .*evaluation/dog\.wav is missing"):
        loading.load("clotho", root=tmp_path, cache=tmp_path / "cache", workers=1)


def test_audiocaps_loads_without_the_sounds_that_are_gone(tmp_path: Path) -> None:
    folder = tmp_path / "audiocaps"
    audiocaps_tables(folder)
    for hertz, name in ((200, "train/tra_10"), (300, "test/xyz_0"), (400, "test/-abc_30")):
        sound(folder / f"{name}.wav", hertz)
    loaded = loading.load("audiocaps", root=tmp_path, cache=tmp_path / "cache", workers=1)
    assert loaded.protocol == "audiocaps-2of975-train1of49838-val0of495"
    assert [item.id for item in loaded.gallery] == ["-abc_30", "xyz_0"]
    assert [query.text for query in loaded.queries] == ["a dog", "a bark", "rain"]
    assert "The gallery holds 2 of the 975 items that its protocol states." in loaded.notes
    (folder / "test/-abc_40.wav").write_bytes(b"not a sound")
    with pytest.raises(DatasetError, match="-abc_40: "):
        loading.load("audiocaps", root=tmp_path, cache=tmp_path / "cache", workers=1)
