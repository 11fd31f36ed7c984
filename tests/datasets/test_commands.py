"""``python -m datasets``: list, show, verify and make, through the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from datasets import loading, registry
from datasets.__main__ import app
from datasets.twins import flickr30k_mini
from datasets.twins.drawn import RECORD, Size, recorded
from tests.datasets.tiny_files import karpathy_image, write_coco, write_karpathy, write_picture

TWIN = "flickr30k-mini"
ITEMS = 12
ROOT = Path(__file__).resolve().parents[2]


def run(*words: str | Path) -> Result:
    environment = {"COLUMNS": "80", "RETRIEVAL_DATA": "", "RETRIEVAL_CACHE": ""}
    return CliRunner().invoke(app, [str(word) for word in words], env=environment)


def on_one_line(text: str) -> str:
    """Without the line ends that a narrow terminal brings."""
    return " ".join(text.split())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a twin of twelve items, made by the command."""
    made = run("make", TWIN, "--items", str(ITEMS), "--output", tmp_path / "data")
    assert made.exit_code == 0, made.output
    return tmp_path / "data"


def pictures(data: Path) -> list[Path]:
    return sorted((data / TWIN / flickr30k_mini.IMAGES).iterdir())


def verified(data: Path, *more: str | Path) -> Result:
    return run("verify", TWIN, "--data-root", data, "--cache", data / "cache", *more)


def test_list_has_every_dataset_with_its_variants_and_its_place(tmp_path: Path) -> None:
    image = karpathy_image("1.png", "test", ["a"])
    write_karpathy(tmp_path / "flickr30k/dataset_flickr30k.json", [image])
    write_picture(tmp_path / "flickr30k/flickr30k-images/1.png")
    write_coco(tmp_path / "coco/captions_val2017.json", {1: ["a"]})
    shown = run("list", "--data-root", tmp_path)
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert max(map(len, lines)) <= 80
    rows = {line.split()[0]: line for line in lines if line.split()}
    for name in registry.names():
        assert registry.entry(name).modality in rows[name]
    for variant in registry.card("mscoco").variants:
        assert f":{variant}" in rows if variant != "5k" else ":5k" in rows["mscoco"]
    assert rows["flickr30k"].rstrip().endswith("in flickr30k")
    assert "annotations" in rows["mscoco"] and "without" in shown.output
    assert "not found" in rows["msvd"] and "drawn on first use" in rows["msvd-mini"]


def test_list_without_a_data_folder_says_how_to_name_one() -> None:
    shown = run("list")
    assert shown.exit_code == 0 and "give --data-root DIR" in shown.output


@pytest.mark.parametrize("name", registry.names())
def test_show_prints_the_whole_card(name: str) -> None:
    shown = run("show", name)
    assert shown.exit_code == 0
    assert max(map(len, shown.output.splitlines())) <= 80
    about, said = registry.card(name), "".join(shown.output.split())
    for sentence in (about.title, about.relevance, about.source, about.licence, about.citation):
        assert "".join(sentence.split()) in said
    for protocol in about.protocols:
        assert protocol.name in said
        assert all(file in said for file in protocol.annotations)
        for split, counts in protocol.splits.items():
            assert split in said
            assert all(f"{due:,}" in said for due in vars(counts).values() if due is not None)
    assert all(f"{folder}/" in said for folder in (*about.folders, *about.media))


def test_show_of_a_variant_and_the_rules_of_both_directions() -> None:
    shown = run("show", "mscoco:val2014").output
    assert "40,504" in shown and "113,287" not in shown
    assert "Any of the item's own is relevant." in on_one_line(shown)
    assert "each by its best caption." in on_one_line(run("show", "msvd").output)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["show", "flicker30k"], "Did you mean flickr30k"),
        (["show", "mscoco:9k"], "Variants: mscoco:5k"),
        (["verify", "mscoco"], "give --data-root or set RETRIEVAL_DATA"),
        (["verify"], "Give either the name of a dataset or --manifest FILE"),
        (["make", "flickr30k", "--items", "9"], "Did you mean flickr30k-mini?"),
        (["make", "flickr30k-mini:x", "--items", "9"], "A twin has no variants"),
        (["make", "flickr-mini", "--items", "9"], "Did you mean flickr30k-mini"),
        (["make", TWIN, "--items", "2", "--output", "none"], "at least 3 items, not 2"),
        (["make", TWIN, "--items", "2", "--output", "none", "--dry-run"], "at least 3 items"),
        (["verfy", "mscoco"], "verify"),
    ],
)
def test_what_cannot_be_followed_is_said_in_a_sentence(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = run(*words)
    assert ended.exit_code == 2
    assert sentence in ended.stderr and "Traceback" not in ended.stderr
    assert not any(path.name.startswith((".", TWIN)) for path in tmp_path.rglob("*"))


def test_a_dataset_that_is_not_there(tmp_path: Path) -> None:
    ended = run("verify", "flickr30k", "--data-root", tmp_path)
    assert ended.exit_code == 2
    assert "flickr30k was not found" in ended.stderr
    assert str(tmp_path / "flickr30k") in ended.stderr and "https://" in ended.stderr


def test_verify_a_whole_dataset(data: Path) -> None:
    ended = verified(data)
    assert ended.exit_code == 0, ended.output
    said = on_one_line(ended.output)
    assert "12 of 12 files decode, 0 missing, 0 damaged." in said
    assert "Whole: every count is as stated" in said
    sizes = flickr30k_mini.split_sizes(ITEMS, flickr30k_mini.SHARES)
    assert f"train {sizes['train']} {5 * sizes['train']} " in said
    assert f"test {sizes['test']} {5 * sizes['test']} {5 * sizes['test']} " in said


def test_verify_names_what_is_missing_and_what_is_damaged(data: Path) -> None:
    lost, cut, *_ = pictures(data)
    lost.unlink()
    cut.write_bytes(cut.read_bytes()[:200])
    ended = verified(data)
    assert ended.exit_code == 1
    said = on_one_line(ended.output)
    assert "10 of 12 files decode, 1 missing, 1 damaged." in said
    # A long path is folded anywhere.
    assert f"{lost.stem}:{lost}ismissing" in "".join(ended.output.split())
    assert said.index(f"{cut.stem}: ") < said.index(f"{lost.stem}: ")
    assert "Not whole: 2 media files missing or damaged." in said
    found = json.loads(verified(data, "--json").stdout)
    assert not found["whole"]
    assert found["media"]["missing"] == found["media"]["damaged"] == 1
    assert [(one["item_id"], one["missing"]) for one in found["media"]["problems"]] == [
        (lost.stem, True),
        (cut.stem, False),
    ]
    assert "and have it drawn anew." in said
    as_loaded = loading.load(TWIN, root=data, cache=data / "cache", skip_bad=True)
    assert found["protocol"] == as_loaded.protocol
    assert found["notes"] == list(as_loaded.notes)


def test_annotations_are_counted_where_no_media_are(data: Path) -> None:
    for path in pictures(data):
        path.unlink()
    ended = verified(data)
    assert ended.exit_code == 1
    said = on_one_line(ended.output)
    assert "0 of 12 files decode, 12 missing" in said and "and 2 more" in said
    assert "Protocol with these media: none" in said
    ended = verified(data, "--annotations-only")
    assert ended.exit_code == 0
    assert "Media were not looked at." in ended.output


def test_counts_other_than_the_cards_are_marked(tmp_path: Path) -> None:
    images = [
        karpathy_image(f"{split}{n}.png", split, ["a", "b"])
        for split in ("train", "val", "test")
        for n in range(2)
    ]
    write_karpathy(tmp_path / "flickr30k/dataset_flickr30k.json", images)
    words = ["verify", "flickr30k", "--data-root", tmp_path, "--annotations-only"]
    ended = run(*words)
    assert ended.exit_code == 1
    said = on_one_line(ended.output)
    assert "train 2 ≠ 29,000 4 ≠ 145,000" in said
    assert "test 2 ≠ 1,000 4 ≠ 5,000 4 ≠ 5,000" in said
    assert "karpathy-2of1000-train2of29000-val2of1014" in said
    assert "Not whole: 7 counts not as stated." in said
    found = json.loads(run(*words, "--json").stdout)
    assert found["splits"]["test"]["queries"] == {"found": 4, "stated": 5000}
    assert found["media"] is None and found["stated_protocol"] == "karpathy-1k"


def test_a_twin_that_is_not_in_the_data_folder_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flickr30k_mini, "DEFAULT_ITEMS", ITEMS)
    ended = run("verify", TWIN, "--cache", tmp_path)
    assert "12 of 12 files decode" in on_one_line(ended.output)
    assert ended.exit_code == 1 and "≠" in ended.output


def test_verify_the_users_own_data(tmp_path: Path) -> None:
    rows = ["id,path,caption,split"]
    for n, split in enumerate(("train", "val", "test")):
        write_picture(tmp_path / f"{n}.png", n)
        rows.append(f"{n},{n}.png,words {n},{split}")
    manifest = tmp_path / "mine.csv"
    manifest.write_text("\n".join(rows), encoding="utf-8")
    ended = run("verify", "--manifest", manifest, "--cache", tmp_path / "cache")
    assert ended.exit_code == 0, ended.output
    assert "own-split" in ended.output and "3 of 3 files decode" in ended.output
    manifest.write_text("id,path\n1,1.png\n", encoding="utf-8")
    ended = run("verify", "--manifest", manifest, "--cache", tmp_path / "cache")
    assert ended.exit_code == 2 and "the header lacks caption" in ended.stderr
    ended = run("verify", TWIN, "--manifest", manifest)
    assert ended.exit_code == 2 and "Give either" in ended.stderr


def test_names_in_the_users_files_cannot_steer_the_terminal(tmp_path: Path) -> None:
    manifest = tmp_path / "mine.csv"
    manifest.write_text("id,path,caption,split\n\x1b[31mred,1.png,words,test\n", encoding="utf-8")
    ended = run("verify", "--manifest", manifest, "--cache", tmp_path / "cache")
    assert ended.exit_code == 1
    assert "\x1b" not in ended.output and "\\x1b[31mred" in ended.output


def test_a_cache_that_cannot_be_written(tmp_path: Path, data: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = run("verify", TWIN, "--data-root", data, "--cache", tmp_path / "file/below")
    assert ended.exit_code == 2
    assert "cannot be used: Not a directory." in ended.stderr


def files(folder: Path) -> dict[Path, bytes]:
    """What the maker wrote: all but the record of what it was told."""
    written = (p for p in folder.rglob("*") if p.is_file() and p.name != RECORD)
    return {p.relative_to(folder): p.read_bytes() for p in written}


def test_make_writes_what_the_maker_writes(data: Path, tmp_path: Path) -> None:
    flickr30k_mini.make(tmp_path / "same", ITEMS, 0)
    assert files(data / TWIN) == files(tmp_path / "same")
    assert recorded(data / TWIN) == Size(ITEMS, 0)
    assert [path.name for path in data.iterdir()] == [TWIN]
    loaded = loading.load(TWIN, root=data, cache=tmp_path / "cache")
    assert loaded.protocol == f"mini-{len(loaded.gallery)}"


@pytest.mark.parametrize("name", [name for name in registry.names() if name.endswith("-mini")])
def test_every_twin_can_be_made_and_is_whole(name: str, tmp_path: Path) -> None:
    made = run("make", name, "--items", "15", "--output", tmp_path)
    assert made.exit_code == 0, made.output
    ended = run("verify", name, "--data-root", tmp_path, "--cache", tmp_path / "cache", "--json")
    found = json.loads(ended.stdout)
    assert ended.exit_code == 0, found
    assert sum(found["media"]["usable"].values()) == 15
    assert found["protocol"] == f"mini-{found['media']['usable']['test']}"


def test_make_says_how_to_use_the_twin(tmp_path: Path) -> None:
    output = tmp_path / "my data"
    ended = run("make", TWIN, "--items", "3", "--seed", "7", "--output", output)
    assert ended.exit_code == 0
    assert f"--dataset {TWIN} --data-root '{output}'" in ended.output
    flickr30k_mini.make(tmp_path / "same", 3, 7)
    assert files(output / TWIN) == files(tmp_path / "same")


def test_make_never_writes_over_anything(data: Path) -> None:
    before = files(data)
    for more in ([], ["--dry-run"]):
        ended = run("make", TWIN, "--items", "3", "--output", data, *more)
        assert ended.exit_code == 2 and "not empty" in ended.stderr
    assert files(data) == before


def test_make_fills_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / TWIN).mkdir()
    assert run("make", TWIN, "--items", "3", "--output", tmp_path).exit_code == 0
    assert len(pictures(tmp_path)) == 3


def test_dry_run_writes_nothing_and_is_near_the_truth(data: Path, tmp_path: Path) -> None:
    ended = run("make", TWIN, "--items", "9000", "--output", tmp_path / "other", "--dry-run")
    assert ended.exit_code == 0 and not (tmp_path / "other").exists()
    said = ended.output.split()
    assert "9,000 items" in ended.output and "and take about" in ended.output
    due = sum(map(len, files(data / TWIN).values())) / ITEMS * 9000 / 1e6
    assert float(said[said.index("MB,") - 1]) == pytest.approx(due, rel=0.25)


@pytest.mark.parametrize(
    ("failure", "status", "sentence"),
    [
        (OSError(28, "No space left on device"), 2, "cannot be written: No space left on device"),
        (KeyboardInterrupt(), 130, "Interrupted. Nothing was kept."),
    ],
)
def test_a_failed_make_leaves_nothing(
    failure: BaseException,
    status: int,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(folder: Path, items: int, seed: int, *, workers: int | None) -> None:
        (folder / "half.jpg").write_bytes(b"half")
        raise failure

    monkeypatch.setattr(flickr30k_mini, "make", fail)
    ended = run("make", TWIN, "--items", "9", "--output", tmp_path)
    assert ended.exit_code == status and sentence in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_verification_can_be_interrupted(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("datasets.verify.ordered_map", stop)
    ended = verified(data)
    assert ended.exit_code == 130
    assert ended.stderr.strip().endswith("the same command continues.")


def test_ctrl_c_ends_every_process_with_one_sentence(tmp_path: Path) -> None:
    """The terminal sends the signal to the whole group, so the drawing processes get it too."""
    words = ["make", TWIN, "--items", "20000", "--workers", "2", "--output", str(tmp_path)]
    command = [sys.executable, "-m", "datasets", *words]
    process = subprocess.Popen(  # noqa: S603
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        while not list(tmp_path.glob(f".{TWIN}-*/*/*.jpg")) and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said.strip() == "Interrupted. Nothing was kept."
    assert list(tmp_path.iterdir()) == []


def test_the_commands_need_no_torch() -> None:
    code = (
        "import sys, datasets.__main__; bad = {'torch', 'transformers', 'faiss'}; "
        "sys.exit(', '.join(bad & set(sys.modules)) or 0)"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
