"""The generative peer: an encoder-decoder of transformers under ``prefix_allowed_tokens_fn``.

What most implementations of generative retrieval are built from: T5 writes the identifier in one
vocabulary of text and code tokens, and a callback names the tokens that may follow each prefix.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from cart.config import ModelConfig
from cart.engine.dense import Dense, dense, held_bytes
from cart.tokenizer import encode, pad
from datasets.candidates import CandidateSet
from retrievers.base import Cost, Ranking, check_depth, unfilled
from retrievers.cart import CART_512
from retrievers.serving.allowed_tokens import PAD, AllowedTokens
from retrievers.serving.contract import Answered, Built, Needs, Place, Say
from retrievers.serving.drawn_identifiers import Recipe, give_identifiers
from retrievers.serving.generative import (
    IDENTIFIERS,
    WORDS,
    identifying,
    told_of_identifiers,
    told_of_texts,
)
from retrievers.serving.numbers import computed, dtype
from retrievers.serving.stand_in_tokens import caption_tokenizer
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights.random import seeded

_SEED = 0
# What two cores do in fp32, multiplications and additions a second, with the softmaxes over the
# whole vocabulary between.
_RATE = 45e9
# Of two cores, mostly to import transformers and to draw weights as it does.
_READY_SECONDS = 10.0
_PROCESS_BYTES = 900 << 20
_BYTES_AN_ITEM = 120


@dataclass(frozen=True)
class PeerShape:
    """What decides the speed of the peer.

    model       width, heads, feed-forward and layers, those of a CART
    vocabulary  of texts, as T5 has it; the tokens of the identifiers come behind
    words       of the tokenizer, which uses only so many of them
    """

    model: ModelConfig
    vocabulary: int = 32_000
    words: int = WORDS
    beam: int = 10
    recipe: Recipe = IDENTIFIERS


@dataclass(frozen=True)
class PeerOf:
    """Makes the row of a shape."""

    shape: PeerShape

    def __call__(self, place: Place) -> ServedPeer:
        """Raises CannotServe."""
        return ServedPeer(self.shape, place)

    def needs(self, place: Place, candidates: int) -> Needs:
        """Raises CannotServe."""
        computed(place)
        kept = identifying(candidates)
        model, beam = self.shape.model, self.shape.beam
        width, layers = model.width, model.decoder_layers
        dense = 4 * width**2 + 2 * width * model.feed_forward
        encoder = 16 * model.encoder_layers * dense
        # Every beam has keys and values of the text of its own.
        read = 16 * beam * layers * 2 * width**2
        written = 4 * beam * (layers * (dense + 2 * width**2) + width * self.shape.vocabulary)
        embeddings = width * self.shape.vocabulary
        parameters = embeddings + (model.encoder_layers + layers) * (dense + 2 * width**2)
        logits = 100 * beam * self.shape.vocabulary
        return Needs(
            seconds_to_build=_READY_SECONDS + sum(kept.values()),
            seconds_a_query=2 * (encoder + read + written) / _RATE,
            host_bytes=_PROCESS_BYTES + 4 * (parameters + 6 * logits) + _BYTES_AN_ITEM * candidates,
            device_bytes=0 if place.device == "cpu" else 4 * (parameters + 6 * logits),
            kept=kept,
        )


HfPeer = PeerOf(PeerShape(CART_512.config.model))


class ServedPeer:
    """T5 with random weights, as transformers generates with it."""

    def __init__(self, shape: PeerShape, place: Place) -> None:
        self._shape, self._place = shape, place
        self._numbers = computed(place)
        torch.set_num_threads(place.threads)
        self._tokenizer: Tokenizer = caption_tokenizer(shape.words)
        self._model: Any = None
        self._plain: Any = None
        self._allowed: AllowedTokens | None = None
        self._vocabulary = 0

    @property
    def options(self) -> Mapping[str, str | int | float | bool]:
        model = self._shape.model
        return {
            "network": "T5 of transformers, ReLU, one table for reading and writing",
            "width": model.width,
            "heads": model.heads,
            "feed-forward": model.feed_forward,
            "layers": f"{model.encoder_layers} + {model.decoder_layers}",
            "beam": self._shape.beam,
            "vocabulary": f"{self._shape.vocabulary} for texts, and each position's tokens",
            "generate": "cached, sampling and early stopping off, as long as an identifier",
            "numbers": self._numbers,
            **told_of_identifiers(self._shape.recipe),
            **told_of_texts(self._shape.words),
        }

    def build(self, candidates: CandidateSet, say: Say) -> Built:
        """Give the candidates identifiers, and make the model."""
        given = give_identifiers(candidates, self._shape.recipe, self._place.cache, say)
        clock = time.perf_counter()
        # Each position has tokens of its own, behind those of texts.
        first = self._shape.vocabulary + np.cumsum([0, *given.sizes[:-1]])
        self._allowed = AllowedTokens(given.identifiers + first)
        seconds = {**given.seconds, "prefix tree": time.perf_counter() - clock}
        clock = time.perf_counter()
        self._vocabulary = self._shape.vocabulary + sum(given.sizes)
        model = self._random_model()
        if self._numbers == "int8":
            _in_whole_numbers(model)
        self._model, self._plain = model.to(dtype(self._numbers)), None
        seconds["weights made ready"] = time.perf_counter() - clock
        held = sum(one.nbytes for one in self._model.parameters()) + _packed_bytes(self._model)
        return Built(seconds, self._allowed.bytes, held, given.facts)

    def answer(self, texts: Sequence[str], k: int) -> Answered:
        """Scores count down from 0: transformers gives the beams' own only along with every
        step's distribution, which would take time. Raises ValueError when k < 1 or when nothing
        was built."""
        check_depth(k)
        allowed = self._built()
        clocks = [time.perf_counter()]
        ids, mask = pad(self._tokens(texts), self._place.device)
        clocks.append(time.perf_counter())
        with torch.inference_mode():
            encoded = self._model.get_encoder()(input_ids=ids, attention_mask=mask)
            self._wait()
            clocks.append(time.perf_counter())
            beam = max(self._shape.beam, k)
            written = self._model.generate(
                encoder_outputs=encoded,
                attention_mask=mask,
                num_beams=beam,
                num_return_sequences=k,
                min_new_tokens=None,
                max_new_tokens=allowed.length,
                early_stopping=False,
                length_penalty=0.0,
                do_sample=False,
                use_cache=True,
                prefix_allowed_tokens_fn=lambda _, prefix: allowed.after(prefix.tolist()[1:]),
            )
        rows = written[:, 1:].cpu().view(len(texts), k, -1)
        clocks.append(time.perf_counter())
        cost = Cost(tokens_decoded=len(texts) * beam * allowed.length)
        seconds = dict(zip(("tokenise", "encode", "decode"), np.diff(clocks).tolist(), strict=True))
        return Answered(_ranking(allowed, rows.tolist(), k, cost), seconds)

    def reference(self, texts: Sequence[str], k: int) -> Ranking:
        """Beam search by a loop over texts and prefixes, in fp32, with nothing kept between steps;
        scores are the identifiers' log-probabilities."""
        check_depth(k)
        allowed = self._built()
        if self._plain is None:
            self._plain = self._random_model()
        ids, scores = unfilled(len(texts), k)
        for place, tokens in enumerate(self._tokens(texts)):
            found = _beams(self._plain, allowed, tokens, max(self._shape.beam, k))[:k]
            ids[place, : len(found)] = [allowed.row(prefix) for prefix, _ in found]
            scores[place, : len(found)] = [score for _, score in found]
        return Ranking(ids, scores)

    def _built(self) -> AllowedTokens:
        if self._allowed is None:
            raise ValueError("hf-generative has no gallery: call build first")
        return self._allowed

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        return encode(self._tokenizer, texts, self._shape.model.max_tokens)

    def _wait(self) -> None:
        if self._place.device != "cpu":
            torch.cuda.synchronize(self._place.device)

    def _random_model(self) -> Any:
        return random_peer(self._shape.model, self._vocabulary).to(self._place.device)


def random_peer(sizes: ModelConfig, vocabulary: int) -> Any:
    """The T5 of these sizes, the same weights at each call."""
    ensure_torchvision()
    import transformers

    def made() -> Any:
        return transformers.T5ForConditionalGeneration(config)

    config = transformers.T5Config(
        vocab_size=vocabulary,
        d_model=sizes.width,
        d_kv=sizes.width // sizes.heads,
        d_ff=sizes.feed_forward,
        num_layers=sizes.encoder_layers,
        num_decoder_layers=sizes.decoder_layers,
        num_heads=sizes.heads,
        feed_forward_proj="relu",
        pad_token_id=PAD,
        decoder_start_token_id=PAD,
        # Every identifier has the same length: nothing ends it but that.
        eos_token_id=None,
    )
    return seeded(_SEED, made).eval().requires_grad_(False)


class _Whole(nn.Module):
    """A linear layer in whole numbers where transformers looks for a module."""

    # T5 asks what its last feed-forward weight is made of.
    weight = None

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        bias = torch.zeros(layer.out_features) if layer.bias is None else layer.bias
        self.dense: Dense = dense(layer.weight, bias, "int8", torch.float32)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(x)


def _in_whole_numbers(model: nn.Module) -> None:
    """Put every linear layer of the model into whole numbers, where it stands."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, _Whole(child))


def _packed_bytes(model: nn.Module) -> int:
    return held_bytes([one.dense for one in model.modules() if isinstance(one, _Whole)])


def _ranking(allowed: AllowedTokens, written: list[list[list[int]]], k: int, cost: Cost) -> Ranking:
    """Of identifiers [texts, k, length], the likeliest first; what is none is left out."""
    ids, scores = unfilled(len(written), k)
    for place, identifiers in enumerate(written):
        # A beam that ran out of continuations repeats another or leads nowhere.
        rows = dict.fromkeys(allowed.row(identifier) for identifier in identifiers)
        found = [row for row in rows if row >= 0]
        ids[place, : len(found)] = found
        scores[place, : len(found)] = -np.arange(len(found), dtype=np.float32)
    return Ranking(ids, scores, cost)


def _beams(
    model: Any, allowed: AllowedTokens, tokens: list[int], beam: int
) -> list[tuple[tuple[int, ...], float]]:
    """The best whole identifiers of a text with their log-probabilities, the best first."""
    ids, mask = pad([tokens], str(model.device))
    beams: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    for _ in range(allowed.length):
        prefixes = torch.tensor([[PAD, *prefix] for prefix, _ in beams], device=model.device)
        with torch.inference_mode():
            logits = model(
                input_ids=ids.expand(len(beams), -1),
                attention_mask=mask.expand(len(beams), -1),
                decoder_input_ids=prefixes,
                use_cache=False,
            ).logits[:, -1]
        steps = logits.float().log_softmax(dim=-1).cpu()
        longer = [
            ((*prefix, token), score + float(steps[place, token]))
            for place, (prefix, score) in enumerate(beams)
            for token in allowed.after(prefix).tolist()
        ]
        beams = sorted(longer, key=lambda one: -one[1])[:beam]
    return beams
