"""CART's search with its weights prepared once."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch

from cart.config import SearchConfig
from cart.engine.beams import Search, Step, at_once, beam_search, in_waves
from cart.engine.decoder import Decoder
from cart.engine.dense import held_bytes
from cart.engine.encoder import Encoder
from cart.engine.numbers import Numbers, activations
from cart.engine.packing import Packed, by_length, packed, padded
from cart.model import CartModel
from cart.prefix_tree import PrefixTree
from cart.search import QUERIES_AT_ONCE, Answer
from cart.tokenizer import pad


class Engine:
    """A model and the prefix tree of its gallery, ready to search.

    The same answers as ``cart.search.search`` gives, to a rounding in fp32. Weights are taken as
    they are now: after training, or with another gallery, make another. Raises ValueError where
    the device does not compute in ``numbers``.
    """

    def __init__(
        self,
        model: CartModel,
        tree: PrefixTree,
        config: SearchConfig,
        device: str = "cpu",
        numbers: Numbers = "fp32",
    ) -> None:
        self._tree, self._config, self._device = tree, config, device
        self._longest = model.config.max_tokens
        # An accelerator wants shapes that do not follow the data, and no answers on the way.
        self._step: Step = in_waves if torch.device(device).type == "cpu" else at_once
        dtype = activations(numbers, device)
        with torch.inference_mode():
            self._encoder = Encoder.of(model, numbers, dtype)
            self._decoder = Decoder.of(model, numbers, dtype)

    @property
    def bytes(self) -> int:
        """Bytes that serving needs: prepared weights and tables, and the prefix tree."""
        return self._tree.bytes + held_bytes([self._encoder, self._decoder])

    @torch.inference_mode()
    def search(self, tokens: Sequence[Sequence[int]], k: int) -> Answer:
        """The k best rows of each query, which is given as its token ids.

        Raises ValueError for a query without tokens or with more than the model reads.
        """
        items = np.empty((len(tokens), k), dtype=np.int64)
        scores = np.empty((len(tokens), k), dtype=np.float32)
        seconds = {"encode": 0.0, "decode": 0.0}
        decoded = 0
        order = by_length(tokens, self._longest)
        for start in range(0, len(order), QUERIES_AT_ONCE):
            rows = order[start : start + QUERIES_AT_ONCE]
            clock = time.perf_counter()
            memories = self._encoder(self._batch([tokens[row] for row in rows]))
            encoded = time.perf_counter()
            search = Search(self._decoder, self._tree, memories, self._config.renormalise)
            found = beam_search(search, k, self._config.beam, self._step)
            items[rows], scores[rows] = found.items.cpu().numpy(), found.scores.cpu().numpy()
            seconds["encode"] += encoded - clock
            seconds["decode"] += time.perf_counter() - encoded
            decoded += found.decoded
        return Answer(items, scores, decoded, seconds)

    def _batch(self, tokens: Sequence[Sequence[int]]) -> Packed:
        """Queries that are in order of their lengths."""
        if self._step is in_waves:
            return packed(tokens)
        return padded(*pad(tokens, self._device))
