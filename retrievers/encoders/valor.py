"""VALOR-B for sounds (Chen et al., 2023): a vector for each slice of a sound and for each word.

A sound is cut into slices of 5.12 s. The published settings hear 2 of them for AudioCaps and 6 for
Clotho: here a sound of no more than 2 is heard as AudioCaps is, a longer one as Clotho. Of more
than 6 the middle ones of 6 equal parts are heard; where there are fewer, the last fills up the 6.
Its spectrum ends in zeros, in a whole slice of them where a slice is just full.

The code takes files as they come, and its settings for AudioCaps name files of 22,050 Hz. What
those for Clotho name may have kept the 44,100 Hz of the data set, where the bands lie otherwise;
here every sound is brought to 22,050 Hz.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from datasets.base import IntArray, Item, SampleArray
from datasets.media.sampling import WindowSampling
from datasets.media.sounds import decode_windows
from retrievers.base import Retriever, RetrieverSpec, Settings
from retrievers.encoders.bert_network import BertSizes
from retrievers.encoders.bert_tokens import bert_tokenizer, bert_tokens, letters_tokenizer
from retrievers.encoders.clip_frames import only_file
from retrievers.encoders.kaldi_fbank import kaldi_fbank
from retrievers.encoders.token_towers import late_interaction, tiny_late_interaction
from retrievers.encoders.towers import NetworkTower, Placement, tower_fingerprint
from retrievers.encoders.valor_network import Valor, ValorSizes
from retrievers.pretrained import PretrainedAdapter
from retrievers.token_index import weighted_both_ways
from retrievers.weights.random import seeded
from retrievers.weights.releases import Located, Release
from retrievers.weights.states import load_strictly, read_state

_PACKAGES = ("torch", "tokenizers", "soundfile", "soxr", "av")
_TOKENS = 32
_RATE = 22_050
# Samples of a moment of the spectrum, and from one to the next: 25 ms and 10 ms, rounded down.
_LENGTH, _SHIFT = 551, 220
_MEAN, _SPREAD = -4.2677393, 2 * 4.5689974
_SLICES, _OF_A_SHORT_SOUND = 6, 2
_SOUNDS_AT_ONCE = 8
_WHOLE = WindowSampling(_RATE, seconds=600, pad="nothing")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
# The video tower, the layers that write captions, and what only training needs.
_LEFT_OUT = (
    "video_",
    "contra_head_v.",
    "multimodal_encoder.",
    "cls.",
    "hidden_trans_",
    "audio_type_embeddings",
    "audio_frame_embedding",
    "contra_temp",
    "txt_encoder.pooler.",
    "txt_encoder.embeddings.prompt_embedding.",
)
_LOOKING = ".cross_attn."


def caption(text: str) -> str:
    """A text as the public code prepares captions: lower case, no punctuation."""
    words = " ".join(word for word in text.split(" ") if word)
    return words.lower().translate(_PUNCTUATION)


def heard(count: int) -> IntArray:
    """Which 6 of the ``count`` slices of a sound are heard, ascending.

    Of 2 or fewer, each as often: what is heard three times over, with a third of the weight each
    time, scores as what is heard once.
    """
    slices = np.arange(count)
    if count <= _OF_A_SHORT_SOUND:
        return np.repeat(slices, _SLICES // count)
    filled = np.pad(slices, (0, max(0, _SLICES - count)), mode="edge")
    parts = np.array_split(filled, _SLICES)
    return np.array([part[(len(part) - 1) // 2] for part in parts])


@dataclass(frozen=True)
class SliceRecipe:
    """How a sound becomes the input of a network: slices of ``moments``, of ``mels`` bands each."""

    mels: int
    moments: int

    def sounds(self, items: Sequence[Item]) -> Iterator[Tensor]:
        """float32 [6, mels, moments] of each item. Raises MediaError."""
        for windows in decode_windows(items, _WHOLE):
            yield self._slices(windows[0])

    def _slices(self, samples: SampleArray) -> Tensor:
        sound = samples - samples.mean()
        moments = max(0, (len(sound) - _LENGTH) // _SHIFT + 1)
        rows, places = np.unique(heard(moments // self.moments + 1), return_inverse=True)
        return torch.stack([self._slice(sound, int(row)) for row in rows])[places]

    def _slice(self, sound: SampleArray, row: int) -> Tensor:
        start = row * self.moments * _SHIFT
        part = sound[start : start + (self.moments - 1) * _SHIFT + _LENGTH]
        bands = kaldi_fbank(np.ascontiguousarray(part), _RATE, mels=self.mels)
        filled = functional.pad(bands, (0, 0, 0, self.moments - len(bands)))
        return (filled.T - _MEAN) / _SPREAD


def opened(
    sizes: ValorSizes, spec: RetrieverSpec, located: Located, settings: Settings
) -> Retriever:
    """The dual tower of a file of weights. Raises CheckpointError."""
    with torch.device("meta"):
        network = Valor(sizes)
    state = read_state(only_file(located))
    load_strictly(network, state, located.source, renamed=_renamed)
    tokenizer = bert_tokenizer(located, sizes.text.vocabulary)
    fingerprint = tower_fingerprint(spec.name, located, RELEASE, _PACKAGES)
    placement = Placement(settings.device, settings.precision)
    items, texts = _towers(network, sizes, tokenizer, fingerprint, placement)
    return late_interaction(spec, items, texts, sizes.dim, weighted_both_ways, settings)


def _open_tiny(spec: RetrieverSpec, seed: int) -> Retriever:
    network = seeded(seed, lambda: Valor(TINY))
    name, tokenizer = f"valor-random-{seed}", letters_tokenizer()
    items, texts = _towers(network, TINY, tokenizer, name, Placement("cpu"))
    return tiny_late_interaction(spec, items, texts, TINY.dim, weighted_both_ways)


def _towers(
    network: nn.Module,
    sizes: ValorSizes,
    tokenizer: Tokenizer,
    fingerprint: str,
    placement: Placement,
) -> tuple[NetworkTower[Item], NetworkTower[str]]:
    placed: Any = placement.put(network)
    recipe = SliceRecipe(sizes.mels, sizes.moments)
    tokens = bert_tokens(tokenizer, _TOKENS, caption)
    return (
        NetworkTower(
            recipe.sounds, placed.sound_rows, f"{fingerprint}-audio", placement, _SOUNDS_AT_ONCE
        ),
        NetworkTower(tokens, placed.text_rows, f"{fingerprint}-text", placement),
    )


def _renamed(name: str) -> str | None:
    plain = name.removeprefix("module.")
    return None if plain.startswith(_LEFT_OUT) or _LOOKING in plain else plain


RELEASE = Release(
    needs=("*.pt|*.safetensors", "vocab.txt|tokenizer.json"),
    obtain=(
        "No weights fine-tuned on AudioCaps or Clotho were released. Those before it (VALOR-base, "
        "MIT) are at https://drive.google.com/file/d/1l-G255vTPt6XKMK-Ln42Jz_raGzipL84: name "
        "ckpt/model_step_N.pt, and put vocab.txt of bert-base-uncased beside it."
    ),
)
FULL = ValorSizes()
TINY = ValorSizes(
    mels=16,
    moments=32,
    patch=8,
    width=16,
    hidden=24,
    layers=1,
    heads=2,
    text=BertSizes(vocabulary=77, positions=32, width=16, hidden=24, layers=1, heads=2),
    dim=12,
)


def _network() -> nn.Module:
    return Valor(FULL)


VALOR = PretrainedAdapter(
    name="valor",
    paradigm="dual tower",
    modalities=("audio",),
    licence="MIT",
    release=RELEASE,
    open=partial(opened, FULL),
    open_tiny=_open_tiny,
    network=_network,
    options={
        "sound": "22,050 Hz, 64 bands, slices of 5.12 s of the first 10 minutes",
        "slices": "2 of a sound that has no more, 6 of a longer one",
        "text": f"word pieces of BERT, lower case without punctuation, {_TOKENS} tokens",
        "score": "weighed slices and words, each with its nearest, the mean of both ways",
    },
)
