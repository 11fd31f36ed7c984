"""HTSAT, the audio network of CLAP and of HTSAT-BERT: what it hears, and how its files name it.

It is a Swin transformer over a log-mel spectrogram that is folded into a square picture (Chen et
al., ICASSP 2022). transformers has the network as ``ClapAudioModel``, with queries, keys and values
apart and names of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from datasets.base import Item, SampleArray
from datasets.media.sampling import WindowSampling
from datasets.media.sounds import load_windows
from datasets.ordered_pool import ordered_map
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights.report import CheckpointError
from retrievers.weights.states import State

# Energies below this are silence, -100 decibels.
_LEAST_ENERGY = 1e-10
# The front end, which is computed here, and the head that tells AudioSet's classes apart.
_LEFT_OUT = (
    "spectrogram_extractor.",
    "logmel_extractor.",
    "audio_feats_extractor.",
    "tscam_conv.",
    "head.",
)
# Follow from the sizes of the network.
_COMPUTED = ("attn_mask", "relative_position_index", "position_ids", "token_type_ids")
_RENAMED = {
    "bn0.": "batch_norm.",
    ".norm1.": ".layernorm_before.",
    ".norm2.": ".layernorm_after.",
    ".attn.proj.": ".attention.output.dense.",
    ".attn.qkv.": ".attention.self.qkv.",
    ".attn.": ".attention.self.",
    ".mlp.fc1.": ".intermediate.dense.",
    ".mlp.fc2.": ".output.dense.",
}
_PARTS = ("query", "key", "value")

# [samples] and how many are wanted -> [wanted]; it is not given more than are wanted.
Fill = Callable[[SampleArray, int], SampleArray]


@dataclass(frozen=True)
class LogMel:
    """Decibels of the energy in each band, as torchlibrosa computes them for HTSAT.

    rate             samples a second
    points           of a Fourier transform, and the width of its Hann window
    hop              samples from one moment to the next; moments lie around their samples, and
                     the sound is mirrored at its ends
    lowest, highest  Hz that the bands of equal area span, on the mel scale of Slaney
    """

    rate: int
    hop: int
    points: int = 1024
    mels: int = 64
    lowest: float = 50.0
    highest: float = 14_000.0

    def of(self, samples: SampleArray) -> Tensor:
        """float32 [samples // hop + 1, mels] of [samples]."""
        spectrum = torch.stft(
            torch.from_numpy(samples),
            self.points,
            self.hop,
            window=torch.hann_window(self.points),
            pad_mode="reflect",
            return_complex=True,
        )
        energy = torch.view_as_real(spectrum).square().sum(-1).T @ mel_bands(self)
        return 10 * energy.clamp(min=_LEAST_ENERGY).log10()


@cache
def mel_bands(mel: LogMel) -> Tensor:
    """float32 [points // 2 + 1, mels]: how much each frequency counts in each band."""
    ensure_torchvision()
    from transformers.audio_utils import mel_filter_bank

    bands = mel_filter_bank(
        num_frequency_bins=mel.points // 2 + 1,
        num_mel_filters=mel.mels,
        min_frequency=mel.lowest,
        max_frequency=mel.highest,
        sampling_rate=mel.rate,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.from_numpy(bands.astype(np.float32))


# Of the tiny forms: a network of three stages, and a front end that fits it.
SMALL: Mapping[str, Any] = {
    "spec_size": 64,
    "num_mel_bins": 16,
    "window_size": 4,
    "patch_embeds_hidden_size": 8,
    "depths": [2, 2, 2],
    "num_attention_heads": [2, 2, 4],
    "hidden_size": 32,
}
SMALL_MEL = LogMel(16_000, 160, points=512, mels=16, highest=7_000)


@dataclass(frozen=True)
class Hearing:
    """How a sound becomes the input of HTSAT.

    seconds  that are heard: of a longer sound those in the middle, where published code takes
             them at random
    fill     makes a shorter sound that long
    """

    mel: LogMel
    seconds: float
    fill: Fill

    @property
    def told(self) -> str:
        """For the results."""
        return f"{self.mel.rate:,} Hz, {self.mel.mels} mel bands, the middle {self.seconds:g} s"

    def sounds(self, items: Sequence[Item]) -> Iterator[Tensor]:
        """float32 [1, moments, mels] of each, in order, prepared in threads. Raises MediaError."""
        return ordered_map(self.sound, items)

    def sound(self, item: Item) -> Tensor:
        """float32 [1, moments, mels]. Raises MediaError."""
        window = WindowSampling(self.mel.rate, self.seconds, place="middle", pad="nothing")
        heard = load_windows(item, window)[0][: window.samples]
        return self.mel.of(self.fill(heard, window.samples))[None]


def silence(heard: SampleArray, samples: int) -> SampleArray:
    """Silence follows the sound."""
    return np.pad(heard, (0, samples - len(heard)))


def whole_repeats(heard: SampleArray, samples: int) -> SampleArray:
    """The sound as often as it fits whole, then silence."""
    return silence(np.tile(heard, samples // len(heard)), samples)


def renamed_audio(state: Mapping[str, Tensor], prefix: str) -> State:
    """What lies under ``prefix``, as transformers' ``ClapAudioModel.audio_encoder`` names it."""
    found: State = {}
    for name, tensor in state.items():
        inner = name.removeprefix(prefix)
        if inner == name or inner.startswith(_LEFT_OUT) or is_computed(name):
            continue
        ours = _renamed(inner)
        if ".qkv." in ours:
            parts = zip(_PARTS, tensor.chunk(len(_PARTS)), strict=True)
            found |= {ours.replace("qkv", part): one for part, one in parts}
        else:
            found[ours] = tensor
    return found


def _renamed(name: str) -> str:
    rule = next((theirs for theirs in _RENAMED if theirs in name), None)
    return name.replace(rule, _RENAMED[rule], 1) if rule else name


def is_computed(name: str) -> bool:
    """Whether a tensor follows from the sizes of the network, so that none need be read."""
    return name.rpartition(".")[2] in _COMPUTED


def check_front_end(state: Mapping[str, Tensor], mel: LogMel, source: str) -> None:
    """Raises CheckpointError where a file brings other mel bands than those computed here."""
    ours = mel_bands(mel)
    for name, theirs in state.items():
        if not name.endswith("melW"):
            continue
        if theirs.shape != ours.shape or (theirs.float() - ours).abs().max() > 1e-3 * ours.max():
            raise CheckpointError(
                f"{source} was made with other mel bands ({name}) than {mel}: its rate or its "
                "range of pitches differs."
            )


def fill_computed(network: nn.Module) -> State:
    """Compute the buffers of a network built on the meta device; those that its state names."""
    module: Any
    for module in network.modules():
        if hasattr(module, "create_relative_position_index"):
            module.relative_position_index = module.create_relative_position_index()
        if hasattr(module, "position_ids"):
            places = module.position_ids.shape[1]
            module.position_ids = torch.arange(places)[None]
            module.token_type_ids = torch.zeros(1, places, dtype=torch.long)
    return {name: one for name, one in network.state_dict().items() if not one.is_meta}
