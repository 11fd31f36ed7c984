"""VALOR: its weights read whole or refused, the slices that it hears, and what padding is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from datasets.base import Item, Sound
from retrievers.base import Precision, Ranking, Settings, WeightsAbsent
from retrievers.encoders.valor import VALOR, caption, heard, opened
from retrievers.weights.report import CheckpointError
from tests.parity import goldens
from tests.parity.seeded import seeded_state
from tests.parity.valor_small import RATE, SIZES, TEXTS, write_words

State = dict[str, Tensor]
SMALL = replace(VALOR, open=partial(opened, SIZES))


def sound(name: str, seconds: float, channels: int = 1, rate: int = RATE) -> Item:
    """A slow sweep, of one channel or of several that are alike."""
    time = np.arange(round(seconds * rate)) / rate
    samples = 0.4 * np.sin(2 * np.pi * (300 + 40 * time) * time)
    return Item(name, "audio", Sound(np.tile(samples, (channels, 1)).astype(np.float32), rate))


def released() -> State:
    return seeded_state(goldens.read("valor").shapes)


def write(folder: Path, state: State) -> Path:
    write_words(folder)
    torch.save(state, folder / "model_step_7.pt")
    return folder / "model_step_7.pt"


def opened_from(source: Path, **more: Any) -> Any:
    settings = Settings(0, "cpu", source.parent / "cache", {"model": str(source)}, **more)
    return SMALL.build(settings)


def answers(source: Path, **more: Any) -> Ranking:
    retriever = opened_from(source, **more)
    retriever.index([sound("short", 3), sound("middle", 8), sound("long", 17)])
    ranking: Ranking = retriever.search(TEXTS, 3)
    return ranking


def matrix(ranking: Ranking) -> np.ndarray:
    return np.take_along_axis(ranking.scores, ranking.ids.argsort(axis=1), axis=1)


def test_weights_of_several_processes_are_read_alike(tmp_path: Path) -> None:
    expected = answers(write(tmp_path / "one", released()))
    several = {f"module.{name}": one for name, one in released().items()}
    np.testing.assert_array_equal(answers(write(tmp_path / "two", several)).scores, expected.scores)


def without(name: str) -> Callable[[State], State]:
    return lambda state: {key: one for key, one in state.items() if key != name}


def with_one(name: str, tensor: Tensor) -> Callable[[State], State]:
    return lambda state: {**state, name: tensor}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without("audio_fine_weight.2.bias"), r"1 \(audio_fine_weight.2.bias\) missing"),
        (without("txt_encoder.encoder.layer.1.output.dense.bias"), r"dense.bias\) missing"),
        (with_one("clip_model.logit_scale", torch.ones(1)), "1 .* not used"),
        (with_one("audio_encoder.last_layernorm.bias", torch.ones(25)), "1 .* of another"),
    ],
)
def test_weights_that_are_not_whole_are_refused(
    tmp_path: Path, change: Callable[[State], State], reason: str
) -> None:
    with pytest.raises(CheckpointError, match=reason):
        opened_from(write(tmp_path, change(released())))


def test_a_vocabulary_is_wanted_beside_the_weights(tmp_path: Path) -> None:
    source = write(tmp_path, released())
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(WeightsAbsent, match=r"vocab\.txt"):
        opened_from(source)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_half_precision_is_near_the_full_one(tmp_path: Path, precision: Precision) -> None:
    source = write(tmp_path, released())
    full, half = matrix(answers(source)), matrix(answers(source, precision=precision))
    np.testing.assert_allclose(half, full, atol=0.03)
    assert not np.array_equal(half, full)


@pytest.mark.parametrize(
    ("count", "rows"),
    [
        (1, [0, 0, 0, 0, 0, 0]),
        (2, [0, 0, 0, 1, 1, 1]),
        (3, [0, 1, 2, 2, 2, 2]),
        (6, [0, 1, 2, 3, 4, 5]),
        (8, [0, 2, 4, 5, 6, 7]),
        (13, [1, 3, 5, 7, 9, 11]),
    ],
)
def test_slices_that_are_heard_by_hand(count: int, rows: list[int]) -> None:
    assert heard(count).tolist() == rows


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("A dog barks, loudly -- in the rain!", "a dog barks loudly  in the rain"),
        ("  two   cats' [PAD] ", "two cats pad"),
        ("...", ""),
    ],
)
def test_captions_are_prepared_as_published(text: str, prepared: str) -> None:
    assert caption(text) == prepared


def test_what_is_heard_and_read_is_weighed(tmp_path: Path) -> None:
    """Weights of a thing sum to 1; where a text ends there is none, and no vector."""
    encoder = opened_from(write(tmp_path, released()))._encoder
    texts = encoder.encode_texts(["", "a dog", "dog " * 50])
    sounds = encoder.encode_items([sound("one", 3)])
    for tokens in (texts, sounds):
        np.testing.assert_allclose(tokens.weights.sum(axis=1), 1, atol=1e-5)
    # [CLS] and [SEP] stand around the words, of which 30 are read.
    assert (texts.weights > 0).sum(axis=1).tolist() == [2, 4, 32]
    assert sounds.vectors.shape == (1, 6, 12)


def test_words_without_a_place_do_not_matter(tmp_path: Path) -> None:
    encoder = opened_from(write(tmp_path, released()))._encoder
    texts = encoder.encode_texts(["dog cat", "Dog, cat!", "dog " * 30, "dog " * 90])
    np.testing.assert_array_equal(texts.vectors[0], texts.vectors[1])
    np.testing.assert_array_equal(texts.vectors[2], texts.vectors[3])


def test_channels_are_mixed_and_every_rate_is_brought_to_one(tmp_path: Path) -> None:
    encoder = opened_from(write(tmp_path, released()))._encoder
    mono, stereo, fine = encoder.encode_items(
        [sound("mono", 3), sound("stereo", 3, channels=2), sound("fine", 3, rate=44_100)]
    ).vectors
    np.testing.assert_allclose(stereo, mono, atol=1e-5)
    np.testing.assert_allclose(fine, mono, atol=0.05)


def test_a_sound_shorter_than_a_moment_is_heard_as_silence(tmp_path: Path) -> None:
    encoder = opened_from(write(tmp_path, released()))._encoder
    tiny, tinier = encoder.encode_items([sound("tiny", 0.01), sound("tinier", 0.001)]).vectors
    np.testing.assert_array_equal(tiny, tinier)
