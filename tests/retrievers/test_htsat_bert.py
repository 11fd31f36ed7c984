"""HTSAT-BERT: what is refused, what is heard and how a caption is read."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from datasets.base import Item, Sound
from retrievers.base import FloatArray, Precision, Settings, WeightsAbsent
from retrievers.conformance_data import QUERIES, items_of_noise
from retrievers.encoders.htsat import mel_bands
from retrievers.encoders.htsat_bert import (
    HTSAT_BERT,
    TINY,
    letter_tokenizer,
    open_release,
    without_punctuation,
)
from retrievers.weights.report import CheckpointError
from tests.parity import goldens
from tests.parity.seeded import seeded_state

SMALL = replace(HTSAT_BERT, open=partial(open_release, config=TINY))
HEAD = "audio_proj.2.bias"
LAYER = "audio_encoder.audio_enc.layers.0.blocks.1.attn.qkv.weight"


@pytest.fixture
def state() -> dict[str, Tensor]:
    found = seeded_state(goldens.read("htsat-bert").shapes)
    found["audio_encoder.audio_enc.bn0.num_batches_tracked"] = torch.tensor(7)
    return found


def build(folder: Path, state: dict[str, Tensor], precision: Precision = "fp32") -> Any:
    torch.save({"model": state, "epoch": 3}, folder / "release.pt")
    letter_tokenizer().save(str(folder / "tokenizer.json"))
    source = {"model": str(folder / "release.pt")}
    return SMALL.build(Settings(0, "cpu", folder / "cache", source, precision))


def scores(built: Any) -> FloatArray:
    """Of each query with six sounds, [queries, 6]."""
    built.index(items_of_noise("audio", 6))
    ranking = built.search(QUERIES, 6)
    found: FloatArray = np.take_along_axis(ranking.scores, ranking.ids.argsort(axis=1), axis=1)
    return found


@pytest.mark.parametrize("name", [HEAD, LAYER])
@pytest.mark.parametrize("change", ["missing", "extra", "misfit"])
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, state: dict[str, Tensor], name: str, change: str
) -> None:
    said = {"missing": "missing", "extra": "not used", "misfit": "another shape"}[change]
    if change == "missing":
        del state[name]
    elif change == "extra":
        state[f"{name}.more"] = torch.zeros(3)
    else:
        state[name] = state[name][:-3].clone()
    with pytest.raises(CheckpointError, match=f"[1-9] \\([^)]*\\) {said}|[1-9] .* of {said}"):
        build(tmp_path, state)


def test_a_file_made_with_other_mel_bands_is_refused(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    name = "audio_encoder.audio_enc.audio_feats_extractor.log_trans.melW"
    build(tmp_path, {**state, name: mel_bands(TINY.hearing.mel)})
    with pytest.raises(CheckpointError, match="mel bands"):
        build(tmp_path, {**state, name: mel_bands(replace(TINY.hearing.mel, lowest=0.0))})


def test_without_a_tokenizer_beside_it_the_file_is_not_enough(tmp_path: Path) -> None:
    torch.save({"model": {}}, tmp_path / "release.pt")
    with pytest.raises(WeightsAbsent, match=r"tokenizer\.json"):
        SMALL.build(Settings(0, "cpu", tmp_path, {"model": str(tmp_path / "release.pt")}))


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    name = "text_encoder.text_encoder.embeddings.word_embeddings.weight"
    fewer = replace(TINY, text={**TINY.text, "vocab_size": 60})
    small = replace(HTSAT_BERT, open=partial(open_release, config=fewer))
    torch.save({"model": {**state, name: state[name][:60].clone()}}, tmp_path / "release.pt")
    letter_tokenizer().save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(CheckpointError, match="not of the same model"):
        small.build(Settings(0, "cpu", tmp_path, {"model": str(tmp_path / "release.pt")}))


def test_half_the_digits_change_scores_little(tmp_path: Path, state: dict[str, Tensor]) -> None:
    whole = scores(build(tmp_path, state))
    np.testing.assert_allclose(scores(build(tmp_path, state, "bf16")), whole, atol=0.05)
    np.testing.assert_allclose(scores(build(tmp_path, state, "fp16")), whole, atol=0.01)


def test_silence_follows_a_short_sound(tmp_path: Path, state: dict[str, Tensor]) -> None:
    short = np.random.default_rng(3).uniform(-0.5, 0.5, (1, 5_000)).astype(np.float32)
    padded = np.pad(short, ((0, 0), (0, 11_000)))
    items = [Item(str(row), "audio", Sound(one, 16_000)) for row, one in enumerate((short, padded))]
    first, second = build(tmp_path, state)._encoder.encode_items(items)
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_marks_and_capitals_of_a_caption_are_not_read(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    assert without_punctuation('A dog (far) barks; "loud".') == "a dog  far  barks   loud  "
    towers = build(tmp_path, state)._encoder
    first, second, other = towers.encode_texts(["A Dog, barks!", "a dog barks", "a cat barks"])
    np.testing.assert_allclose(first, second, atol=1e-6)
    assert np.abs(first - other).max() > 1e-3
