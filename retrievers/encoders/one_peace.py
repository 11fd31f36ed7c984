"""ONE-PEACE: one transformer for texts, pictures and sounds.

Each side is one vector and the score is their cosine (Wang et al., 2023, arXiv 2305.11172). The
released weights differ in what they hold: ``one-peace.pt`` reads all three, the fine-tuned ones
texts and pictures, or texts and sounds. Which it is, and its sizes, are taken from the weights.
Published figures for sounds are of batches in which the end of a sound heard the padding that
follows it; here each sound is encoded by itself.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from math import isqrt
from typing import NoReturn

import torch
from torch import Tensor

from datasets.base import Item, Modality
from retrievers.base import Retriever, RetrieverSpec, Settings
from retrievers.embedding_cache import Tower
from retrievers.encoders.by_modality import ByModality
from retrievers.encoders.one_peace_inputs import Words, byte_words, read_words, waveforms
from retrievers.encoders.one_peace_network import OnePeace, OnePeaceConfig, Part
from retrievers.encoders.pictures import PictureRecipe
from retrievers.encoders.towers import (
    NetworkTower,
    Placement,
    dual_tower,
    tiny_dual_tower,
    tower_fingerprint,
)
from retrievers.pretrained import Options, PretrainedAdapter
from retrievers.weights.random import seeded
from retrievers.weights.releases import Located, Release
from retrievers.weights.report import CheckpointError
from retrievers.weights.states import State, load_strictly, read_state

_STORE = "https://one-peace-shanghai.oss-accelerate.aliyuncs.com"
RELEASE = Release(
    needs=(
        "one-peace.pt|finetune_al_retrieval.pt|finetune_coco.pt|finetune_flickr.pt",
        "encoder.json",
        "vocab.bpe",
        "dict.txt",
    ),
    obtain=f"The weights are one-peace.pt ({_STORE}/one-peace.pt) or the retrieval files under "
    f"{_STORE}/one_peace_checkpoints/ (finetune_al_retrieval.pt, finetune_coco.pt, "
    "finetune_flickr.pt), Apache-2.0, 4 billion parameters: 16 GB of memory in fp32. Put "
    "encoder.json, vocab.bpe and dict.txt of one_peace/utils/BPE in github.com/OFA-Sys/ONE-PEACE "
    "beside them.",
)
FULL = OnePeaceConfig(
    parts=("text", "image", "audio"),
    vocabulary=50264,
    width=1536,
    layers=40,
    heads=24,
    hidden=6144,
    tables=1,
    text_positions=514,
    text_distances=256,
    patches=16,
    sound_channels=512,
    sound_depth=5,
    sound_kernel=19,
    sound_groups=16,
    sound_distances=512,
)
TINY = OnePeaceConfig(
    parts=("text", "image", "audio"),
    vocabulary=260,
    width=16,
    layers=1,
    heads=2,
    hidden=32,
    tables=1,
    text_positions=80,
    text_distances=16,
    patches=2,
    sound_channels=8,
    sound_depth=1,
    sound_kernel=19,
    sound_groups=4,
    sound_distances=16,
)
_PATCH = 16
# Retrieval of sounds was fine-tuned on 20 seconds; that is told by a table for each layer.
_SECONDS, _SECONDS_TUNED = 15, 20
_PACKAGES = ("torchvision", "pillow", "tokenizers", "soxr")
_PARTS: tuple[Part, ...] = ("text", "image", "audio")
# What pretraining alone needs, and what is reckoned anew.
_LEFT_OUT = ("decoder_", "logit_scale", "text_mask_", "image_mask_", "audio_mask_")
_RECKONED = (".rp_bucket", ".position_idx", ".version", ".mask_embedding")


def picture_recipe(config: OnePeaceConfig) -> PictureRecipe:
    return PictureRecipe(_PATCH * config.patches, resize="squash")


def open_towers(
    located: Located, fingerprint: str, placement: Placement
) -> tuple[ByModality, NetworkTower[str], int]:
    """The tower of items, that of texts and the width of their vectors.

    Raises CheckpointError.
    """
    state = _state(located)
    config = config_of(state, located.source)
    words = read_words(located.folder)
    if words.count > config.vocabulary:
        raise CheckpointError(
            f"{located.folder}: dict.txt has {words.count} words, the network {config.vocabulary}. "
            "They are of different releases."
        )
    with torch.device("meta"):
        network = OnePeace(config)
    load_strictly(network, state, located.source)
    items, texts = _towers(network, config, words, fingerprint, placement)
    return items, texts, config.width


def config_of(state: Mapping[str, Tensor], source: str) -> OnePeaceConfig:
    """The sizes that the weights tell. Raises CheckpointError where they are of something else."""
    parts = tuple(part for part in _PARTS if f"{part}_proj.weight" in state)
    try:
        words = state["text_adapter.embed_tokens.weight"]
        near = state["text_adapter.rel_pos_table_list.0.weight"]
        return OnePeaceConfig(
            parts=parts,
            vocabulary=words.shape[0],
            width=words.shape[1],
            layers=sum(name.endswith(".gamma_1") for name in state),
            heads=near.shape[1],
            hidden=state["layers.0.text_ffn.2.weight"].shape[0],
            tables=sum(name.startswith("text_adapter.rel_pos_table_list.") for name in state),
            text_positions=state["text_adapter.embed_positions.weight"].shape[0],
            text_distances=near.shape[0] // 2 - 1,
            **(_sight_of(state) if "image" in parts else {}),
            **(_hearing_of(state) if "audio" in parts else {}),
        )
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        raise CheckpointError(
            f"{source} is not a checkpoint of ONE-PEACE for retrieval: {error!r}"
        ) from error


def _sight_of(state: Mapping[str, Tensor]) -> dict[str, int]:
    return {"patches": isqrt(state["image_adapter.pos_embed"].shape[0] - 1)}


def _hearing_of(state: Mapping[str, Tensor]) -> dict[str, int]:
    place = "audio_adapter.embed_positions."
    channels, narrow, kernel = state[f"{place}1.0.weight"].shape
    return {
        "sound_channels": state["audio_adapter.embed_audios.2.weight"].shape[0],
        "sound_depth": sum(name.startswith(place) and name.endswith(".weight") for name in state),
        "sound_kernel": kernel,
        "sound_groups": channels // narrow,
        "sound_distances": state["audio_adapter.rel_pos_table_list.0.weight"].shape[0] // 2 - 1,
    }


def _state(located: Located) -> State:
    """The tensors in use, by our names.

    fairseq writes the settings of its training beside them, and a namespace of options is no
    program.
    """
    converted = all(path.suffix == ".safetensors" for path in located.files)
    found = read_state(located.files, "" if converted else "model", harmless=(Namespace,))
    return {renamed: one for name, one in found.items() if (renamed := _renamed(name))}


def _renamed(name: str) -> str:
    """The name in our network, empty for what retrieval does not need."""
    if name.startswith(_LEFT_OUT) or name.endswith(_RECKONED):
        return ""
    plain = name.removeprefix("encoder_wrapper.").removeprefix("fusion_model.")
    return plain.replace(".rel_pos_table.", ".rel_pos_table_list.0.")


def _open(spec: RetrieverSpec, located: Located, settings: Settings) -> Retriever:
    fingerprint = tower_fingerprint(spec.name, located, RELEASE, _PACKAGES)
    placement = Placement(settings.device, settings.precision)
    items, texts, dim = open_towers(located, fingerprint, placement)
    return dual_tower(spec, items, texts, dim, settings)


def _open_tiny(spec: RetrieverSpec, seed: int) -> Retriever:
    network = seeded(seed, lambda: OnePeace(TINY))
    fingerprint = f"{spec.name}-random-{seed}"
    items, texts = _towers(network, TINY, byte_words(), fingerprint, Placement("cpu"))
    return tiny_dual_tower(spec, items, texts, TINY.width)


def _towers(
    network: OnePeace,
    config: OnePeaceConfig,
    words: Words,
    fingerprint: str,
    placement: Placement,
) -> tuple[ByModality, NetworkTower[str]]:
    placement.put(network)
    # Sounds differ in length: each is a batch of its own.
    towers: dict[Modality, Tower[Item]] = {
        "image": NetworkTower(
            picture_recipe(config).pictures, network.encode_image, fingerprint, placement
        ),
        "audio": NetworkTower(
            waveforms(_seconds(config)), network.encode_audio, fingerprint, placement, batch=1
        ),
    }
    for part in ("image", "audio"):
        if part not in config.parts:
            towers[part] = _Absent(part)
    return (
        ByModality(towers, f"{fingerprint}-items-{placement.precision}"),
        NetworkTower(words.rows, network.encode_text, f"{fingerprint}-text", placement),
    )


class _Absent:
    """Stands for a part that the weights do not have."""

    fingerprint = "absent"

    def __init__(self, part: Part) -> None:
        self._part = part

    def encode(self, items: Sequence[Item], /) -> NoReturn:
        raise CheckpointError(
            f"These weights of ONE-PEACE were fine-tuned without {self._part}: name one-peace.pt, "
            "or the file that was fine-tuned for it."
        )


def _seconds(config: OnePeaceConfig) -> int:
    return _SECONDS if config.tables == 1 else _SECONDS_TUNED


def _told(located: Located) -> Options:
    config = config_of(_state(located), located.source)
    return {"parts": ", ".join(config.parts), "seconds": _seconds(config)}


ONE_PEACE = PretrainedAdapter(
    name="one-peace",
    paradigm="dual tower",
    modalities=("image", "audio"),
    licence="Apache-2.0",
    release=RELEASE,
    open=_open,
    open_tiny=_open_tiny,
    network=lambda: OnePeace(FULL),
    told=_told,
    options={
        "picture": picture_recipe(FULL).told,
        "sound": "16 kHz, mono, mean 0 and variance 1, the first seconds, each by itself",
        "text": "lower case, byte pairs of GPT-2, 70 tokens and an end",
        "score": "cosine",
    },
)
