"""The network of ImageBind (Girdhar et al. 2023) for what is seen, heard and read.

Written here from what the paper and the released weights tell. Three transformers with
normalisation before each step end in one space. The released weights hold three more, for depth,
heat and motion, which no dataset here has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_EPS = 1e-6
# Frames and pixels of a patch of a clip; bands and moments of a patch of sound, and their shift.
_CLIP_PATCH = (2, 14, 14)
_SOUND_PATCH, _SOUND_SHIFT = 16, 10


@dataclass(frozen=True)
class Trunk:
    """The size of one transformer."""

    width: int
    layers: int
    heads: int


@dataclass(frozen=True)
class Config:
    """The sizes of a whole network.

    dim     of the common space
    side    height and width of a picture, and of a frame
    mels    bands of a sound, at ``frames`` moments
    """

    dim: int
    vision: Trunk
    audio: Trunk
    text: Trunk
    side: int = 224
    mels: int = 128
    frames: int = 204
    vocabulary: int = 49_408
    context: int = 77


HUGE = Config(
    dim=1024,
    vision=Trunk(width=1280, layers=32, heads=16),
    audio=Trunk(width=768, layers=12, heads=12),
    text=Trunk(width=1024, layers=24, heads=16),
)


class Block(nn.Module):
    """Attention and a layer four times as wide, each normalised before and added.

    ``bias_kv`` adds one learnt key and value to those that are attended to.
    """

    def __init__(self, width: int, heads: int, bias_kv: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=_EPS)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True, add_bias_kv=bias_kv)
        self.norm2 = nn.LayerNorm(width, eps=_EPS)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor, hidden: Tensor | None = None) -> Tensor:
        """[batch, tokens, width]; ``hidden`` [tokens, tokens] is True where none may look."""
        one = self.norm1(tokens)
        attended, _ = self.attention(one, one, one, attn_mask=hidden, need_weights=False)
        tokens = tokens + attended
        return tokens + self.narrow(F.gelu(self.widen(self.norm2(tokens))))


class PatchTower(nn.Module):
    """Patches behind a class token, whose last state is the vector."""

    def __init__(
        self,
        trunk: Trunk,
        dim: int,
        convolution: nn.Module,
        patches: int,
        patch_norm: nn.Module,
        token_norm: nn.Module,
        bias_kv: bool,
    ) -> None:
        super().__init__()
        scale = trunk.width**-0.5
        self.convolution = convolution
        self.patch_norm = patch_norm
        self.class_token = nn.Parameter(scale * torch.randn(1, 1, trunk.width))
        self.positions = nn.Parameter(scale * torch.randn(1, 1 + patches, trunk.width))
        self.token_norm = token_norm
        self.blocks = _blocks(trunk, bias_kv)
        self.norm = nn.LayerNorm(trunk.width, eps=_EPS)
        self.projection = nn.Linear(trunk.width, dim, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """[batch, dim] of what the convolution takes, of any length."""
        patches = self.patch_norm(self.convolution(inputs).flatten(2).transpose(1, 2))
        tokens = torch.cat((self.class_token.expand(len(inputs), -1, -1), patches), dim=1)
        tokens = self.token_norm(tokens + self.positions)
        for block in self.blocks:
            tokens = block(tokens)
        return self.projection(self.norm(tokens[:, 0]))


class TextTower(nn.Module):
    """Tokens that see none behind them; the state of the end-of-text token is the vector."""

    def __init__(self, trunk: Trunk, dim: int, vocabulary: int, context: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, trunk.width)
        self.positions = nn.Parameter(0.01 * torch.randn(1, context, trunk.width))
        self.blocks = _blocks(trunk, bias_kv=False)
        self.norm = nn.LayerNorm(trunk.width, eps=_EPS)
        self.projection = nn.Linear(trunk.width, dim, bias=False)

    def forward(self, numbers: Tensor) -> Tensor:
        """[batch, dim], of any length, of token numbers [batch, context].

        The end-of-text token is the one of the highest number.
        """
        context = numbers.shape[1]
        behind = torch.ones(context, context, dtype=torch.bool, device=numbers.device).triu(1)
        tokens = self.tokens(numbers) + self.positions
        for block in self.blocks:
            tokens = block(tokens, behind)
        ends = tokens[torch.arange(len(numbers), device=numbers.device), numbers.argmax(dim=1)]
        return self.projection(self.norm(ends))


class ImageBind(nn.Module):
    """The three towers.

    vision  pairs of frames [batch, 3, 2, side, side]; a picture is shown twice
    audio   log-mel bands [batch, 1, mels, frames]
    text    token numbers [batch, context]
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        vision, audio = config.vision, config.audio
        self.vision = PatchTower(
            vision,
            config.dim,
            nn.Conv3d(3, vision.width, _CLIP_PATCH, stride=_CLIP_PATCH, bias=False),
            patches=(config.side // _CLIP_PATCH[1]) ** 2,
            patch_norm=nn.Identity(),
            token_norm=nn.LayerNorm(vision.width, eps=_EPS),
            bias_kv=False,
        )
        self.audio = PatchTower(
            audio,
            config.dim,
            nn.Conv2d(1, audio.width, _SOUND_PATCH, stride=_SOUND_SHIFT, bias=False),
            patches=_steps(config.mels) * _steps(config.frames),
            patch_norm=nn.LayerNorm(audio.width),
            token_norm=nn.Identity(),
            bias_kv=True,
        )
        self.text = TextTower(config.text, config.dim, config.vocabulary, config.context)


def _blocks(trunk: Trunk, bias_kv: bool) -> nn.ModuleList:
    return nn.ModuleList(Block(trunk.width, trunk.heads, bias_kv) for _ in range(trunk.layers))


def _steps(length: int) -> int:
    return (length - _SOUND_PATCH) // _SOUND_SHIFT + 1


# Of the released layout: what is left out, and what is called otherwise here. The scales are
# constants by which all vectors of a kind are multiplied; the mask follows from the context.
_LEFT_OUT = re.compile(
    r"modality_\w+\.(depth|thermal|imu)\.|modality_postprocessors\.|"
    r"modality_preprocessors\.text\.mask$"
)
_CALLED = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"^modality_preprocessors\.(vision|audio)\.cls_token$", r"\1.class_token"),
        (r"^modality_preprocessors\.vision\.rgbt_stem\.proj\.1\.", "vision.convolution."),
        (r"^modality_preprocessors\.audio\.rgbt_stem\.proj\.", "audio.convolution."),
        (r"^modality_preprocessors\.audio\.rgbt_stem\.norm_layer\.", "audio.patch_norm."),
        (r"^modality_preprocessors\.(\w+)\.(pos_embedding_helper\.)?pos_embed$", r"\1.positions"),
        (r"^modality_preprocessors\.text\.token_embedding\.", "text.tokens."),
        (r"^modality_trunks\.vision\.pre_transformer_layer\.0\.", "vision.token_norm."),
        (r"^modality_trunks\.(\w+)\.blocks\.", r"\1.blocks."),
        (r"^modality_heads\.(vision|audio)\.0\.", r"\1.norm."),
        (r"^modality_heads\.(vision|audio)\.2\.", r"\1.projection."),
        (r"^modality_heads\.text\.proj\.0\.", "text.norm."),
        (r"^modality_heads\.text\.proj\.1\.", "text.projection."),
        (r"\.attn\.", ".attention."),
        (r"\.norm_([12])\.", r".norm\1."),
        (r"\.mlp\.fc1\.", ".widen."),
        (r"\.mlp\.fc2\.", ".narrow."),
    )
)


def renamed(name: str) -> str | None:
    """The name here of a tensor of the released weights, None for one that is not needed."""
    if _LEFT_OUT.match(name):
        return None
    for pattern, new in _CALLED:
        name = pattern.sub(new, name)
    return name
