"""Coarse and fine fusion of all encoder layers (section 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cart.config import ModelConfig


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[..., length, width] -> [..., heads, length, width / heads]"""
    return x.unflatten(-1, (heads, -1)).transpose(-2, -3)


def join_heads(x: Tensor) -> Tensor:
    """[..., heads, length, head width] -> [..., length, width]"""
    return x.transpose(-2, -3).flatten(-2)


class Memory(nn.Module):
    """What the decoder reads: Z of equation 2, then E_1 .. E_S, or E_S alone without fusion."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        layers = config.encoder_layers
        self.coarse = config.coarse_gate != "off"
        self.fine = config.fine_fusion
        self.norms = nn.ModuleList(nn.LayerNorm(config.width) for _ in range(layers))
        self.concatenated = nn.Linear(layers * config.width, config.width) if self.coarse else None

    @property
    def count(self) -> int:
        """How many memories there are: S + 1 with both branches."""
        fine = len(self.norms) if self.fine else 0
        return max(int(self.coarse) + fine, 1)

    def forward(self, layers: list[Tensor]) -> Tensor:
        """Memories [batch, count, length, width] of E_1 .. E_S, each [batch, length, width]."""
        outputs = [norm(layer) for norm, layer in zip(self.norms, layers, strict=True)]
        memories = []
        if self.concatenated is not None:
            memories.append(self.concatenated(torch.cat(outputs, dim=-1)))
        if self.fine:
            memories += outputs
        return torch.stack(memories or outputs[-1:], dim=1)


class Fusion(nn.Module):
    """The decoder's cross-attention over all memories, gated and summed.

    One set of W_q, W_k, W_v serves every memory of a layer. Without either branch it is plain
    cross-attention to E_S.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, self.layers = config.width, config.encoder_layers
        self.heads, self.dropout = config.heads, config.dropout
        self.coarse_gate, self.fine = config.coarse_gate, config.fine_fusion
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)
        if self.fine:
            self.weight_of_input = nn.Linear(width, self.layers * width)
            self.weight_of_context = nn.Parameter(torch.empty(self.layers, width, width))
            for weight in self.weight_of_context.data:
                nn.init.xavier_uniform_(weight)

    def project(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [batch, count, heads, length, head width] of the memories.

        They do not depend on the decoder and serve every beam and every step of a search.
        """
        key, value = self.key_value(memory).chunk(2, dim=-1)
        return split_heads(key, self.heads), split_heads(value, self.heads)

    def forward(self, y: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """Equations 3-5.

        y     [batch, positions, width]: decoder positions in training, beams in a search
        mask  bool [batch, 1, 1, 1, length], True at the query's real tokens
        """
        count = key.shape[1]
        query = split_heads(self.query(y), self.heads).unsqueeze(1)
        attended = F.scaled_dot_product_attention(
            query.expand(-1, count, -1, -1, -1),
            key,
            value,
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
        )
        context = self.output(join_heads(attended))
        if self.coarse_gate == "off" and not self.fine:
            return context.squeeze(1)
        fused = torch.zeros_like(y)
        if self.coarse_gate != "off":
            fused = fused + self._coarse(context[:, 0])
        if self.fine:
            fused = fused + self._fine(y, context[:, -self.layers :])
        return fused

    def _coarse(self, context: Tensor) -> Tensor:
        """Equation 3: G = sigmoid(C) / S as printed, or C * sigmoid(C) / S as the text says."""
        gate = torch.sigmoid(context) / self.layers
        return gate if self.coarse_gate == "sigmoid" else context * gate

    def _fine(self, y: Tensor, context: Tensor) -> Tensor:
        """Equations 4 and 5. context [batch, S, positions, width]; W_i acts on [Y, C(Y, E_i)],
        so it is the sum of one part for each."""
        of_input = self.weight_of_input(y).unflatten(-1, (self.layers, -1)).transpose(1, 2)
        of_context = torch.einsum("bspd,sde->bspe", context, self.weight_of_context)
        return (torch.sigmoid(of_input + of_context) * context).sum(dim=1)
