"""InternVL-G's side of texts, a decoder of seven billion parameters, measured on some layers.

InternVL-G compares one vector of a text with one of each picture (see
``retrievers.encoders.internvl``), so a scan is an encoding and an exact search. The decoder takes
28 GB in fp32; all its layers are alike, and one of them costs what any other does.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from datasets.candidates import CandidateSet
from retrievers.base import FloatArray, Precision, Ranking, VectorIndex, check_depth
from retrievers.encoders.internvl import FULL
from retrievers.encoders.internvl_network import InternVLConfig
from retrievers.encoders.qllama import QLlama, QLlamaConfig
from retrievers.encoders.towers import Placement, host
from retrievers.serving import drawn_queries
from retrievers.serving.contract import Answered, Built, CannotServe, Needs, Place, Say
from retrievers.serving.drawn_queries import DrawnQueries, exact_ranking
from retrievers.serving.galleries import EXACT
from retrievers.serving.numbers import computed
from retrievers.serving.qformer_pairs import alike
from retrievers.serving.search_costs import exact_cost
from retrievers.serving.stand_in_tokens import word_pieces
from retrievers.weights.random import seeded

_SEED = 0
_PROMPT, _LONGEST = "summarize: ", 80
# Of a caption behind the prompt.
_TOKENS = 18
# What two cores do in fp32, multiplications and additions a second.
_RATE = 140e9
_PROCESS_BYTES = 700 << 20


@dataclass(frozen=True)
class DecoderShape:
    """What decides the speed of a decoder that is measured on some layers.

    measured  of its layers
    words     of its vocabulary, whose vectors are held; looking one up costs the same in any number
    """

    config: InternVLConfig = FULL
    measured: int = 1
    words: int = 4096

    @property
    def held(self) -> QLlamaConfig:
        """Sizes of what is in memory."""
        language = self.config.language
        words = min(self.words, language.vocabulary)
        return replace(language, layers=self.measured, vocabulary=words)

    @property
    def layer_parameters(self) -> int:
        language = self.config.language
        return 4 * language.width**2 + 3 * language.width * language.hidden


@dataclass(frozen=True)
class DecoderOf:
    """Makes the row of a shape."""

    shape: DecoderShape

    def __call__(self, place: Place) -> ServedDecoder:
        """Raises CannotServe."""
        return ServedDecoder(self.shape, place)

    def needs(self, place: Place, candidates: int) -> Needs:
        """Of the layers that are measured. Raises CannotServe."""
        shape = self.shape
        size = 4 if _numbers(place) == "fp32" else 2
        layers = shape.measured * shape.layer_parameters
        held = size * (layers + shape.held.vocabulary * shape.held.width)
        search = exact_cost(place, candidates, shape.config.dim)
        return Needs(
            seconds_to_build=15.0 + search.seconds_to_build,
            seconds_a_query=2 * _TOKENS * layers / _RATE + search.seconds_a_query,
            host_bytes=_PROCESS_BYTES + held + search.host_bytes,
            device_bytes=0 if place.device == "cpu" else held + search.device_bytes,
        )


InternvlScan = DecoderOf(DecoderShape())


class ServedDecoder:
    """Some layers of QLLaMA with random weights, and exact search."""

    def __init__(self, shape: DecoderShape, place: Place) -> None:
        torch.set_num_threads(place.threads)
        self._shape, self._place = shape, place
        self._numbers = _numbers(place)
        self._placement = Placement(place.device, self._numbers)
        self._network = seeded(_SEED, lambda: _Text(shape.held, shape.config.dim))
        self._placement.put(self._network)
        self._built: _Gallery | None = None

    @property
    def options(self) -> Mapping[str, str | int | float | bool]:
        language = self._shape.config.language
        return {
            "network": f"QLLaMA, {language.layers} layers of width {language.width}",
            "measured": f"{self._shape.measured} of {language.layers} layers, all of them alike",
            "tokens": f"{_PROMPT!r} in front, CLIP's word pieces for LLaMA's, trimmed",
            "numbers": self._numbers,
            "search": "exact, in torch",
            "query vectors": drawn_queries.TOLD,
        }

    def build(self, candidates: CandidateSet, say: Say) -> Built:
        """Raises CannotServe."""
        gallery = EXACT.build(self._place, candidates, say)
        self._built = _Gallery(candidates, DrawnQueries(candidates), gallery.index)
        language = self._shape.config.language
        whole = language.layers * self._shape.layer_parameters
        whole += (language.vocabulary + self._shape.config.dim) * language.width
        here = sum(one.nbytes for one in self._network.parameters())
        size = next(self._network.parameters()).element_size()
        return Built(
            seconds=gallery.seconds,
            gallery_bytes=gallery.index.bytes,
            model_bytes=whole * size,
            facts={**gallery.facts, "bytes of the network held here": here},
        )

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """[texts, dim], as far as the layers that are here go."""
        tokens = word_pieces(
            [_PROMPT + text for text in texts], self._shape.held.vocabulary, _LONGEST
        )
        vectors = np.empty((len(texts), self._shape.config.dim), np.float32)
        for part, asked in alike(tokens):
            with torch.inference_mode():
                vectors[part.numpy()] = host(self._network(self._placement.take(asked)))
        return vectors

    def answer(self, texts: Sequence[str], k: int) -> Answered:
        """Raises ValueError when k < 1 or when nothing was built.

        ``part`` is of the seconds that all layers would take, since the search is not cut short.
        """
        check_depth(k)
        gallery = self._whole()
        start = time.perf_counter()
        # Checked, then put aside: random weights put all texts in one place.
        self.encode(texts)
        encoded = time.perf_counter()
        ranking = gallery.index.search(gallery.queries.of(texts), k)
        encode, search = encoded - start, time.perf_counter() - encoded
        due = encode * self._shape.config.language.layers / self._shape.measured + search
        return Answered(
            ranking, {"encode": encode, "search": search}, part=min(1.0, (encode + search) / due)
        )

    def reference(self, texts: Sequence[str], k: int) -> Ranking:
        """Exact, by numpy over the candidates as they lie on disk."""
        gallery = self._whole()
        return exact_ranking(gallery.candidates, gallery.queries.of(texts), k)

    def _whole(self) -> _Gallery:
        if self._built is None:
            raise ValueError("internvl-g:scan has no gallery: call build first")
        return self._built


@dataclass(frozen=True)
class _Gallery:
    candidates: CandidateSet
    queries: DrawnQueries
    index: VectorIndex


def _numbers(place: Place) -> Precision:
    numbers = computed(place)
    if numbers == "int8":
        raise CannotServe("InternVL-G is not served in int8: ask for fp32 or bf16.")
    return numbers


class _Text(nn.Module):
    """The layers with what is before and behind them, weights drawn."""

    def __init__(self, config: QLlamaConfig, dim: int) -> None:
        super().__init__()
        with torch.device("meta"):
            self.qllama = QLlama(config)
            self.text_projection = nn.Parameter(torch.empty(config.width, dim))
        # Only queries look at pictures.
        for layer in self.qllama.layers:
            if "cross_attn" in dict(layer.named_children()):
                layer.register_module("cross_attn", None)
        self.to_empty(device="cpu")
        for parameter in self.parameters():
            if parameter.ndim == 1:
                nn.init.ones_(parameter)
            else:
                nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        """[texts, dim] of tokens [texts, length], 0 behind a text."""
        return self.qllama.read(tokens) @ self.text_projection
