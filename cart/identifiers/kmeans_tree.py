"""``w/o RQ-VAE``: clusters of clusters, whose path is the identifier (section 4.3.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cart.identifiers.kmeans import kmeans
from cart.identifiers.quantizers import FloatArray, IntArray, by_blocks, nearest, tensor
from cart.monitor import Monitor


@dataclass(frozen=True)
class Layer:
    """The nodes of one level, those of the same parent together.

    centres  [nodes, dim]
    starts   int64 [parents + 1]; parent p's children are the nodes starts[p] .. starts[p + 1]
    """

    centres: Tensor
    starts: Tensor

    def children(self, x: Tensor, parents: Tensor) -> Tensor:
        """The nearest child [n] of each parent [n] to each of x [n, dim]."""
        begin = self.starts[parents]
        found = begin.clone()
        undecided = torch.nonzero(self.starts[parents + 1] - begin > 1).flatten()
        ordered, order = parents[undecided].sort()
        different, counts = ordered.unique_consecutive(return_counts=True)
        groups = undecided[order].split(counts.tolist())
        for parent, rows in zip(different.tolist(), groups, strict=True):
            own = slice(int(self.starts[parent]), int(self.starts[parent + 1]))
            found[rows] += nearest(x[rows], self.centres[own])
        return found


@dataclass(frozen=True)
class KMeansTree:
    """A tree of k-means clusters; the child that is taken at each node is a code.

    branches  most children of a node of each level
    """

    branches: tuple[int, ...]
    layers: tuple[Layer, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.branches

    def codes(self, embeddings: FloatArray) -> IntArray:
        def of_block(x: Tensor) -> Tensor:
            nodes = torch.zeros(len(x), dtype=torch.int64, device=x.device)
            codes = []
            for layer in self.layers:
                children = layer.children(x, nodes)
                codes.append(children - layer.starts[nodes])
                nodes = children
            return torch.stack(codes, dim=1)

        return by_blocks(embeddings, of_block, self.layers[0].centres)

    def rebuilt(self, codes: IntArray) -> FloatArray:
        def of_block(block: Tensor) -> Tensor:
            nodes = torch.zeros(len(block), dtype=torch.int64, device=block.device)
            for layer, code in zip(self.layers, block.T, strict=True):
                nodes = layer.starts[nodes] + code
            return self.layers[-1].centres[nodes]

        return by_blocks(codes, of_block, self.layers[0].centres)

    def state(self) -> Mapping[str, Tensor]:
        return {
            f"{name}.{level}": one
            for level, layer in enumerate(self.layers)
            for name, one in (("centres", layer.centres), ("starts", layer.starts))
        }


def fit_tree(
    embeddings: FloatArray,
    branches: Sequence[int],
    seed: int,
    device: str,
    monitor: Monitor | None = None,
) -> KMeansTree:
    """Part embeddings [n, dim] into ``branches[0]`` clusters, each of these again, and so on.

    A node of no more different items than branches has a child for each. The last level holds no
    more centres than there are items.
    """
    groups = [np.arange(len(embeddings))]
    layers = []
    for level, most in enumerate(branches):
        centres, counts, parted = [], [0], []
        for rows in groups:
            found, labels = kmeans(embeddings[rows], most, seed)
            order = np.argsort(labels, kind="stable")
            ends = np.cumsum(np.bincount(labels, minlength=len(found)))[:-1]
            parted += np.split(rows[order], ends)
            centres.append(found)
            counts.append(len(found))
        layers.append(
            Layer(
                tensor(np.concatenate(centres)).to(device),
                torch.from_numpy(np.cumsum(counts)).to(device),
            )
        )
        groups = parted
        if monitor is not None:
            monitor("identifiers", level + 1, len(branches))
    return KMeansTree(tuple(branches), tuple(layers))
