"""CART's search with its weights prepared once."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cart.beam import Found
from cart.config import SearchConfig
from cart.engine.beams import Search, Step, at_once, beam_search, where_it_matters
from cart.engine.decoder import Decoder
from cart.engine.dense import held_bytes
from cart.engine.encoder import Encoder
from cart.engine.graphs import CudaGraphs, Recordings
from cart.engine.memories import Memories
from cart.engine.numbers import Numbers, activations
from cart.engine.packing import by_length, packed
from cart.model import CartModel
from cart.prefix_tree import PrefixTree
from cart.search import QUERIES_AT_ONCE, Answer
from cart.widening import widened


class Engine:
    """A model and the prefix tree of its gallery, ready to search.

    The same answers as ``cart.search.search`` gives, to a rounding in fp32. Weights are taken as
    they are now: after training make another. Raises ValueError where the device does not compute
    in ``numbers``.
    """

    def __init__(
        self,
        model: CartModel,
        tree: PrefixTree,
        config: SearchConfig,
        device: str = "cpu",
        numbers: Numbers = "fp32",
    ) -> None:
        self._tree, self._config = tree, config
        self._longest = model.config.max_tokens
        dtype = activations(numbers, device)
        with torch.inference_mode():
            self._encoder = Encoder.of(model, numbers, dtype)
            self._decoder = Decoder.of(model, numbers, dtype)
        # An accelerator wants shapes that do not follow the data, and nothing read on the way.
        self._recordings = (
            None
            if torch.device(device).type == "cpu"
            else Recordings(
                self._encoder,
                lambda memories, k, beam: self._decode(memories, k, beam, at_once),
                self._longest,
                device,
                CudaGraphs(device),
            )
        )

    @property
    def bytes(self) -> int:
        """Bytes that serving needs: prepared weights and tables, and the prefix tree."""
        return self._tree.bytes + held_bytes((self._encoder, self._decoder))

    @torch.inference_mode()
    def search(self, tokens: Sequence[Sequence[int]], k: int) -> Answer:
        """The k best rows of each query, which is given as its token ids.

        A query is encoded once, however often its beam is widened. Raises ValueError for a query
        without tokens or with more than the model reads.
        """
        items = np.empty((len(tokens), k), dtype=np.int64)
        scores = np.empty((len(tokens), k), dtype=np.float32)
        certified = np.empty(len(tokens), dtype=np.bool_)
        beams = np.empty(len(tokens), dtype=np.int64)
        seconds = {"encode": 0.0, "decode": 0.0}
        decoded = 0
        order = by_length(tokens, self._longest)
        for start in range(0, len(order), QUERIES_AT_ONCE):
            rows = order[start : start + QUERIES_AT_ONCE]
            found, (encode, decode) = self._answer([tokens[row] for row in rows], k)
            items[rows], scores[rows] = found.items.cpu().numpy(), found.scores.cpu().numpy()
            certified[rows], beams[rows] = found.certified.cpu().numpy(), found.beams.cpu().numpy()
            seconds["encode"] += encode
            seconds["decode"] += decode
            decoded += found.decoded
        return Answer(items, scores, decoded, certified, beams, seconds)

    def _answer(self, tokens: Sequence[Sequence[int]], k: int) -> tuple[Found, list[float]]:
        """Of queries in order of their lengths; also the seconds of encoding and decoding."""
        config = self._config
        if self._recordings is not None:
            return self._recordings.answer(tokens, k, config.beam, config.widest_beam)
        clock = time.perf_counter()
        memories = self._encoder(packed(tokens))
        encoded = time.perf_counter()

        def again(queries: Tensor, beam: int, kth: Tensor) -> Found:
            some = memories.some(queries)
            return self._decode(some, k, beam, where_it_matters, kth.unsqueeze(1))

        found = self._decode(memories, k, config.beam, where_it_matters)
        found = widened(found, max(config.beam, k), config.widest_beam, again)
        return found, [encoded - clock, time.perf_counter() - encoded]

    def _decode(
        self,
        memories: Memories,
        k: int,
        beam: int,
        step: Step,
        to_exceed: Tensor | float = -torch.inf,
    ) -> Found:
        rule = self._config.renormalise
        search = Search(self._decoder, self._tree, memories, rule, to_exceed)
        return beam_search(search, k, beam, step)
