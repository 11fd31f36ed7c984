"""LanguageBind: what is refused, what a text may not see, and what a sound or video becomes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from datasets.base import Clip, Item, Sound
from retrievers.base import FloatArray, Precision, Settings, WeightsAbsent
from retrievers.conformance_data import QUERIES, items_of_noise
from retrievers.encoders import languagebind
from retrievers.encoders.kaldi_fbank import kaldi_fbank
from retrievers.encoders.languagebind_config import TINY_IMAGE, TINY_VIDEO, Config
from retrievers.encoders.languagebind_inputs import RATE, Spectrum, pictures, videos
from retrievers.encoders.languagebind_network import LanguageBind
from retrievers.weights.random import seeded
from retrievers.weights.report import CheckpointError
from tests.rankings import scores_by_row

TINY = seeded(0, lambda: LanguageBind(TINY_IMAGE)).eval()
START, END = 49_406, 49_407


def told(config: Config = TINY_IMAGE, modality: str = "Image") -> dict[str, Any]:
    """A config.json of these sizes."""
    vision, text = (
        {
            "hidden_size": stack.width,
            "intermediate_size": stack.inner,
            "num_hidden_layers": stack.layers,
            "num_attention_heads": stack.heads,
            "hidden_act": stack.activation,
        }
        for stack in (config.vision, config.text)
    )
    return {
        "model_type": f"LanguageBind{modality}",
        "projection_dim": config.dim,
        "vision_config": {**vision, "image_size": config.height, "patch_size": config.patch},
        "text_config": {**text, "vocab_size": 49_408, "max_position_embeddings": 77},
    }


def retriever(folder: Path, state: dict[str, Tensor], precision: Precision = "fp32") -> Any:
    save_file(state, folder / "model.safetensors")
    settings = Settings(0, "cpu", folder / "cache", {"model": str(folder)}, precision)
    return languagebind.IMAGE.build(settings)


def scores(built: Any) -> FloatArray:
    """Of each query with six pictures, [queries, 6]."""
    built.index(items_of_noise("image", 6))
    return scores_by_row(built.search(QUERIES, 6))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(told()))
    return tmp_path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"visual_projection.weight": None}, r"1 \(visual_projection\.weight\) missing"),
        ({"vision_model.stray": torch.zeros(1)}, r"1 \(vision_model\.stray\) not used"),
        ({"text_projection.weight": torch.zeros(3, 3)}, r"text_projection\.weight\) of another"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    folder: Path, change: dict[str, Tensor | None], said: str
) -> None:
    state = {**TINY.state_dict(), **change}
    with pytest.raises(CheckpointError, match=said):
        retriever(folder, {name: one for name, one in state.items() if one is not None})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (told(modality="Video"), "LanguageBindVideo"),
        ({**told(), "projection_dim": "many"}, "projection_dim is 'many'"),
        ({**told(), "text_config": None}, "no text_config"),
        ({**told(), "text_config": {**told()["text_config"], "num_attention_heads": 3}}, "3 heads"),
        ({**told(), "vision_config": {**told()["vision_config"], "hidden_act": "x"}}, "quick_gelu"),
        ([], "no settings"),
    ],
)
def test_settings_of_another_network_are_refused(folder: Path, change: Any, said: str) -> None:
    (folder / "config.json").write_text(json.dumps(change))
    with pytest.raises(CheckpointError, match=said):
        retriever(folder, TINY.state_dict())


def test_adapters_are_added_to_the_weights_that_they_tune(folder: Path) -> None:
    settings = told()
    settings["vision_config"] |= {"lora_r": 2, "lora_alpha": 6}
    (folder / "config.json").write_text(json.dumps(settings))
    tuned, state = "layers.1.self_attn.q_proj", TINY.state_dict()
    down, up = seeded(1, lambda: (torch.randn(2, 32), torch.randn(32, 2)))
    inside = "vision_model.encoder.base_model.model."
    wrapped = {name.replace("vision_model.encoder.", inside): one for name, one in state.items()}
    adapters = {f"{inside}{tuned}.lora_A.default.weight": down}
    with pytest.raises(CheckpointError, match=r"lora_A\.default\.weight\) not used"):
        retriever(folder, wrapped | adapters)
    adapters[f"{inside}{tuned}.lora_B.default.weight"] = up
    built = retriever(folder, wrapped | adapters)
    weight = f"vision_model.encoder.{tuned}.weight"
    found = scores(built)
    (folder / "config.json").write_text(json.dumps(told()))
    merged = retriever(folder, {**state, weight: state[weight] + 3 * up @ down})
    np.testing.assert_allclose(found, scores(merged), atol=1e-5)
    assert np.abs(found - scores(retriever(folder, state))).max() > 1e-3


def test_a_lone_file_is_taken_to_be_of_the_released_size(folder: Path) -> None:
    (folder / "config.json").unlink()
    save_file(TINY.state_dict(), folder / "model.safetensors")
    source = {"model": str(folder / "model.safetensors")}
    with pytest.raises(CheckpointError, match=r"model\.safetensors: 512 .* missing"):
        languagebind.IMAGE.build(Settings(0, "cpu", folder, source))


def test_a_folder_without_weights_says_which_are_wanted(folder: Path) -> None:
    with pytest.raises(WeightsAbsent, match=r"no model\*\.safetensors or pytorch_model\*\.bin"):
        languagebind.IMAGE.build(Settings(0, "cpu", folder, {"model": str(folder)}))


def test_no_token_sees_those_behind_it() -> None:
    rng = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, START, (4, 77), generator=rng)
    changed = tokens.clone()
    changed[:, 20:] = torch.randint(0, START, (4, 57), generator=rng)
    with torch.inference_mode():
        before, after = TINY.text_model.hidden(tokens), TINY.text_model.hidden(changed)
    torch.testing.assert_close(before[:, :20], after[:, :20])
    assert (before[:, 20:] - after[:, 20:]).abs().amax(dim=(0, 2)).min() > 1e-3


@pytest.mark.parametrize("behind", [0, END, 300])
def test_what_follows_the_end_of_a_text_does_not_count(behind: int) -> None:
    text = [START, 320, 736, 7651, END]
    cut = torch.tensor([text])
    padded = torch.tensor([[*text, *[behind] * 72]])
    with torch.inference_mode():
        torch.testing.assert_close(TINY.encode_texts(padded), TINY.encode_texts(cut))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_near_the_whole(folder: Path, precision: Precision) -> None:
    whole = scores(retriever(folder, TINY.state_dict()))
    half = scores(retriever(folder, TINY.state_dict(), precision))
    assert 0 < np.abs(whole - half).max() < 0.03


def test_the_order_of_frames_matters() -> None:
    clip = items_of_noise("video", 1)[0].media
    assert isinstance(clip, Clip)
    frames = clip.frames.repeat(2, axis=0)
    both = [
        Item(name, "video", Clip(one, np.arange(8) / 4))
        for name, one in (("there", frames), ("back", frames[::-1]))
    ]
    network = seeded(0, lambda: LanguageBind(TINY_VIDEO)).eval()
    with torch.inference_mode():
        there, back = network.encode_items(torch.stack(list(videos(32, 8, both))))
    assert (there - back).abs().max() > 1e-3


def test_a_video_is_not_flipped_and_its_middle_is_cut_out() -> None:
    frames = np.zeros((8, 32, 96, 3), np.uint8)
    frames[:, :, :48] = 255
    (prepared,) = videos(32, 8, [Item("a", "video", Clip(frames, np.arange(8) / 4))])
    assert prepared.shape == (8, 3, 32, 32)
    assert prepared[..., :16].min() > 1.9 and prepared[..., 16:].max() < -1.4


def test_a_picture_of_a_thousand_times_its_height_is_prepared() -> None:
    line = np.zeros((2, 4000, 3), np.uint8)
    line[:, 1990:2010] = 255
    (prepared,) = pictures(32, [Item("a", "image", line)])
    assert prepared.shape == (1, 3, 32, 32) and prepared.min() > 1.9


def test_the_windows_of_a_long_sound_begin_with_its_thirds() -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 4 * RATE).astype(np.float32)
    windows = Spectrum(mels=16, frames=99).windows(samples)
    bands = kaldi_fbank(samples - samples.mean(), RATE, mels=16)
    # 398 frames hold 300 places for a window, in three parts of 100.
    assert len(bands) == 398 and windows.shape == (1, 3, 16, 99)
    for window, start in zip(windows[0], (0, 100, 200), strict=True):
        expected = (bands[start : start + 99].T + 4.2677393) / (2 * 4.5689974)
        torch.testing.assert_close(window, expected, rtol=1e-4, atol=1e-4)


def test_a_short_sound_is_repeated_and_only_its_first_channel_heard() -> None:
    rng = np.random.default_rng(0)
    samples = rng.uniform(-0.5, 0.5, (2, RATE // 4)).astype(np.float32)
    held = [
        Item("both", "audio", Sound(samples, RATE)),
        Item("first", "audio", Sound(samples[:1], RATE)),
        Item("one sample", "audio", Sound(samples[:, :1], RATE)),
    ]
    both, first, least = Spectrum(mels=16, frames=60).sounds(held)
    torch.testing.assert_close(both, first, rtol=0, atol=0)
    frames = 1 + (RATE // 4 - 400) // 160
    torch.testing.assert_close(both[..., frames : 2 * frames], both[..., :frames])
    assert (both[0, 0] - both[0, 2]).abs().max() == 0
    assert torch.isfinite(least).all()


def test_sizes_are_those_of_the_release(folder: Path) -> None:
    """Both sides of a picture may be told, as the authors' network writes them."""
    settings = told()
    settings["vision_config"]["image_size"] = [32, 32]
    (folder / "config.json").write_text(json.dumps(settings))
    assert retriever(folder, TINY.state_dict()).spec.options["picture"].startswith("32 px")
    larger = replace(TINY_IMAGE, height=40, width=40)
    (folder / "config.json").write_text(json.dumps(told(larger)))
    with pytest.raises(CheckpointError, match=r"position_embedding\.weight\) of another shape"):
        retriever(folder, TINY.state_dict())
