"""Checkpoints: absent, incomplete, changed; nothing here reaches the network."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError

from retrievers.base import WeightsAbsent
from retrievers.weights import releases
from retrievers.weights.releases import TRANSFORMERS, Release
from retrievers.weights.report import CheckpointError
from retrievers.weights.states import checked_load, read_state


def checkpoint(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def fingerprint(folder: Path) -> str:
    return releases.locate(str(folder), TRANSFORMERS).fingerprint(TRANSFORMERS)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Stands for a hub that has nothing, and tells whether each call might have fetched."""
    asked: list[bool] = []

    def absent(source: str, *, local_files_only: bool = False, **rest: object) -> str:
        asked.append(not local_files_only)
        raise LocalEntryNotFoundError(f"no {source} here")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", absent)
    return asked


def test_a_folder_is_found_as_it_is(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "tower")
    assert releases.locate(str(folder), TRANSFORMERS).folder == folder
    assert releases.availability("the image tower", str(folder), TRANSFORMERS, "image").ready


@pytest.mark.parametrize(
    ("left_out", "said"), [("config.json", "config.json"), ("model.safetensors", "safetensors")]
)
def test_an_incomplete_folder_says_what_is_missing(
    tmp_path: Path, left_out: str, said: str
) -> None:
    folder = checkpoint(tmp_path / "tower")
    (folder / left_out).unlink()
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(WeightsAbsent, match=said):
        releases.locate(str(folder), TRANSFORMERS)
    state = releases.availability("the text tower", str(folder), TRANSFORMERS, "text")
    assert not state.ready
    assert said in state.sentence


def test_what_a_file_lacks_beside_it_is_told_with_where_to_get_it(tmp_path: Path) -> None:
    release = Release(needs=("*.pt", "vocab.txt"), obtain="The vocabulary is BERT's.")
    weights = tmp_path / "best.pt"
    weights.touch()
    with pytest.raises(WeightsAbsent, match=r"folder of .*best\.pt.* no vocab\.txt\. .*is BERT's"):
        releases.locate(str(weights), release)


def test_either_of_two_forms_of_the_weights_will_do(tmp_path: Path) -> None:
    either = Release(needs=("model*.safetensors|pytorch_model*.bin",), reads=("config.json",))
    folder = checkpoint(tmp_path)
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    (first,) = releases.locate(str(folder), either).files
    assert first.name == "model.safetensors"
    first.unlink()
    (second,) = releases.locate(str(folder), either).files
    assert second.name == "pytorch_model.bin"
    second.unlink()
    with pytest.raises(WeightsAbsent, match=r"holds no model\*\.safetensors or pytorch_model"):
        releases.locate(str(folder), either)


@pytest.mark.parametrize("source", ["/no/such/folder", "./nowhere", "deep/er/still"])
def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub(
    source: str, offline: list[bool]
) -> None:
    with pytest.raises(WeightsAbsent, match="There is no file or folder"):
        releases.locate(source, TRANSFORMERS)
    assert offline == []


def test_a_role_without_a_source_says_how_to_give_one() -> None:
    state = releases.availability("the text tower", None, TRANSFORMERS, "text")
    assert not state.ready
    assert "--checkpoint text=" in state.sentence


def test_asking_whether_a_hub_id_is_available_fetches_nothing(offline: list[bool]) -> None:
    state = releases.availability("the text tower", "owner/name", TRANSFORMERS, "text")
    assert state.ready
    assert "will be fetched" in state.sentence
    assert offline == [False]


def test_a_hub_that_gives_nothing_ends_in_a_sentence(offline: list[bool]) -> None:
    with pytest.raises(
        WeightsAbsent, match=r"'owner/name' could not be fetched.*give a file or folder"
    ):
        releases.locate("owner/name", TRANSFORMERS)
    assert offline == [False, True]


def test_no_pickle_is_ever_asked_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patterns: list[str] = []

    def give(source: str, *, allow_patterns: list[str], **rest: object) -> str:
        patterns.extend(allow_patterns)
        return str(checkpoint(tmp_path / "snapshot"))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", give)
    assert releases.locate("owner/name", TRANSFORMERS).folder == tmp_path / "snapshot"
    assert patterns
    assert not any(pattern.endswith((".bin", ".pt", ".pkl", "*")) for pattern in patterns)


@pytest.mark.parametrize(("there", "fetches"), [("a.safetensors", 1), ("b.bin", 2)])
def test_a_second_form_of_the_weights_is_fetched_where_the_first_is_lacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str, fetches: int
) -> None:
    fetched: list[list[str]] = []

    def give(source: str, *, allow_patterns: list[str], local_files_only: bool = False) -> str:
        if local_files_only:
            raise LocalEntryNotFoundError(f"no {source} here")
        fetched.append(allow_patterns)
        if there in allow_patterns:
            (tmp_path / there).write_bytes(b"weights")
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", give)
    release = releases.Release(needs=("a.safetensors|b.bin",))
    assert releases.locate("owner/name", release).files == (tmp_path / there,)
    assert fetched == [["a.safetensors"], ["b.bin"]][:fetches]


def test_the_fingerprint_follows_what_is_read_and_nothing_else(tmp_path: Path) -> None:
    one, two = checkpoint(tmp_path / "one"), checkpoint(tmp_path / "two")
    assert fingerprint(one) == fingerprint(two)
    (two / "README.md").write_text("words")
    assert fingerprint(one) == fingerprint(two)
    (two / "tokenizer.json").write_text("{}")
    assert fingerprint(one) != fingerprint(two)
    before = fingerprint(one)
    (one / "model.safetensors").write_bytes(b"wEights")
    os.utime(one / "model.safetensors", ns=(1, 1))
    assert fingerprint(one) != before


def test_weights_that_would_be_random_are_refused() -> None:
    found = {"missing_keys": {"layer.weight", "pooler.bias"}, "unexpected_keys": {"head.weight"}}
    with pytest.raises(CheckpointError, match=r"lacks 2 \(layer\.weight, pooler\.bias\)"):
        checked_load("tower", found)
    with pytest.raises(CheckpointError, match=r"lacks 1 \(layer\.weight\)"):
        checked_load("tower", found, unneeded=("pooler.",))
    whole = {"missing_keys": {"pooler.bias"}, "unexpected_keys": {"head.weight"}}
    report = checked_load("tower", whole, unneeded=("pooler.",))
    assert (report.missing, report.unexpected) == ((), ("head.weight",))
    assert "1 (head.weight) not used" in str(report)
    misfit = {"missing_keys": (), "unexpected_keys": (), "mismatched_keys": [("a", 1, 2)]}
    with pytest.raises(CheckpointError, match="shapes"):
        checked_load("tower", misfit)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_both_forms_of_torchs_files_are_read(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.arange(3)}, path, _use_new_zipfile_serialization=zipped)
    assert read_state([path])["a"].tolist() == [0, 1, 2]


def test_a_pickle_that_holds_an_object_is_not_read_and_told_of(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(1), "saved on": date(2024, 1, 1)}, path)
    with pytest.raises(CheckpointError, match=r"more than weights \(datetime\.date\).*safetensors"):
        read_state([path])


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_download_that_was_cut_off_is_told_of(tmp_path: Path, zipped: bool, kept: float) -> None:
    path = tmp_path / "weights.pth"
    state = {f"layer.{row}": torch.zeros(20) for row in range(20)}
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(CheckpointError, match=r"weights\.pth cannot be read as a checkpoint"):
        read_state([path])


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize("page", ["<!DOCTYPE html><html></html>", "hello world, again and again"])
def test_a_page_in_place_of_weights_is_told_of(tmp_path: Path, name: str, page: str) -> None:
    path = tmp_path / name
    path.write_text(page * 9)
    with pytest.raises(CheckpointError, match=name):
        read_state([path])
