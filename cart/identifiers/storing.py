"""Quantizers read back from what a file keeps of them, which is not believed unseen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from cart.config import IdentifierConfig
from cart.identifiers.controls import RandomCodes, ShuffledCodes
from cart.identifiers.kmeans_tree import KMeansTree, Layer
from cart.identifiers.quantizers import Quantizers
from cart.identifiers.residual import CoarseFine, Fine, RQVAEAlone
from cart.identifiers.rqvae import RQVAE

State = Mapping[str, Tensor]


def restored(config: IdentifierConfig, state: State) -> Quantizers:
    """The quantizers whose ``state()`` this was, on the device of its tensors.

    Raises ValueError where it is not the state of quantizers of this config.
    """
    try:
        return _restored(config, state)
    except (KeyError, RuntimeError, IndexError) as problem:
        raise ValueError(f"no {config.scheme} codebooks as configured: {problem}") from problem


def _restored(config: IdentifierConfig, state: State) -> Quantizers:
    if config.scheme == "random":
        return RandomCodes(config.sizes, int(state["seed"]))
    if config.scheme == "shuffled":
        return _shuffled(config.sizes, state)
    if config.scheme == "rq-vae":
        return RQVAEAlone(state["mean"], _fine(config, config.sizes, len(state["mean"]), state))
    if config.is_tree:
        return _tree(config.sizes, state)
    centres = state["centres"]
    _require(0 < len(centres) <= config.coarse_size, "more coarse clusters, or none")
    return CoarseFine(centres, _fine(config, config.sizes[1:], centres.shape[1], state))


def _fine(config: IdentifierConfig, sizes: tuple[int, ...], dim: int, state: State) -> Fine:
    network = {
        name.removeprefix("rqvae."): one for name, one in state.items() if name.startswith("rqvae.")
    }
    rqvae = RQVAE(dim, sizes, config).to(state["scale"].device)
    rqvae.load_state_dict(network)
    return Fine(float(state["scale"]), rqvae.eval())


def _tree(sizes: tuple[int, ...], state: State) -> KMeansTree:
    layers: list[Layer] = []
    parents = 1
    for level, most in enumerate(sizes):
        centres, starts = (state[f"{name}.{level}"].cpu().numpy() for name in ("centres", "starts"))
        children = np.diff(starts)
        _require(len(children) == parents, "nodes without a parent")
        _require(bool(((children > 0) & (children <= most)).all()), "too many children, or none")
        _require(starts[0] == 0 and starts[-1] == len(centres), "nodes without a centre")
        layers.append(Layer(centres, starts))
        parents = len(centres)
    return KMeansTree(sizes, tuple(layers))


def _shuffled(sizes: tuple[int, ...], state: State) -> ShuffledCodes:
    numbers, prefixes = state["numbers"].cpu().numpy(), state["prefixes"].cpu().numpy()
    _require(0 < len(numbers) == len(prefixes), "prefixes that are no item's, or none")
    _require(bool((np.diff(numbers) > 0).all()), "items in disorder")
    known = (prefixes >= 0) & (prefixes < np.array(sizes))
    _require(bool(known.all()), "codes beyond their sizes")
    return ShuffledCodes(sizes, int(state["seed"]), numbers, prefixes)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(f"codebooks that are not as configured: {otherwise}")
