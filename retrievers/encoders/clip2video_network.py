"""CLIP2Video's network: two vectors of a video and two of a text (arXiv 2106.11097).

The names of the weights are those of the public checkpoints (CryhanFang/CLIP2Video).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from retrievers.encoders.clip_frames import (
    FrameTransformer,
    clip_network,
    frame_vectors,
    mean_of_shown,
    shown,
    token_vectors,
    vectors_at_end,
)
from retrievers.encoders.openclip_models import Config


@dataclass(frozen=True)
class Blocks:
    """Sizes of what CLIP2Video adds to CLIP.

    layers   of the transformer over frames and differences
    centres  to which frames and words are aligned
    """

    layers: int
    centres: int


PUBLISHED = Blocks(layers=4, centres=5)


class Clip2Video(nn.Module):
    """CLIP with a temporal difference block (TDB) and a temporal alignment block (TAB).

    Each side has a vector of either block, both of length 1, one behind the other: the cosine of
    two such rows is the mean of the two cosines, which is the published score.
    """

    def __init__(self, clip: Config, blocks: Blocks) -> None:
        super().__init__()
        width, heads = clip["embed_dim"], clip["text_cfg"]["heads"]
        self.clip = clip_network(clip)
        self.frame_position_embeddings = nn.Embedding(clip["text_cfg"]["context_length"], width)
        self.type_position_embeddings = nn.Embedding(2, width)
        self.frame2t_attention = FrameTransformer(width, 1, heads)
        self.trans_layernorm = nn.LayerNorm(width)
        self.transformerClip = FrameTransformer(width, blocks.layers, heads)
        self.actionClip = FrameTransformer(width, 1, heads)
        self.weight_center = nn.Parameter(torch.randn(blocks.centres, width) / 8)
        self.emb_center = nn.Parameter(torch.randn(blocks.centres, width) / 8)

    def encode_videos(self, frames: Tensor) -> Tensor:
        """[videos, 2 * dim] of frames [videos, count, 3, side, side]; zeros are padding."""
        seen = shown(frames)
        vectors = frame_vectors(self.clip, frames)
        changed = self._with_differences(vectors, seen, self.transformerClip)
        whole = mean_of_shown(functional.normalize(changed, dim=2), seen)
        every_other, seen_of_those = vectors[:, ::2], seen[:, ::2]
        slow = self._with_differences(every_other, seen_of_those, self.actionClip)
        aligned = self._aligned(
            torch.cat([vectors, slow], dim=1), torch.cat([seen, seen_of_those], dim=1)
        )
        return _side_by_side(whole, aligned)

    def encode_texts(self, tokens: Tensor) -> Tensor:
        """[texts, 2 * dim] of token numbers [texts, length]."""
        vectors = token_vectors(self.clip, tokens)
        aligned = self._aligned(vectors, _words(tokens))
        return _side_by_side(vectors_at_end(vectors, tokens), aligned)

    def _with_differences(
        self, vectors: Tensor, seen: Tensor, transformer: FrameTransformer
    ) -> Tensor:
        """[videos, count, dim] of the same, each joined with what changed around it.

        Between two frames the transformer is shown their difference, at the place of the first.
        The difference to the padding behind the last frame is among them, as in the public code.
        """
        places = self.frame_position_embeddings.weight[: vectors.shape[1]]
        of_difference, of_frame = self.type_position_embeddings.weight
        change = vectors[:, 1:] - vectors[:, :-1] + places[1:]
        change = self.trans_layernorm(self.frame2t_attention(change, seen[:, 1:]))
        both = torch.stack(
            [
                vectors + places + of_frame,
                functional.pad(2 * change.sigmoid() - 1, (0, 0, 0, 1)) + places + of_difference,
            ],
            dim=2,
        )
        tokens, seen_tokens = both.flatten(1, 2)[:, :-1], seen.repeat_interleave(2, dim=1)[:, :-1]
        joined: Tensor = transformer(tokens, seen_tokens)
        return vectors + joined[:, ::2]

    def _aligned(self, vectors: Tensor, seen: Tensor) -> Tensor:
        """[n, dim] of vectors [n, length, dim]: what they differ in from each centre (VLAD)."""
        nearness = (vectors @ self.weight_center.T).softmax(dim=2) * seen[:, :, None]
        summed = torch.einsum("nlc,nld->ncd", nearness, vectors)
        rest = summed - nearness.sum(dim=1)[:, :, None] * self.emb_center
        return functional.normalize(rest, dim=2).mean(dim=1)


def _words(tokens: Tensor) -> Tensor:
    """bool [texts, length]: the tokens behind the first, up to the last that ends a text."""
    length = tokens.shape[1]
    end = length - 1 - tokens.flip(1).argmax(dim=1, keepdim=True)
    place = torch.arange(length, device=tokens.device)
    return (place > 0) & (place <= end)


def _side_by_side(one: Tensor, other: Tensor) -> Tensor:
    return torch.cat([functional.normalize(one, dim=1), functional.normalize(other, dim=1)], dim=1)
