"""CLAP: both forms of its release, what is refused, what is heard and what a text may not see."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from datasets.base import Item, Sound
from retrievers.base import FloatArray, Precision, Settings
from retrievers.conformance_data import QUERIES, items_of_noise
from retrievers.encoders.clap import CLAP, TINY, as_laion_clap, open_release, tiny_tokenizer
from retrievers.encoders.htsat import Hearing, LogMel, mel_bands
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights.random import seeded
from retrievers.weights.report import CheckpointError
from tests.parity import goldens
from tests.parity.seeded import seeded_state

TOLD = {
    "sampling_rate": 16_000,
    "hop_length": 160,
    "fft_window_size": 512,
    "feature_size": 16,
    "frequency_min": 50,
    "frequency_max": 7_000,
    "max_length_s": 1,
    "truncation": "rand_trunc",
    "padding": "repeatpad",
}
SMALL = replace(CLAP, open=partial(open_release, config=TINY))


@pytest.fixture
def model() -> Any:
    ensure_torchvision()
    from transformers import ClapConfig, ClapModel

    sizes = ClapConfig(audio_config=TINY.audio, text_config=TINY.text, projection_dim=TINY.dim)
    return seeded(1, lambda: ClapModel(sizes)).eval()


@pytest.fixture
def folder(tmp_path: Path, model: Any) -> Path:
    """A release as transformers writes it."""
    model.save_pretrained(tmp_path)
    tiny_tokenizer().save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(TOLD))
    return tmp_path


def build(source: Path, precision: Precision = "fp32") -> Any:
    folder = source if source.is_dir() else source.parent
    return SMALL.build(Settings(0, "cpu", folder / "cache", {"model": str(source)}, precision))


def scores(built: Any, texts: tuple[str, ...] = QUERIES) -> FloatArray:
    """Of each text with six sounds, [texts, 6]."""
    built.index(items_of_noise("audio", 6))
    ranking = built.search(texts, 6)
    found: FloatArray = np.take_along_axis(ranking.scores, ranking.ids.argsort(axis=1), axis=1)
    return found


def laion_file(folder: Path, **changed: Tensor) -> Path:
    """A file of laion-clap with seeded weights, some of them changed."""
    state = seeded_state(goldens.read("clap").shapes)
    state["audio_branch.bn0.num_batches_tracked"] = torch.tensor(7)
    state |= changed
    path = folder / "release.pt"
    parallel = {f"module.{name}": one for name, one in state.items()}
    torch.save({"epoch": 3, "best": np.float64(0.5), "state_dict": parallel}, path)
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    return path


def test_a_folder_tells_how_its_sounds_are_prepared(folder: Path) -> None:
    options = build(folder).spec.options
    assert str(options["sound"]).startswith("16,000 Hz, 16 mel bands, the middle 1 s")
    assert CLAP.options["sound"] == (
        "48,000 Hz, 64 mel bands, the middle 10 s in steps of 16 bits; "
        "a shorter one repeated whole, then silence"
    )


def test_a_folder_of_transformers_gives_what_transformers_gives(folder: Path, model: Any) -> None:
    from transformers import ClapFeatureExtractor

    samples = np.random.default_rng(0).uniform(-0.9, 0.9, 16_000).astype(np.float32)
    samples = (np.trunc(samples * 32767) / 32767).astype(np.float32)
    settings = {name: value for name, value in TOLD.items() if name != "sampling_rate"}
    extractor = ClapFeatureExtractor(sampling_rate=16_000, **settings)
    mel = extractor(samples, sampling_rate=16_000, return_tensors="pt")["input_features"]
    with torch.no_grad():
        expected = model.get_audio_features(mel.float()).pooler_output
    item = Item("one", "audio", Sound(samples[None], 16_000))
    found = build(folder)._encoder.encode_items([item])
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_weights_in_pickle_form_are_read_as_the_safetensors_are(folder: Path, model: Any) -> None:
    expected = scores(build(folder))
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    np.testing.assert_array_equal(scores(build(folder)), expected)


@pytest.mark.parametrize(
    "name", ["text_projection.linear1.bias", "audio_model.audio_encoder.norm.weight"]
)
@pytest.mark.parametrize("change", ["missing", "extra", "misfit"])
def test_weights_that_do_not_fit_are_refused(
    folder: Path, model: Any, name: str, change: str
) -> None:
    state = {key: one.clone() for key, one in model.state_dict().items()}
    if change == "missing":
        del state[name]
    elif change == "extra":
        state[f"{name}.more"] = torch.zeros(3)
    else:
        state[name] = state[name][1:].clone()
    save_file(state, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=name):
        build(folder)


def test_a_file_of_laion_clap_is_read_strictly(tmp_path: Path) -> None:
    unknown = {"audio_branch.layers.0.blocks.0.extra": torch.zeros(1)}
    with pytest.raises(CheckpointError, match="not used"):
        build(laion_file(tmp_path, **unknown))


def test_a_file_made_with_other_mel_bands_is_refused(tmp_path: Path) -> None:
    name = "audio_branch.logmel_extractor.melW"
    build(laion_file(tmp_path, **{name: mel_bands(TINY.hearing.mel)}))
    other = mel_bands(replace(TINY.hearing.mel, highest=8_000))
    with pytest.raises(CheckpointError, match="mel bands"):
        build(laion_file(tmp_path, **{name: other}))


@pytest.mark.parametrize(
    ("change", "said"),
    [({"truncation": "fusion"}, "rand_trunc"), ({"hop_length": None}, "preparation")],
)
def test_another_preparation_is_refused(folder: Path, change: dict[str, Any], said: str) -> None:
    (folder / "preprocessor_config.json").write_text(json.dumps({**TOLD, **change}))
    with pytest.raises(CheckpointError, match=said):
        build(folder)


def test_half_the_digits_change_scores_little(folder: Path) -> None:
    whole = scores(build(folder))
    np.testing.assert_allclose(scores(build(folder, "bf16")), whole, atol=0.05)
    np.testing.assert_allclose(scores(build(folder, "fp16")), whole, atol=0.01)


def test_a_long_sound_is_its_middle(folder: Path) -> None:
    rng = np.random.default_rng(3)
    middle = rng.uniform(-0.5, 0.5, (1, 16_000)).astype(np.float32)
    around = rng.uniform(-1, 1, (1, 4_000)).astype(np.float32)
    long = np.concatenate([around, middle, around[:, ::-1]], axis=1)
    items = [Item(str(row), "audio", Sound(one, 16_000)) for row, one in enumerate((middle, long))]
    first, second = build(folder)._encoder.encode_items(items)
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_a_short_sound_is_repeated_whole_in_steps_of_16_bits() -> None:
    filled = as_laion_clap(np.array([0.5, -2.0, 1e-5], np.float32), 8)
    step = np.float32(1 / 32767)
    np.testing.assert_allclose(filled, [16383 * step, -1, 0, 16383 * step, -1, 0, 0, 0], rtol=1e-6)


def test_silence_is_a_hundred_decibels_down_and_a_text_does_not_see_its_batch(folder: Path) -> None:
    hearing = Hearing(LogMel(16_000, 160, points=512, mels=16, highest=7_000), 1.0, as_laion_clap)
    quiet = hearing.sound(Item("quiet", "audio", Sound(np.zeros((1, 800), np.float32), 16_000)))
    assert quiet.shape == (1, 101, 16)
    np.testing.assert_allclose(quiet, -100.0)
    towers = build(folder)._encoder
    alone = towers.encode_texts(["a dog"])
    together = towers.encode_texts(["a dog", "a very long tale of rain " * 9, "\ud800 <pad>"])
    np.testing.assert_allclose(alone[0], together[0], atol=1e-6)
