"""How ONE-PEACE hears: convolutions over samples, and positions told by convolutions over those.

The stack is that of wav2vec 2.0 with a normalisation in each layer.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

# Kernel and stride of each layer: 320 samples a step.
_LAYERS = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))


class Hearing(nn.Sequential):
    """[sounds, steps, width] of samples [sounds, samples]."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(
            _Convolutions(channels), _Turned(), nn.LayerNorm(channels), nn.Linear(channels, width)
        )


class HeardPositions(nn.Sequential):
    """[sounds, steps, width] that tell where each step stands among its neighbours."""

    def __init__(self, width: int, depth: int, kernel: int, groups: int) -> None:
        layers = (
            nn.Sequential(
                nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=groups),
                nn.Identity(),
                _Turned(),
                nn.LayerNorm(width, elementwise_affine=False),
                _Turned(),
                nn.GELU(),
            )
            for _ in range(depth)
        )
        super().__init__(_Turned(), *layers, _Turned())


class _Convolutions(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_layers = nn.ModuleList(self._layers(channels))

    def forward(self, samples: Tensor) -> Tensor:
        heard = samples.unsqueeze(1)
        for layer in self.conv_layers:
            heard = layer(heard)
        return heard

    @staticmethod
    def _layers(channels: int) -> Iterator[nn.Module]:
        for number, (kernel, stride) in enumerate(_LAYERS):
            yield nn.Sequential(
                nn.Conv1d(channels if number else 1, channels, kernel, stride, bias=False),
                nn.Identity(),
                nn.Sequential(_Turned(), nn.LayerNorm(channels), _Turned()),
                nn.GELU(),
            )


class _Turned(nn.Module):
    """Steps and channels change places."""

    def forward(self, states: Tensor) -> Tensor:
        return torch.transpose(states, 1, 2)
