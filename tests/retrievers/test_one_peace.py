"""ONE-PEACE: what its files must hold, its size, its numbers, texts and sounds."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from datasets.base import Item, Sound
from retrievers.base import Settings, WeightsAbsent
from retrievers.encoders import one_peace
from retrievers.encoders.one_peace import ONE_PEACE
from retrievers.encoders.one_peace_inputs import plain, read_words, waveforms
from retrievers.encoders.one_peace_network import OnePeace
from retrievers.encoders.towers import Placement
from retrievers.weights import releases
from retrievers.weights.report import CheckpointError
from tests.parity import goldens
from tests.parity.test_one_peace import write_vocabulary, write_weights

_TUNED = "finetune_al_retrieval.pt"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    write_vocabulary(tmp_path)
    return write_weights(tmp_path, goldens.read("one-peace").shapes)


def test_the_full_size_gives_vectors_of_its_width() -> None:
    with torch.device("meta"):
        network = OnePeace(replace(one_peace.FULL, layers=1))
    seen = network.encode_image(torch.empty(2, 3, 256, 256, device="meta"))
    heard = network.encode_audio(torch.empty(1, 15 * 16_000, device="meta"))
    assert seen.shape == (2, 1536)
    assert heard.shape == (1, 1536)


def test_pictures_and_sounds_stand_in_one_gallery(release: Path, tmp_path: Path) -> None:
    retriever = ONE_PEACE.build(_settings(release, tmp_path))
    retriever.index([*_pictures(2), _noise("a sound", 16_000)])
    ranking = retriever.search(["a red dog"], 3)
    assert sorted(ranking.ids[0].tolist()) == [0, 1, 2]
    assert retriever.spec.options["parts"] == "text, image, audio"
    assert retriever.spec.options["seconds"] == 15


def test_weights_fine_tuned_for_sounds_hear_longer_and_see_nothing(
    release: Path, tmp_path: Path
) -> None:
    tuned = write_weights(tmp_path, goldens.read("one-peace").shapes, _TUNED)
    retriever = ONE_PEACE.build(_settings(tuned, tmp_path))
    assert retriever.spec.options["parts"] == "text, audio"
    assert retriever.spec.options["seconds"] == 20
    with pytest.raises(CheckpointError, match="without image"):
        retriever.index(_pictures(1))


def test_a_converted_file_is_the_same_weights(release: Path, tmp_path: Path) -> None:
    state = torch.load(release, weights_only=True)["model"]
    converted = tmp_path / "converted.safetensors"
    save_file(state, converted)
    before, after = (
        ONE_PEACE.build(_settings(file, tmp_path / file.suffix)) for file in (release, converted)
    )
    for retriever in (before, after):
        retriever.index(_pictures(2))
    ranked = [one.search(["a dog"], 2).scores for one in (before, after)]
    np.testing.assert_allclose(*ranked, atol=1e-6)


def test_what_fairseq_notes_beside_the_weights_is_no_program(release: Path, tmp_path: Path) -> None:
    saved = torch.load(release, weights_only=True)
    torch.save({**saved, "args": Namespace(arch="one_peace")}, release)
    assert ONE_PEACE.build(_settings(release, tmp_path)).spec.weights == "pretrained"
    torch.save({**saved, "args": Path("a program")}, release)
    with pytest.raises(CheckpointError, match="could run a program"):
        ONE_PEACE.build(_settings(release, tmp_path))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda state: state.pop("text_proj.bias"), "1 .text_proj.bias. missing"),
        (lambda state: state.update(stray=torch.zeros(2)), "1 .stray. not used"),
        (lambda state: state.update({"text_proj.bias": torch.zeros(3)}), "text_proj.bias. of an"),
        (lambda state: state.pop("text_proj.weight"), "not used"),
        (lambda state: state.pop("encoder_wrapper.image_adapter.pos_embed"), "not a checkpoint"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    release: Path, tmp_path: Path, change: Callable[[dict[str, torch.Tensor]], None], told: str
) -> None:
    saved = torch.load(release, weights_only=True)
    change(saved["model"])
    torch.save(saved, release)
    with pytest.raises(CheckpointError, match=told):
        ONE_PEACE.build(_settings(release, tmp_path))


def test_the_vocabulary_must_stand_beside_the_weights(release: Path, tmp_path: Path) -> None:
    (tmp_path / "dict.txt").unlink()
    with pytest.raises(WeightsAbsent, match=r"dict\.txt"):
        ONE_PEACE.build(_settings(release, tmp_path))
    assert not ONE_PEACE.availability(_settings(release, tmp_path)).ready


def test_a_vocabulary_of_something_else_is_refused(release: Path, tmp_path: Path) -> None:
    (tmp_path / "encoder.json").write_text("[]", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"encoder\.json"):
        ONE_PEACE.build(_settings(release, tmp_path))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_the_bytes_give_nearly_the_same_vectors(release: Path, precision: str) -> None:
    located = releases.locate(str(release), one_peace.RELEASE)
    whole, half = (
        one_peace.open_towers(located, "small", Placement("cpu", numbers))
        for numbers in ("fp32", precision)
    )
    items = [*_pictures(2), _noise("a sound", 20_000)]
    for fine, coarse, things in zip(whole[:2], half[:2], (items, ["a dog", ""]), strict=True):
        _assert_directions_agree(fine.encode(things), coarse.encode(things))


def test_what_stands_beside_a_text_or_sound_does_not_change_its_vector(release: Path) -> None:
    located = releases.locate(str(release), one_peace.RELEASE)
    items, texts, _ = one_peace.open_towers(located, "small", Placement("cpu"))
    short, long = _noise("short", 16_000), _noise("long", 40_000)
    np.testing.assert_allclose(items.encode([short, long])[0], items.encode([short])[0], atol=1e-6)
    among = texts.encode(["a dog", "a red dog and a much longer text"])
    np.testing.assert_allclose(among[0], texts.encode(["a dog"])[0], atol=1e-6)


def test_a_sound_is_levelled_whole_and_cut_or_repeated() -> None:
    quiet, loud = np.full(16_000, -1.0), np.full(48_000, 1.0)
    steps = Sound(np.concatenate([quiet, loud])[None].astype(np.float32), 16_000)
    short = Sound(np.array([[-1.0, 1.0, 1.0]], np.float32), 16_000)
    cut, repeated = waveforms(2)([Item("steps", "audio", steps), Item("short", "audio", short)])
    assert cut.shape == (32_000,)
    # Over all four seconds the mean is 0.5 and the variance 0.75.
    level = np.array([-1.5, 0.5]) / np.sqrt(0.75 + 1e-5)
    np.testing.assert_allclose(cut[[0, -1]], level, rtol=1e-5)
    quiet_one = Sound(np.tile([[1e-3, -1e-3]], 8_000).astype(np.float32), 16_000)
    (levelled,) = waveforms(2)([Item("quiet", "audio", quiet_one)])
    assert levelled.abs().max().item() == pytest.approx(1e-3 / np.sqrt(1e-6 + 1e-5), rel=1e-4)
    assert repeated.shape == (16_000,)
    np.testing.assert_array_equal(repeated[:3], repeated[15_996:15_999])


def test_texts_are_plain_and_cut(release: Path, tmp_path: Path) -> None:
    assert plain("..! A  Dog\tRuns \n") == "a dog runs"
    rows = [*read_words(tmp_path).rows(["", "dog " * 200, "a\ud800"])]
    assert [len(row) for row in rows] == [71, 71, 71]
    assert [int((row != 1).sum()) for row in rows] == [2, 71, 3]
    assert [int(row[row != 1][-1]) for row in rows] == [2, 2, 2]


def _assert_directions_agree(fine: np.ndarray, coarse: np.ndarray) -> None:
    lengths = np.linalg.norm(fine, axis=1) * np.linalg.norm(coarse, axis=1)
    assert ((fine * coarse).sum(axis=1) / lengths).min() > 0.999


def _pictures(count: int) -> list[Item]:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (count, 30, 40, 3), dtype=np.uint8)
    return [Item(f"picture-{row}", "image", one) for row, one in enumerate(pixels)]


def _noise(name: str, samples: int) -> Item:
    rng = np.random.default_rng(samples)
    return Item(name, "audio", Sound(rng.uniform(-1, 1, (1, samples)).astype(np.float32), 16_000))


def _settings(release: Path, cache: Path) -> Settings:
    return Settings(seed=0, device="cpu", cache=cache, checkpoint={"model": str(release)})
