"""UMT: its weights in every layout, read whole or refused, and what its two stages compare."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from datasets.base import Clip, Item
from retrievers.base import Precision, Ranking, Settings, WeightsAbsent
from retrievers.scorers.umt import UMT, caption, opened, picture, told
from retrievers.weights.report import CheckpointError
from tests.parity import goldens
from tests.parity.clip_videos import as_items, videos
from tests.parity.seeded import seeded_state
from tests.parity.umt_small import SIZES, TEXTS, write_words

State = dict[str, Tensor]
SMALL = replace(UMT, open=partial(opened, SIZES), told=partial(told, SIZES))


def gallery() -> list[Item]:
    return as_items(videos((9, 14, 3, 12), 40, 30), 3)


def fine_tuned() -> State:
    return seeded_state(goldens.read("umt").shapes)


def pretrained() -> State:
    """As weights lie while the network is trained on all of its tasks."""
    named = {name.replace("text_encoder.", "text_encoder.bert."): one for name, one in _tuned()}
    more = ("clip_teacher.conv1.weight", "vision_encoder.clip_decoder.0.head.weight")
    return {**named, **dict.fromkeys((*more, "text_encoder.cls.predictions.bias"), torch.ones(2))}


def _tuned() -> list[tuple[str, Tensor]]:
    return list(fine_tuned().items())


def write(folder: Path, state: State, **beside: Any) -> Path:
    folder.mkdir(exist_ok=True)
    write_words(folder)
    torch.save({"model": state, **beside}, folder / "umt.pth")
    return folder / "umt.pth"


def settings(source: Path, **more: Any) -> Settings:
    return Settings(0, "cpu", source.parent / "cache", {"model": str(source)}, **more)


def answers(source: Path, **more: Any) -> Ranking:
    retriever = SMALL.build(settings(source, **more))
    retriever.index(gallery())
    return retriever.search(TEXTS, 4)


def test_all_layouts_of_the_weights_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone or under "model", beside the settings of the run in a class of the public code."""
    expected = answers(write(tmp_path / "nested", fine_tuned()))
    alone = write(tmp_path / "alone", {})
    torch.save(fine_tuned(), alone)
    np.testing.assert_array_equal(answers(alone).scores, expected.scores)
    kept = type("EasyDict", (dict,), {"__module__": "utils.easydict"})
    module = ModuleType("utils.easydict")
    vars(module)["EasyDict"] = kept
    monkeypatch.setitem(sys.modules, "utils", ModuleType("utils"))
    monkeypatch.setitem(sys.modules, "utils.easydict", module)
    nested = kept(model=kept(name="vit_b16"), seed=42)
    vars(nested).update(nested)
    whole = write(tmp_path / "whole", fine_tuned(), config=nested, epoch=9)
    np.testing.assert_array_equal(answers(whole).scores, expected.scores)


def test_what_was_not_fine_tuned_is_shown_fewer_frames(tmp_path: Path) -> None:
    tuned, before = (
        SMALL.describe(settings(write(tmp_path / name, state)))
        for name, state in (("tuned", fine_tuned()), ("before", pretrained()))
    )
    assert str(tuned.options["frames"]).startswith("12,")
    assert str(before.options["frames"]).startswith("4,")
    source = tmp_path / "before/umt.pth"
    retriever: Any = SMALL.build(settings(source))
    long = gallery()[1]
    middles = [1, 4, 8, 11]
    clip = long.media
    assert isinstance(clip, Clip)
    chosen = Clip(clip.frames[middles], np.arange(4.0))
    first, second = (
        retriever._first_stage._encoder.encode_items([Item(name, "video", shown)]).vectors
        for name, shown in (("all", clip), ("chosen", chosen))
    )
    np.testing.assert_array_equal(first, second)


def without(name: str) -> Callable[[State], State]:
    return lambda state: {key: one for key, one in state.items() if key != name}


def with_one(name: str, tensor: Tensor) -> Callable[[State], State]:
    return lambda state: {**state, name: tensor}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without("itm_head.bias"), r"1 \(itm_head.bias\) missing"),
        (without("vision_encoder.encoder.blocks.1.attn.q_bias"), r"q_bias\) missing"),
        (with_one("vision_encoder.cls_token", torch.ones(24)), "1 .* not used"),
        (with_one("text_proj.bias", torch.ones(13)), r"1 \(text_proj.bias\) of another"),
    ],
)
def test_weights_that_are_not_whole_are_refused(
    tmp_path: Path, change: Callable[[State], State], reason: str
) -> None:
    with pytest.raises(CheckpointError, match=reason):
        SMALL.build(settings(write(tmp_path, change(fine_tuned()))))


def test_a_checkpoint_that_could_run_a_program_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path, fine_tuned(), config=Path("anything"))
    with pytest.raises(CheckpointError, match="could run a program"):
        SMALL.build(settings(source))


def test_a_vocabulary_is_wanted_beside_the_weights(tmp_path: Path) -> None:
    source = write(tmp_path, fine_tuned())
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(WeightsAbsent, match=r"vocab\.txt"):
        SMALL.build(settings(source))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_half_precision_is_near_the_full_one(tmp_path: Path, precision: Precision) -> None:
    source = write(tmp_path, fine_tuned())
    full, half = answers(source), answers(source, precision=precision)

    def matrix(ranking: Ranking) -> np.ndarray:
        return np.take_along_axis(ranking.scores, ranking.ids.argsort(axis=1), axis=1)

    np.testing.assert_allclose(matrix(half), matrix(full), atol=0.06)
    assert not np.array_equal(matrix(half), matrix(full))


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("A man, playing the 'guitar'!!", "a man playing the guitar"),
        ("well-known dogs/cats - run", "well known dogs cats run"),
        ("<PERSON> walks \n", "person walks"),
        ("...", ""),
    ],
)
def test_captions_are_prepared_as_published(text: str, prepared: str) -> None:
    assert caption(text) == prepared


def test_a_picture_keeps_to_8_bits() -> None:
    """Bicubic overshoots beside an edge: black stays black, and white white."""
    edge = np.zeros((12, 12, 3), np.uint8)
    edge[:, 6:] = 255
    made = picture(edge, 8)
    black, white = picture(np.zeros_like(edge), 8), picture(np.full_like(edge, 255), 8)
    assert (made >= black).all() and (made <= white).all()
    assert torch.equal(made[:, :, 0], black[:, :, 0])


def test_what_follows_a_text_does_not_change_it(tmp_path: Path) -> None:
    """Marks, and words beyond 32 tokens of which [CLS] is one, are as good as none."""
    retriever: Any = SMALL.build(settings(write(tmp_path, fine_tuned())))
    texts = ["a b, c", "a b c", "a " * 31, "a " * 60, "a " * 30]
    vectors = retriever._first_stage._encoder.encode_texts(texts).vectors[:, 0]
    np.testing.assert_array_equal(vectors[0], vectors[1])
    np.testing.assert_array_equal(vectors[2], vectors[3])
    assert not np.array_equal(vectors[2], vectors[4])


def test_the_order_of_the_frames_matters(tmp_path: Path) -> None:
    retriever = SMALL.build(settings(write(tmp_path, fine_tuned())))
    item = gallery()[3]
    assert isinstance(item.media, Clip)
    turned = Item("turned", "video", Clip(item.media.frames[::-1].copy(), item.media.seconds))
    retriever.index([item, turned])
    scores = retriever.search(TEXTS[:1], 2).scores[0]
    assert abs(scores[0] - scores[1]) > 1e-4
