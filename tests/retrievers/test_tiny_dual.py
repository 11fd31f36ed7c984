"""The tiny dual tower learns bindings, repeats itself and keeps what it trained."""

from __future__ import annotations

import json
import logging
import math
import zlib
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from datasets.base import Item, Pairs
from datasets.media.files import MediaError
from retrievers.base import Settings
from retrievers.encoders.tiny import encoder as tiny_encoder
from retrievers.encoders.tiny.caption_tokens import (
    MAX_TOKENS,
    tokenize,
    train_tokenizer,
)
from retrievers.encoders.tiny.dual import TinyDualAdapter, tiny_config
from retrievers.encoders.tiny.encoder import TinyConfig, TinyDualEncoder
from retrievers.encoders.tiny.towers import TextSizes, TextTower, pad
from retrievers.encoders.tiny.training import info_nce

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 160, 60),
    "blue": (40, 70, 220),
    "white": (245, 245, 245),
}
ORDERED = list(permutations(COLOURS, 2))


def _picture(left: str, right: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    picture = np.full((32, 32, 3), 110) + rng.integers(-15, 15, (32, 32, 3))
    top = rng.integers(6, 14)
    picture[top : top + 10, 3:13] = COLOURS[left]
    picture[top : top + 10, 19:29] = COLOURS[right]
    return picture.clip(0, 255).astype(np.uint8)


def _pairs(name: str, copies: int) -> Pairs:
    """Every ordered pair of colours, so that each caption has a twin of the same words."""
    told = [(pair, copy) for copy in range(copies) for pair in ORDERED]
    items = tuple(
        Item(
            f"{name}-{place}", "image", _picture(*pair, seed=zlib.crc32(f"{name}-{place}".encode()))
        )
        for place, (pair, _) in enumerate(told)
    )
    captions = tuple(f"A {left} block to the left of a {right} one" for (left, right), _ in told)
    return Pairs(items, captions, tuple(range(len(told))))


def _config(steps: int) -> TinyConfig:
    config = tiny_config()
    schedule = replace(config.schedule, least_steps=steps, batch=24, warm_up_steps=5)
    return replace(config, schedule=schedule)


def _encoder(steps: int = 4, seed: int = 0, cache: Path | None = None) -> TinyDualEncoder:
    return TinyDualEncoder(_config(steps), seed, "cpu", cache)


@pytest.fixture(scope="module")
def trained() -> TinyDualEncoder:
    config = _config(steps=250)
    quick = replace(config.schedule, learning_rate=4e-3)
    encoder = TinyDualEncoder(replace(config, schedule=quick), 0, "cpu", None)
    encoder.fit(_pairs("train", 8), _pairs("validation", 2))
    return encoder


def test_it_learns_which_colour_is_on_which_side(trained: TinyDualEncoder) -> None:
    """A bag of words would find the right picture of each two no more than half of the time."""
    unseen = _pairs("test", 1)
    scores = trained.encode_texts(unseen.captions) @ trained.encode_items(unseen.items).T
    assert np.mean(scores.argmax(1) == np.arange(len(ORDERED))) > 0.8


def test_vectors_have_unit_length(trained: TinyDualEncoder) -> None:
    pairs = _pairs("test", 1)
    for vectors in (trained.encode_items(pairs.items), trained.encode_texts(pairs.captions)):
        assert vectors.dtype == np.float32
        assert vectors.shape == (len(ORDERED), trained.dim)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)


def test_a_text_has_the_same_vector_in_any_company(trained: TinyDualEncoder) -> None:
    texts = ["a red block", "", "to the left of a blue one " * 9, "blue", "a red block", "one two"]
    together = trained.encode_texts(texts)
    alone = np.concatenate([trained.encode_texts([text]) for text in texts])
    np.testing.assert_array_equal(together, alone)


def test_an_item_has_the_same_vector_in_any_company(trained: TinyDualEncoder) -> None:
    items = _pairs("test", 2).items
    together = trained.encode_items(items)
    alone = np.concatenate([trained.encode_items([item]) for item in items])
    np.testing.assert_allclose(together, alone, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=300), min_size=1, max_size=4))
def test_any_text_can_be_encoded(trained: TinyDualEncoder, texts: list[str]) -> None:
    assert np.isfinite(trained.encode_texts(texts)).all()


def test_text_that_is_not_unicode_can_be_encoded(trained: TinyDualEncoder) -> None:
    assert np.isfinite(trained.encode_texts(["half a \ud83d pair"])).all()


def test_nothing_to_encode_gives_no_rows(trained: TinyDualEncoder) -> None:
    assert trained.encode_items([]).shape == (0, trained.dim)
    assert trained.encode_texts([]).shape == (0, trained.dim)


def test_the_padding_of_a_batch_is_not_read() -> None:
    torch.manual_seed(0)
    tower = TextTower(TextSizes(width=8), vocabulary=20, dim=8).eval()
    sequences = [[1, 5, 6], [1, 7, 8, 9, 10, 11], [1]]
    with torch.no_grad():
        together = tower(*pad(sequences))
        alone = torch.cat([tower(*pad([sequence])) for sequence in sequences])
    torch.testing.assert_close(together, alone)


def test_one_seed_gives_one_tower_and_another_seed_another() -> None:
    pairs, validation = _pairs("train", 2), _pairs("validation", 1)
    prints = []
    for seed in (0, 0, 1):
        encoder = _encoder(seed=seed)
        encoder.fit(pairs, validation)
        prints.append(encoder.fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_training_does_not_touch_the_callers_random_numbers() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    _encoder().fit(_pairs("train", 1), Pairs.empty())
    torch.testing.assert_close(torch.rand(3), expected)


def test_fit_changes_the_fingerprint_and_save_and_load_restore_it(tmp_path: Path) -> None:
    pairs = _pairs("train", 2)
    encoder = _encoder()
    before = encoder.fingerprint
    encoder.fit(pairs, Pairs.empty())
    assert encoder.fingerprint != before
    encoder.save(tmp_path)
    other = _encoder(seed=9)
    other.load(tmp_path)
    assert other.fingerprint == encoder.fingerprint
    for mine, theirs in (
        (other.encode_texts(pairs.captions), encoder.encode_texts(pairs.captions)),
        (other.encode_items(pairs.items), encoder.encode_items(pairs.items)),
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_weights_of_other_networks_are_refused(tmp_path: Path) -> None:
    _encoder().save(tmp_path)
    wider = replace(tiny_config(), dim=48)
    with pytest.raises(RuntimeError, match="size mismatch"):
        TinyDualEncoder(wider, 0, "cpu", None).load(tmp_path)


def test_trained_towers_are_kept_and_used_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pairs, validation = _pairs("train", 2), _pairs("validation", 1)
    first = _encoder(cache=tmp_path)
    assert "train" in first.fit(pairs, validation)
    second = _encoder(cache=tmp_path)
    with caplog.at_level(logging.INFO):
        assert "train" not in second.fit(pairs, validation)
    assert second.fingerprint == first.fingerprint
    assert "trained earlier" in caplog.text
    assert len(list((tmp_path / "towers").iterdir())) == 1


def test_other_captions_pictures_seeds_or_settings_are_other_towers(tmp_path: Path) -> None:
    pairs, validation = _pairs("train", 1), _pairs("validation", 1)
    recaptioned = replace(pairs, captions=("another caption", *pairs.captions[1:]))
    repainted = replace(
        pairs, items=(replace(pairs.items[0], media=_picture("red", "red", 7)), *pairs.items[1:])
    )
    _encoder(cache=tmp_path).fit(pairs, validation)
    for encoder, learn in (
        (_encoder(cache=tmp_path), recaptioned),
        (_encoder(cache=tmp_path), repainted),
        (_encoder(cache=tmp_path, seed=1), pairs),
        (_encoder(cache=tmp_path, steps=5), pairs),
    ):
        assert "train" in encoder.fit(learn, validation)


def test_five_captions_of_a_validation_item_are_enough_to_choose_by(tmp_path: Path) -> None:
    pairs = _pairs("train", 1)
    item = _pairs("validation", 1).items[:1]
    told = [f"a block, told {time} times" for time in range(6)]

    def trained_anew(captions: list[str]) -> bool:
        validation = Pairs(item, tuple(captions), (0,) * len(captions))
        return "train" in _encoder(cache=tmp_path).fit(pairs, validation)

    assert trained_anew(told)
    assert not trained_anew([*told[:5], "another sixth"])
    assert trained_anew(["another first", *told[1:]])


def test_a_tower_that_a_killed_run_left_half_is_not_used(tmp_path: Path) -> None:
    pairs = _pairs("train", 1)
    _encoder(cache=tmp_path).fit(pairs, Pairs.empty())
    (kept,) = (tmp_path / "towers").iterdir()
    kept.rename(kept.with_name("part-killed"))
    assert "train" in _encoder(cache=tmp_path).fit(pairs, Pairs.empty())


def test_pictures_that_do_not_fit_in_memory_train_the_same_tower(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = _pairs("train", 2)
    prints = []
    for limit in (tiny_encoder.KEPT_BYTES, 0):
        monkeypatch.setattr(tiny_encoder, "KEPT_BYTES", limit)
        encoder = _encoder()
        encoder.fit(pairs, Pairs.empty())
        prints.append(encoder.fingerprint)
    assert prints[0] == prints[1]


def test_files_are_decoded_as_arrays_are(trained: TinyDualEncoder, tmp_path: Path) -> None:
    array = _picture("red", "blue", 3)
    Image.fromarray(array).save(tmp_path / "one.png")
    items = [Item("file", "image", tmp_path / "one.png"), Item("array", "image", array)]
    vectors = trained.encode_items(items)
    np.testing.assert_array_equal(vectors[0], vectors[1])


def test_a_broken_file_is_named(trained: TinyDualEncoder, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    with pytest.raises(MediaError, match=r"broken\.jpg"):
        trained.encode_items([Item("x", "image", tmp_path / "broken.jpg")])


def test_no_captions_is_an_error_with_a_reason() -> None:
    with pytest.raises(ValueError, match="learn from training captions"):
        _encoder().fit(Pairs.empty(), Pairs.empty())


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_pairs_are_enough_to_run(count: int) -> None:
    pairs = _pairs("train", 1)
    few = Pairs(pairs.items[:count], pairs.captions[:count], tuple(range(count)))
    encoder = _encoder()
    encoder.fit(few, few)
    assert np.isfinite(encoder.encode_items(few.items)).all()


def test_info_nce_equals_a_slow_loop() -> None:
    rng = np.random.default_rng(0)
    owners = [0, 0, 1, 2, 2, 2]
    scores = rng.normal(size=(6, 3))
    to_image = np.mean([-math.log(_softmax(scores[t])[o]) for t, o in enumerate(owners)])
    to_text = []
    for text, owner in enumerate(owners):
        rivals = [scores[other, owner] for other, its in enumerate(owners) if its != owner]
        to_text.append(-math.log(_softmax(np.array([scores[text, owner], *rivals]))[0]))
    found = info_nce(torch.from_numpy(scores), torch.tensor(owners))
    np.testing.assert_allclose(float(found), to_image + np.mean(to_text))


def _softmax(values: np.ndarray) -> np.ndarray:
    return np.exp(values) / np.exp(values).sum()


def test_tokens_are_cut_at_the_limit_and_start_with_the_start_token() -> None:
    tokenizer = train_tokenizer(["a red star"] * 9, 300)
    short, long = tokenize(tokenizer, ["", "words " * 500])
    assert short == [1]
    assert len(long) == MAX_TOKENS


def test_a_word_seen_often_is_one_token() -> None:
    tokenizer = train_tokenizer(["a red star"] * 9, 400)
    assert [len(one) for one in tokenize(tokenizer, ["a red star", "A RED STAR"])] == [4, 4]


def test_the_adapter_describes_what_it_builds(tmp_path: Path) -> None:
    adapter = TinyDualAdapter()
    chosen = Settings(seed=0, device="cpu", cache=tmp_path)
    assert adapter.availability(chosen).ready
    assert adapter.build(chosen).spec == adapter.describe(chosen)
    assert json.loads(json.dumps(dict(adapter.describe(chosen).options)))["image.side"] == 64
    assert adapter.tiny(0).spec.weights == "random"


def test_a_retriever_of_random_weights_ranks_and_repeats_itself() -> None:
    items = _pairs("test", 1).items
    rankings = []
    for _ in range(2):
        retriever = TinyDualAdapter().tiny(4)
        retriever.index(items)
        rankings.append(retriever.search(["a red block", "", "赤い四角"], 20))
    assert rankings[0].ids.shape == (3, 20)
    assert (rankings[0].ids[:, len(items) :] == -1).all()
    np.testing.assert_array_equal(rankings[0].ids, rankings[1].ids)
