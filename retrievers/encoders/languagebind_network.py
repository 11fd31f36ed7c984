"""LanguageBind's network: a CLIP whose vision layers may also attend along the frames of a video.

Written from the paper (Zhu et al., ICLR 2024, arXiv 2310.01852) in the released layout of names.
The authors' code stands on inner layers of the package transformers 4.30. Those of transformers 5
take the causal mask of its text tower and silently ignore it, so nothing is built on them here.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from retrievers.encoders.languagebind_config import (
    CONTEXT,
    WORDS,
    Activation,
    Config,
    Stack,
)


def _quick_gelu(values: Tensor) -> Tensor:
    return values * torch.sigmoid(1.702 * values)


_ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "quick_gelu": _quick_gelu,
}


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, hidden: Tensor, causal: bool) -> Tensor:
        """[batch, tokens, width]; where ``causal``, no token sees those behind it."""
        query, key, value = (
            project(hidden).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=causal)
        mixed: Tensor = self.out_proj(seen.transpose(1, 2).flatten(2))
        return mixed


class FeedForward(nn.Module):
    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.activation = _ACTIVATIONS[stack.activation]
        self.fc1 = nn.Linear(stack.width, stack.inner)
        self.fc2 = nn.Linear(stack.inner, stack.width)

    def forward(self, hidden: Tensor) -> Tensor:
        out: Tensor = self.fc2(self.activation(self.fc1(hidden)))
        return out


class Layer(nn.Module):
    """A layer of CLIP; with ``frames``, attention along the frames comes before it."""

    def __init__(self, stack: Stack, frames: int = 0) -> None:
        super().__init__()
        self.frames = frames
        self.self_attn = Attention(stack.width, stack.heads)
        self.layer_norm1 = nn.LayerNorm(stack.width, eps=stack.epsilon)
        self.mlp = FeedForward(stack)
        self.layer_norm2 = nn.LayerNorm(stack.width, eps=stack.epsilon)
        if frames:
            drawn = torch.randn(1, frames, stack.width) * stack.width**-0.5
            self.temporal_embedding = nn.Parameter(drawn)
            self.temporal_attn = Attention(stack.width, stack.heads)
            self.temporal_layer_norm1 = nn.LayerNorm(stack.width, eps=stack.epsilon)

    def forward(self, hidden: Tensor, causal: bool) -> Tensor:
        """[batch, tokens, width], the frames of a video one behind the other in the batch."""
        if self.frames:
            hidden = self._along_frames(hidden)
        hidden = hidden + self.self_attn(self.layer_norm1(hidden), causal)
        out: Tensor = hidden + self.mlp(self.layer_norm2(hidden))
        return out

    def _along_frames(self, hidden: Tensor) -> Tensor:
        videos = hidden.unflatten(0, (-1, self.frames)).transpose(1, 2)
        timed = videos + self.temporal_embedding
        rows = self.temporal_layer_norm1(timed).flatten(0, 1)
        mixed = timed + self.temporal_attn(rows, causal=False).view_as(timed)
        return mixed.transpose(1, 2).flatten(0, 1)


class Encoder(nn.Module):
    def __init__(self, stack: Stack, frames: int = 0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(stack, frames) for _ in range(stack.layers))

    def forward(self, hidden: Tensor, causal: bool) -> Tensor:
        for layer in self.layers:
            hidden = layer(hidden, causal)
        return hidden


class PatchEmbeddings(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        width, patch = config.vision.width, config.patch
        self.class_embedding = nn.Parameter(torch.randn(width) * width**-0.5)
        self.patch_embedding = nn.Conv2d(3, width, patch, stride=patch, bias=False)
        self.position_embedding = nn.Embedding(config.positions, width)

    def forward(self, pixels: Tensor) -> Tensor:
        """[pictures, positions, width]"""
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(pixels), 1, -1)
        embedded: Tensor = torch.cat([first, patches], dim=1) + self.position_embedding.weight
        return embedded


class VisionTower(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        width, epsilon = config.vision.width, config.vision.epsilon
        self.embeddings = PatchEmbeddings(config)
        # The released weights spell it so.
        self.pre_layrnorm = nn.LayerNorm(width, eps=epsilon)
        self.encoder = Encoder(config.vision, config.frames)
        self.post_layernorm = nn.LayerNorm(width, eps=epsilon)

    def forward(self, pixels: Tensor) -> Tensor:
        """[things, width] of [things, frames, 3, height, width]: the mean over the frames."""
        hidden = self.pre_layrnorm(self.embeddings(pixels.flatten(0, 1)))
        first = self.encoder(hidden, causal=False)[:, 0]
        pooled: Tensor = self.post_layernorm(first).unflatten(0, pixels.shape[:2]).mean(dim=1)
        return pooled


class TextEmbeddings(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(WORDS, config.text.width)
        self.position_embedding = nn.Embedding(CONTEXT, config.text.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[texts, tokens, width]"""
        places = self.position_embedding.weight[: tokens.shape[1]]
        embedded: Tensor = self.token_embedding(tokens) + places
        return embedded


class TextTower(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.embeddings = TextEmbeddings(config)
        self.encoder = Encoder(config.text)
        self.final_layer_norm = nn.LayerNorm(config.text.width, eps=config.text.epsilon)

    def hidden(self, tokens: Tensor) -> Tensor:
        """[texts, tokens, width]: no token has seen those behind it."""
        normed: Tensor = self.final_layer_norm(self.encoder(self.embeddings(tokens), causal=True))
        return normed

    def forward(self, tokens: Tensor) -> Tensor:
        """[texts, width]: where the text ends, which is the first token of the highest number."""
        ends = tokens.argmax(dim=1)
        return self.hidden(tokens)[torch.arange(len(tokens), device=tokens.device), ends]


class LanguageBind(nn.Module):
    """Both towers, and their projections into the space that they share."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.text_model = TextTower(config)
        self.vision_model = VisionTower(config)
        self.visual_projection = nn.Linear(config.vision.width, config.dim, bias=False)
        self.text_projection = nn.Linear(config.text.width, config.dim, bias=False)
        # Of the training's loss: a ranking does not depend on it.
        self.logit_scale = nn.Parameter(torch.tensor(2.6592))

    def encode_items(self, pixels: Tensor) -> Tensor:
        """[things, dim] of [things, frames, 3, height, width]; not normalised."""
        projected: Tensor = self.visual_projection(self.vision_model(pixels))
        return projected

    def encode_texts(self, tokens: Tensor) -> Tensor:
        """[texts, dim] of token numbers [texts, tokens]; not normalised."""
        projected: Tensor = self.text_projection(self.text_model(tokens))
        return projected
