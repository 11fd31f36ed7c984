"""``w/o RQ-VAE``: clusters of clusters, whose path is the identifier (section 4.3.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from cart.identifiers.kmeans import kmeans
from cart.identifiers.quantizers import FloatArray, IntArray
from cart.monitor import Monitor


@dataclass(frozen=True)
class Layer:
    """The nodes of one level, those of the same parent together.

    centres  [nodes, dim]
    starts   [parents + 1]; parent p's children are the nodes starts[p] .. starts[p + 1]
    """

    centres: FloatArray
    starts: IntArray

    def nearest_children(self, x: FloatArray, parents: IntArray) -> IntArray:
        """The child [n] of each parent [n] that is nearest to each of x [n, dim]."""
        found = self.starts[parents]
        undecided = np.flatnonzero(self.starts[parents + 1] - found > 1)
        order = undecided[np.argsort(parents[undecided], kind="stable")]
        different, first = np.unique(parents[order], return_index=True)
        # Many parents of few children each: small products take NumPy less time than torch.
        for parent, run in zip(different, pairwise([*first, len(order)]), strict=True):
            rows = order[slice(*run)]
            own = self.centres[self.starts[parent] : self.starts[parent + 1]]
            distances = np.square(own).sum(axis=1) - 2 * x[rows] @ own.T
            found[rows] += distances.argmin(axis=1)
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
        nodes = np.zeros(len(embeddings), dtype=np.int64)
        codes = np.empty((len(embeddings), len(self.layers)), dtype=np.int64)
        for level, layer in enumerate(self.layers):
            children = layer.nearest_children(embeddings, nodes)
            codes[:, level] = children - layer.starts[nodes]
            nodes = children
        return codes

    def rebuilt(self, codes: IntArray) -> FloatArray:
        nodes = np.zeros(len(codes), dtype=np.int64)
        for layer, code in zip(self.layers, codes.T, strict=True):
            nodes = layer.starts[nodes] + code
        return self.layers[-1].centres[nodes]

    def state(self) -> Mapping[str, Tensor]:
        return {
            f"{name}.{level}": torch.from_numpy(one)
            for level, layer in enumerate(self.layers)
            for name, one in (("centres", layer.centres), ("starts", layer.starts))
        }


def fit_tree(
    embeddings: FloatArray, branches: Sequence[int], seed: int, monitor: Monitor | None = None
) -> KMeansTree:
    """Part embeddings [n, dim] into ``branches[0]`` clusters, each of these again, and so on.

    A node of no more different items than branches has a child for each. The last level holds no
    more centres than there are items.
    """
    groups = [np.arange(len(embeddings))]
    layers = []
    for level, most in enumerate(branches):
        centres: list[FloatArray] = []
        parted: list[IntArray] = []
        for rows in groups:
            found, labels = kmeans(embeddings[rows], most, seed)
            ends = np.cumsum(np.bincount(labels))[:-1]
            parted += np.split(rows[np.argsort(labels, kind="stable")], ends)
            centres.append(found)
        starts = np.cumsum([0, *map(len, centres)])
        layers.append(Layer(np.concatenate(centres), starts))
        groups = parted
        if monitor is not None:
            monitor("identifiers", level + 1, len(branches))
    return KMeansTree(tuple(branches), tuple(layers))
