"""Identifiers from an RQ-VAE: behind coarse clusters, as CART has it, and alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from cart.identifiers.quantizers import FloatArray, IntArray, by_blocks, nearest
from cart.identifiers.rqvae import RQVAE


@dataclass(frozen=True)
class Fine:
    """An RQ-VAE, and the scale at which it was trained.

    scale  root mean square of the vectors, which the RQ-VAE sees at unit scale
    """

    scale: float
    rqvae: RQVAE

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(codebook) for codebook in self.rqvae.codebooks)

    def codes(self, x: Tensor) -> Tensor:
        """[n, codebooks] of vectors x [n, dim]."""
        return self.rqvae.codes(x / self.scale)

    def rebuilt(self, codes: Tensor) -> Tensor:
        """Vectors [n, dim] of codes [n, codebooks]."""
        return self.rqvae.rebuilt(codes) * self.scale

    def state(self) -> Mapping[str, Tensor]:
        network = {f"rqvae.{name}": one for name, one in self.rqvae.state_dict().items()}
        return {"scale": torch.tensor(self.scale, dtype=torch.float64), **network}


@dataclass(frozen=True)
class CoarseFine:
    """The scheme of the paper: a coarse cluster, then an RQ-VAE of what it leaves (section 3.2).

    centres  [K, dim], the coarse clusters
    fine     trained on the residuals
    """

    centres: Tensor
    fine: Fine

    @property
    def sizes(self) -> tuple[int, ...]:
        return (len(self.centres), *self.fine.sizes)

    def codes(self, embeddings: FloatArray) -> IntArray:
        def of_block(x: Tensor) -> Tensor:
            coarse = nearest(x, self.centres)
            fine = self.fine.codes(x - self.centres[coarse])
            return torch.cat([coarse[:, None], fine], dim=1)

        return by_blocks(embeddings, of_block, self.centres)

    def rebuilt(self, codes: IntArray) -> FloatArray:
        def of_block(block: Tensor) -> Tensor:
            return self.centres[block[:, 0]] + self.fine.rebuilt(block[:, 1:])

        return by_blocks(codes, of_block, self.centres)

    def last_distances(self, embeddings: FloatArray) -> FloatArray:
        def of_block(x: Tensor) -> Tensor:
            residual = x - self.centres[nearest(x, self.centres)]
            return self.fine.rqvae.last_distances(residual / self.fine.scale)

        return by_blocks(embeddings, of_block, self.centres)

    def state(self) -> Mapping[str, Tensor]:
        return {"centres": self.centres, **self.fine.state()}


@dataclass(frozen=True)
class RQVAEAlone:
    """``w/o K-Means``: an RQ-VAE of the embeddings themselves (section 4.3.5).

    Every code, the first too, is an entry of a residual codebook.

    mean  [dim], of the embeddings
    fine  trained on what differs from it
    """

    mean: Tensor
    fine: Fine

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.fine.sizes

    def codes(self, embeddings: FloatArray) -> IntArray:
        return by_blocks(embeddings, lambda x: self.fine.codes(x - self.mean), self.mean)

    def rebuilt(self, codes: IntArray) -> FloatArray:
        return by_blocks(codes, lambda block: self.mean + self.fine.rebuilt(block), self.mean)

    def last_distances(self, embeddings: FloatArray) -> FloatArray:
        def of_block(x: Tensor) -> Tensor:
            return self.fine.rqvae.last_distances((x - self.mean) / self.fine.scale)

        return by_blocks(embeddings, of_block, self.mean)

    def state(self) -> Mapping[str, Tensor]:
        return {"mean": self.mean, **self.fine.state()}
