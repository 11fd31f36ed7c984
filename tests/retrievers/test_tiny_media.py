"""The tiny towers of sounds and videos know what comes first, and behave as that of images."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.base import Clip, Item, Modality, Pairs, Sound
from datasets.media.files import MediaError
from datasets.media.sampling import FrameSampling
from datasets.media.videos import load_clip
from retrievers.encoders.tiny import encoder as tiny_encoder
from retrievers.encoders.tiny.dual import tiny_config
from retrievers.encoders.tiny.encoder import TinyConfig, TinyDualEncoder
from tests.datasets.tiny_files import write_sound, write_video

RATE = 16_000
PITCHES = {"low": 250, "middling": 900, "high": 3200}
ORDERED = list(permutations(PITCHES, 2))
COLOURS = {"red": (220, 30, 30), "blue": (40, 70, 220)}
STEPS = {"left": (0, -9), "right": (0, 9), "up": (-9, 0), "down": (9, 0)}
MOVES = [(colour, way) for colour in COLOURS for way in STEPS]
MODALITIES: tuple[Modality, ...] = ("audio", "video")


def _two_tones(first: str, second: str, rng: np.random.Generator) -> Sound:
    time = np.arange(RATE * 96 // 100) / RATE
    start = rng.uniform(0.0, 0.1)
    samples = rng.normal(0, 0.003, len(time))
    for place, name in enumerate((first, second)):
        pitch = PITCHES[name] * rng.uniform(0.95, 1.05)
        began = start + 0.45 * place
        heard = (time >= began) & (time < began + 0.3)
        samples += heard * rng.uniform(0.2, 0.5) * np.sin(2 * np.pi * pitch * time)
    return Sound(samples[None].astype(np.float32), RATE)


def _moving_block(colour: str, way: str, rng: np.random.Generator) -> Clip:
    """The frames of one way are those of the opposite one in the opposite order."""
    frames = np.full((3, 32, 32, 3), 110) + rng.integers(-15, 15, (32, 32, 3))
    middle = rng.integers(10, 15, 2)
    for time, frame in enumerate(frames):
        top, left = middle + (time - 1) * np.array(STEPS[way])
        frame[top : top + 8, left : left + 8] = COLOURS[colour]
    return Clip(frames.clip(0, 255).astype(np.uint8), np.arange(3) / 2)


def _pairs(modality: Modality, copies: int, seed: int) -> Pairs:
    """Every meaning once a copy; each has an opposite with the same words or the same frames."""
    rng = np.random.default_rng(seed)
    items, captions = [], []
    for copy in range(copies):
        if modality == "audio":
            told = [
                (_two_tones(*pair, rng), f"A {pair[0]} tone, then a {pair[1]} one")
                for pair in ORDERED
            ]
        else:
            told = [
                (_moving_block(*move, rng), f"A {move[0]} block goes {move[1]}") for move in MOVES
            ]
        for place, (media, caption) in enumerate(told):
            items.append(Item(f"{seed}-{copy}-{place}", modality, media))
            captions.append(caption)
    return Pairs(tuple(items), tuple(captions), tuple(range(len(items))))


def _config(steps: int, learning_rate: float = 4e-3) -> TinyConfig:
    config = tiny_config()
    schedule = replace(
        config.schedule,
        least_steps=steps,
        batch=24,
        warm_up_steps=5,
        learning_rate=learning_rate,
        patience=9,
    )
    return replace(config, schedule=schedule)


def _encoder(steps: int = 4) -> TinyDualEncoder:
    return TinyDualEncoder(_config(steps), 0, "cpu", None)


@pytest.fixture(scope="module")
def trained() -> dict[Modality, TinyDualEncoder]:
    encoders = {}
    for modality in MODALITIES:
        encoders[modality] = _encoder(steps=100)
        encoders[modality].fit(_pairs(modality, 8, 1), _pairs(modality, 2, 2))
    return encoders


@pytest.mark.parametrize("modality", MODALITIES)
def test_it_learns_what_comes_first(
    trained: dict[Modality, TinyDualEncoder], modality: Modality
) -> None:
    """Without the order of time the right one of two opposites is found half of the time."""
    unseen = _pairs(modality, 1, 3)
    encoder = trained[modality]
    scores = encoder.encode_texts(unseen.captions) @ encoder.encode_items(unseen.items).T
    assert np.mean(scores.argmax(1) == np.arange(len(unseen.items))) > 0.8


@pytest.mark.parametrize("modality", MODALITIES)
def test_an_item_has_the_same_vector_in_any_company(
    trained: dict[Modality, TinyDualEncoder], modality: Modality
) -> None:
    items = _pairs(modality, 3, 4).items
    together = trained[modality].encode_items(items)
    alone = np.concatenate([trained[modality].encode_items([item]) for item in items])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("modality", MODALITIES)
def test_load_restores_the_modality_that_was_learned(
    trained: dict[Modality, TinyDualEncoder], modality: Modality, tmp_path: Path
) -> None:
    trained[modality].save(tmp_path)
    restored = _encoder()
    restored.load(tmp_path)
    assert restored.fingerprint == trained[modality].fingerprint
    items = _pairs(modality, 1, 5).items
    np.testing.assert_array_equal(
        restored.encode_items(items), trained[modality].encode_items(items)
    )


@pytest.mark.parametrize("modality", MODALITIES)
def test_items_that_do_not_fit_in_memory_train_the_same_tower(
    monkeypatch: pytest.MonkeyPatch, modality: Modality
) -> None:
    pairs = _pairs(modality, 2, 1)
    prints = []
    for limit in (tiny_encoder.KEPT_BYTES, 0):
        monkeypatch.setattr(tiny_encoder, "KEPT_BYTES", limit)
        encoder = _encoder()
        encoder.fit(pairs, Pairs.empty())
        prints.append(encoder.fingerprint)
    assert prints[0] == prints[1]


@pytest.mark.parametrize("modality", MODALITIES)
def test_trained_towers_are_kept_by_what_the_items_hold(modality: Modality, tmp_path: Path) -> None:
    pairs, other = _pairs(modality, 1, 1), _pairs(modality, 1, 2)

    def fit(learn: Pairs) -> bool:
        encoder = TinyDualEncoder(_config(steps=2), 0, "cpu", tmp_path)
        return "train" in encoder.fit(learn, Pairs.empty())

    assert [fit(pairs), fit(pairs), fit(replace(other, captions=pairs.captions))] == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("modality", MODALITIES)
def test_media_of_another_modality_are_refused(
    trained: dict[Modality, TinyDualEncoder], modality: Modality
) -> None:
    picture = Item("picture", "image", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(MediaError, match="picture"):
        trained[modality].encode_items([picture])


def test_one_modality_is_learned_at_a_time() -> None:
    sounds, videos = _pairs("audio", 1, 1), _pairs("video", 1, 1)
    mixed = Pairs((sounds.items[0], videos.items[0]), ("a", "b"), (0, 1))
    with pytest.raises(ValueError, match="one modality at a time, not audio, video"):
        _encoder().fit(mixed, Pairs.empty())


def test_towers_of_no_modality_are_refused(tmp_path: Path) -> None:
    encoder = _encoder()
    encoder.save(tmp_path)
    about = tmp_path / "about.json"
    about.write_text(about.read_text().replace('"image"', '"smell"', 1))
    with pytest.raises(ValueError, match="no towers for 'smell'"):
        encoder.load(tmp_path)


def test_a_sound_in_a_file_is_heard_as_one_in_memory(
    trained: dict[Modality, TinyDualEncoder], tmp_path: Path
) -> None:
    sound = _two_tones("low", "high", np.random.default_rng(0))
    path = write_sound(tmp_path / "one.wav", sound.samples)
    vectors = trained["audio"].encode_items(
        [Item("file", "audio", path), Item("memory", "audio", sound)]
    )
    np.testing.assert_array_equal(vectors[0], vectors[1])


def test_a_video_in_a_file_is_seen_as_one_in_memory(
    trained: dict[Modality, TinyDualEncoder], tmp_path: Path
) -> None:
    path = write_video(tmp_path / "one.mp4", list(range(20, 220, 20)))
    item = Item("file", "video", path)
    frames = load_clip(item, FrameSampling(3)).frames
    memory = replace(item, media=Clip(frames, np.arange(3) / 2))
    vectors = trained["video"].encode_items([item, memory])
    np.testing.assert_array_equal(vectors[0], vectors[1])


def test_a_long_sound_is_heard_at_its_end_as_at_its_beginning() -> None:
    config = tiny_config().sound
    noise = np.random.default_rng(0).normal(0, 0.2, (1, RATE)).astype(np.float32)
    silence = np.zeros((1, 4 * RATE), np.float32)
    kept = config.read(
        [
            Item("late", "audio", Sound(np.concatenate([silence, noise], 1), RATE)),
            Item("early", "audio", Sound(np.concatenate([noise, silence], 1), RATE)),
        ]
    )
    loud = kept.float().mean((2, 3))
    assert loud.shape == (2, config.windows)
    assert loud[0, -1] > loud[0, 0] + 50
    assert loud[1, 0] > loud[1, -1] + 50


@pytest.mark.parametrize("modality", MODALITIES)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_variation_is_repeated_under_a_seed_and_small(modality: Modality, seed: int) -> None:
    medium = tiny_config().medium(modality)
    kept = medium.read(_pairs(modality, 1, 1).items)
    one, again = (medium.vary(kept, np.random.default_rng(seed)) for _ in range(2))
    torch.testing.assert_close(one, again, rtol=0, atol=0)
    assert not torch.equal(one, medium.vary(kept, np.random.default_rng(seed + 1)))
    plain = medium.values(kept)[:, : one.shape[1]]
    assert float((one.flatten(1).mean(1) - plain.flatten(1).mean(1)).abs().max()) < 0.6


def test_variation_never_moves_what_stands_still() -> None:
    medium = tiny_config().video
    still = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8).repeat(3, 0)
    kept = medium.read([Item("still", "video", Clip(still, np.arange(3) / 2))])
    varied = medium.vary(kept, np.random.default_rng(1))
    torch.testing.assert_close(varied[:, 1:], varied[:, :-1], rtol=0, atol=0)


def test_variation_keeps_the_order_of_two_tones() -> None:
    medium = tiny_config().sound
    kept = medium.read([Item("x", "audio", _two_tones("low", "high", np.random.default_rng(0)))])
    rows = medium.mels // 2
    for seed in range(20):
        picture = medium.vary(kept, np.random.default_rng(seed))[0, 0]
        low, high = (int(half.amax(0).argmax()) for half in (picture[:rows], picture[rows:]))
        assert low < high
