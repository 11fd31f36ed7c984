"""CLAP of LAION: HTSAT for sounds and RoBERTa for texts, compared by cosine (Wu et al., 2023).

Two forms of the release are read: a folder as transformers writes it, and a single file of
laion-clap, ``630k-best.pt`` or ``630k-audioset-best.pt``, with the ``tokenizer.json`` of
roberta-base beside it. Sounds are prepared as laion-clap does, rounding to 16 bits included, for
either form. Of a sound longer than 10 s laion-clap hears 10 s at random; here they are its middle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import scalar
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors
from torch import Tensor, nn

from datasets.base import SampleArray
from retrievers.base import RetrieverSpec, Settings
from retrievers.dual_tower import DualTower
from retrievers.encoders.htsat import (
    SMALL,
    SMALL_MEL,
    Hearing,
    LogMel,
    check_front_end,
    fill_computed,
    is_computed,
    renamed_audio,
    whole_repeats,
)
from retrievers.encoders.token_rows import FILE, TokenRows, read_tokenizer, without_padding
from retrievers.encoders.towers import (
    NetworkTower,
    Placement,
    dual_tower,
    tiny_dual_tower,
    tower_fingerprint,
)
from retrievers.pretrained import Options, PretrainedAdapter
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights.random import seeded
from retrievers.weights.releases import Located, Release
from retrievers.weights.report import CheckpointError
from retrievers.weights.states import Harmless, State, load_strictly, read_state

_LONGEST = 77
_PADDING = "<pad>"
_PREPARATION = "preprocessor_config.json"
# In training these follow the two vectors; no vector that is compared depends on them.
_LOSS_ONLY = ("audio_transform.", "text_transform.")
# Beside the weights a training may have kept figures of its own, which are numpy's numbers.
_NUMBERS: tuple[Harmless, ...] = (
    (scalar, "numpy.core.multiarray.scalar"),
    (scalar, "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int64)),
)


def as_laion_clap(heard: SampleArray, samples: int) -> SampleArray:
    """As often as the sound fits whole, then silence; in the steps of 16-bit samples."""
    steps = np.trunc(np.clip(heard, -1, 1) * np.float32(32767))
    return whole_repeats((steps / np.float32(32767)).astype(np.float32), samples)


@dataclass(frozen=True)
class Config:
    """Sizes of the two networks, where they are not ``ClapModel``'s own, and the front end."""

    audio: Mapping[str, Any]
    text: Mapping[str, Any]
    dim: int
    hearing: Hearing


RELEASED = Config(
    {}, {"layer_norm_eps": 1e-5}, 512, Hearing(LogMel(48_000, 480), 10.0, as_laion_clap)
)
TINY = Config(
    SMALL,
    {
        "vocab_size": 260,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 80,
        "layer_norm_eps": 1e-5,
    },
    20,
    Hearing(SMALL_MEL, 1.0, as_laion_clap),
)
RELEASE = Release(
    needs=("model*.safetensors|pytorch_model*.bin|*.pt", FILE),
    reads=("config.json", "preprocessor_config.json"),
    hub="laion/clap-htsat-unfused",
    obtain="It is 630k-audioset-best of https://huggingface.co/lukewys/laion_clap (about 0.6 GB, "
    "CC0), where 630k-best.pt is too; a single file wants the tokenizer.json of roberta-base "
    "beside it.",
)


def open_release(
    spec: RetrieverSpec, located: Located, settings: Settings, config: Config = RELEASED
) -> DualTower:
    """CLAP with its released weights; ``config`` is of a single file, a folder tells its own.

    Raises CheckpointError.
    """
    state = _state(located)
    if any(name.startswith("audio_branch.") for name in state):
        check_front_end(state, config.hearing.mel, located.source)
        given, sizes, hearing = _renamed(state), _sizes(config), config.hearing
    else:
        given = {name: one for name, one in state.items() if not is_computed(name)}
        sizes, hearing = _told_sizes(located.folder), _told_hearing(located.folder)
    with torch.device("meta"):
        model = _network(sizes)
    load_strictly(model, {**given, **fill_computed(model)}, located.source)
    tokenizer = read_tokenizer(located.folder, sizes.text_config.vocab_size)
    placement = Placement(settings.device, settings.precision)
    placed = placement.put(model)
    named = tower_fingerprint("clap", located, RELEASE, ["torch", "transformers", "soxr"])
    items, texts = _towers(placed, hearing, tokenizer, named, placement)
    return dual_tower(spec, items, texts, sizes.projection_dim, settings)


def told(located: Located) -> Options:
    """What a folder says of its preparation; a single file has that of the release."""
    if not (located.folder / _PREPARATION).is_file() or located.files[0].suffix == ".pt":
        return {}
    return {"sound": told_of(_told_hearing(located.folder))}


def told_of(hearing: Hearing) -> str:
    """A preparation in words."""
    return f"{hearing.told} in steps of 16 bits; a shorter one repeated whole, then silence"


def open_tiny(spec: RetrieverSpec, seed: int) -> DualTower:
    """Random weights over sounds of a second and the bytes of texts."""
    model = seeded(seed, lambda: _network(_sizes(TINY)))
    placement = Placement("cpu")
    placed = placement.put(model)
    items, texts = _towers(placed, TINY.hearing, tiny_tokenizer(), f"clap-{seed}", placement)
    return tiny_dual_tower(spec, items, texts, TINY.dim)


def tiny_tokenizer() -> Tokenizer:
    """Bytes as tokens, with RoBERTa's special ones: 260 of them."""
    words = ["<s>", _PADDING, "</s>", "<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({word: row for row, word in enumerate(words)}, []))
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in words[:4]])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer


def full_network() -> nn.Module:
    """ClapModel in its released size."""
    return _network(_sizes(RELEASED))


def _towers(
    model: Any, hearing: Hearing, tokenizer: Tokenizer, named: str, placement: Placement
) -> tuple[NetworkTower[Any], NetworkTower[str]]:
    def sounds(batch: Tensor) -> Tensor:
        vectors: Tensor = model.get_audio_features(input_features=batch).pooler_output
        return vectors

    def texts(batch: Tensor) -> Tensor:
        tokens, mask = without_padding(batch)
        vectors: Tensor = model.get_text_features(tokens, attention_mask=mask).pooler_output
        return vectors

    rows = TokenRows(tokenizer, _PADDING, _LONGEST).rows
    return (
        NetworkTower(hearing.sounds, sounds, f"{named}-{hearing.seconds}", placement, batch=8),
        NetworkTower(rows, texts, named, placement),
    )


def _network(sizes: Any) -> nn.Module:
    model: nn.Module = _transformers().ClapModel(sizes)
    return model


def _sizes(config: Config) -> Any:
    return _transformers().ClapConfig(
        audio_config=dict(config.audio),
        text_config=dict(config.text),
        projection_dim=config.dim,
    )


def _state(located: Located) -> State:
    """The tensors, without what training in parallel put before their names."""
    files = located.files
    if files[0].suffix != ".pt":
        return read_state(files)
    if len(files) > 1:
        raise CheckpointError(
            f"{located.source} holds {len(files)} files of laion-clap: name one of them"
        )
    state = read_state(files, under="state_dict", harmless=_NUMBERS)
    return {name.removeprefix("module."): one for name, one in state.items()}


def _renamed(state: State) -> State:
    found = {
        f"audio_model.audio_encoder.{name}": one
        for name, one in renamed_audio(state, "audio_branch.").items()
    }
    for name, one in state.items():
        if name.startswith(("audio_branch.", *_LOSS_ONLY)) or is_computed(name):
            continue
        ours = name.replace("text_branch.", "text_model.", 1)
        ours = ours.replace("_projection.0.", "_projection.linear1.")
        found[ours.replace("_projection.2.", "_projection.linear2.")] = one
    return found


def _told_sizes(folder: Path) -> Any:
    sizes = _transformers().ClapConfig.from_dict(_json(folder / "config.json"))
    if sizes.audio_config.enable_fusion:
        raise CheckpointError(
            f"{folder} is of the fused CLAP, which is not supported: use clap-htsat-unfused"
        )
    return sizes


def _told_hearing(folder: Path) -> Hearing:
    """The front end that the release was made with. Raises CheckpointError."""
    path = folder / _PREPARATION
    told = _json(path)
    if (told.get("truncation"), told.get("padding")) != ("rand_trunc", "repeatpad"):
        raise CheckpointError(
            f"{path} asks for another preparation than the unfused CLAP's, rand_trunc, repeatpad"
        )
    try:
        mel = LogMel(
            rate=int(told["sampling_rate"]),
            hop=int(told["hop_length"]),
            points=int(told["fft_window_size"]),
            mels=int(told["feature_size"]),
            lowest=float(told["frequency_min"]),
            highest=float(told["frequency_max"]),
        )
        return Hearing(mel, float(told["max_length_s"]), as_laion_clap)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} does not tell the whole preparation: {error}") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not isinstance(told, dict):
        raise CheckpointError(f"{path} holds no settings by name")
    return told


def _transformers() -> Any:
    ensure_torchvision()
    import transformers

    return transformers


CLAP = PretrainedAdapter(
    name="clap",
    paradigm="dual tower",
    modalities=("audio",),
    licence="CC0-1.0",
    release=RELEASE,
    open=open_release,
    open_tiny=open_tiny,
    network=full_network,
    options={
        "sound": told_of(RELEASED.hearing),
        "text": f"byte pairs of RoBERTa, {_LONGEST} tokens",
        "score": "cosine",
    },
    told=told,
)
