"""LanguageBind's three releases against the authors' code, from files of media to scores.

The authors' code is run as they pinned it, by ``RETRIEVAL_TEST_PEERS/languagebind/bin/python``; see
``languagebind_upstream.py`` for what that environment holds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datasets.base import Clip, Item, Sound
from retrievers.base import Settings
from retrievers.encoders import languagebind
from retrievers.encoders.towers import TowerPair
from tests.parity import goldens
from tests.parity.goldens import FloatArray, Golden
from tests.parity.seeded import seeded_state
from tests.rankings import scores_by_row

_VERSION = "7070c53"
_ADAPTERS = {
    "image": languagebind.IMAGE,
    "video": languagebind.VIDEO,
    "audio": languagebind.AUDIO,
}
_COMPARED = {
    "image": "vectors of 3 pictures up to 300 x 460 and of 6 texts, scores",
    "video": "vectors of 3 clips of 3 to 23 frames and of 6 texts, scores",
    "audio": "vectors of sounds of 0.3, 1 (stereo) and 2.5 s and of 6 texts, scores",
    "audio-lora": "the same with low-rank adapters, which are merged here",
}
_TEXTS = [
    "A lion climbing a tree to catch a monkey.",
    "two   dogs\n& a CAT's toy, 25 cm",
    "żółta łódź 🚤 at sea",
    "x",
    "",
    "a very long tale of a small red fox " * 12,
]
_STACK = {"hidden_act": "gelu", "num_hidden_layers": 2, "layer_norm_eps": 1e-5}
_VISION: dict[str, dict[str, Any]] = {
    "image": {"image_size": 224, "patch_size": 32},
    "video": {"image_size": 224, "patch_size": 56, "add_time_attn": True, "num_frames": 8},
    # Patches 4 high and 3 wide, in more positions than the 8 of a square.
    "audio": {
        "image_size": 224,
        "patch_size": 28,
        "num_mel_bins": 112,
        "target_length": 84,
        "audio_mean": -4.2677393,
        "audio_std": 4.5689974,
    },
}


def _told(case: str) -> dict[str, Any]:
    """A config.json at a small size."""
    modality, _, adapters = case.partition("-")
    tuned = {"lora_r": 4, "lora_alpha": 6} if adapters else {"lora_r": 0}
    wide = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    narrow = {"hidden_size": 24, "intermediate_size": 64, "num_attention_heads": 2}
    text = {"vocab_size": 49408, "max_position_embeddings": 77}
    return {
        "model_type": f"LanguageBind{modality.title()}",
        "projection_dim": 20,
        "vision_config": {**_STACK, **wide, **tuned, **_VISION[modality]},
        "text_config": {**_STACK, **narrow, **text},
    }


@pytest.mark.parametrize("case", _COMPARED)
def test_equals_what_the_authors_code_gave(case: str, tmp_path: Path) -> None:
    golden = goldens.read(f"languagebind-{case}")
    (tmp_path / "config.json").write_text(json.dumps(_told(case)))
    torch.save(seeded_state(golden.shapes), tmp_path / "pytorch_model.bin")
    goldens.assert_close(_ours(case, tmp_path), golden)


@pytest.mark.parity
@pytest.mark.parametrize("case", _COMPARED)
def test_equals_the_authors_code(case: str, tmp_path: Path) -> None:
    source = goldens.upstream_source("LanguageBind")
    theirs = _theirs(case, source, tmp_path)
    goldens.conclude(
        Golden(
            system=f"languagebind-{case}",
            upstream="PKU-YuanGroup/LanguageBind, transformers 4.30.2",
            version=_VERSION,
            compared=_COMPARED[case],
            difference=goldens.largest_difference(_ours(case, tmp_path), theirs),
            shapes=json.loads((tmp_path / "shapes.json").read_text()),
            numbers=goldens.kept(theirs),
        )
    )


def _ours(case: str, folder: Path) -> dict[str, FloatArray]:
    """Through the adapter, from a folder as the authors release it."""
    modality: Any = case.partition("-")[0]
    settings = Settings(0, "cpu", folder / "cache", {"model": str(folder)})
    retriever: Any = _ADAPTERS[modality].build(settings)
    towers: TowerPair = retriever._encoder
    items = [
        Item(name, modality, _media(modality, held)) for name, held in _arrays(modality).items()
    ]
    retriever.index(items)
    return {
        "items": towers.encode_items(items),
        "texts": towers.encode_texts(_TEXTS),
        "scores": scores_by_row(retriever.search(_TEXTS, len(items))),
    }


def _theirs(case: str, source: Path, folder: Path) -> dict[str, FloatArray]:
    modality = case.partition("-")[0]
    (folder / "told.json").write_text(json.dumps(_told(case)))
    np.savez(folder / "inputs.npz", texts=np.array(_TEXTS), **_arrays(modality))
    module = "tests.parity.languagebind_upstream"
    goldens.run_peer("languagebind", module, modality, source, folder)
    with np.load(folder / "outputs.npz") as outputs:
        return {name: outputs[name] for name in outputs.files}


def _arrays(modality: str) -> dict[str, Any]:
    """Three items: pixels, frames, or samples [channels, samples] at 16 kHz."""
    rng = np.random.default_rng(5)
    if modality == "audio":
        made = [_sound(rng, seconds) for seconds in (0.3, 1.0, 2.5)]
        made[1] = np.concatenate([made[1], -0.5 * made[1][:, ::-1]])
    elif modality == "image":
        made = [_pixels(rng, *shape) for shape in ((37, 53), (300, 460), (231, 224))]
    else:
        shapes = ((3, 60, 90), (23, 250, 240), (11, 40, 70))
        made = [np.stack([_pixels(rng, *shape) for _ in range(count)]) for count, *shape in shapes]
    return {f"item {row}": array for row, array in enumerate(made)}


def _pixels(rng: np.random.Generator, height: int, width: int) -> Any:
    """Noise over a slope of light, uint8 [height, width, 3]."""
    slope = np.linspace(0, rng.uniform(50, 180), width)[None, :, None]
    noise = rng.uniform(0, 70, (height, width, 3))
    return (slope + noise).astype(np.uint8)


def _sound(rng: np.random.Generator, seconds: float) -> FloatArray:
    """Noise that grows and a tone that climbs, float32 [1, samples]."""
    times = np.arange(int(16_000 * seconds)) / 16_000
    tone = 0.3 * np.sin(2 * np.pi * (200 + 700 * times) * times)
    noise = 0.1 * times * rng.standard_normal(len(times))
    return (tone + noise).astype(np.float32)[None]


def _media(modality: str, held: Any) -> Any:
    if modality == "audio":
        return Sound(held, 16_000)
    return held if modality == "image" else Clip(held, np.arange(len(held)) / 25)
