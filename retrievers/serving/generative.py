"""CART at full size under load: drawn identifiers, random weights, its own engine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer

from cart.beam import beam_search
from cart.config import IdentifierConfig, ModelConfig, SearchConfig
from cart.engine import Engine
from cart.identifiers import identifiers
from cart.model import CartModel
from cart.prefix_tree import PrefixTree
from cart.tokenizer import encode, pad
from datasets.candidates import CandidateSet, query_texts
from retrievers.base import Cost, FloatArray, IntArray, Ranking, check_depth
from retrievers.cart import CART_256, CART_512
from retrievers.serving.contract import Answered, Built, Needs, Place, Say
from retrievers.serving.drawn_identifiers import Given, Recipe, give_identifiers
from retrievers.serving.numbers import computed
from retrievers.serving.stand_in_tokens import caption_tokenizer, mean_tokens
from retrievers.weights.random import seeded

_SEED = 0
_TRIED = 100
# What two cores do in fp32, multiplications and additions a second, softmaxes and all.
_RATE = 120e9
# Of the interpreter with its libraries.
_PROCESS_BYTES = 700 << 20
# Of two cores, for the tokenizer, the weights and a first batch.
_READY_SECONDS = 4.0
# While the tree is built: identifiers in 64 bits, packed, sorted and back.
_BYTES_AN_ITEM = 120

# The paper's code sizes, fitted in few and large steps, after which 0.76 of 100,000 candidates have
# codes of their own.
IDENTIFIERS = Recipe(
    IdentifierConfig(epochs=10, batch_size=1024, learning_rate=2e-3), sample=20_000
)
# Drawn captions have few words. With so many pieces they are as long as in CLIP's.
WORDS = 600


@dataclass(frozen=True)
class CartShape:
    """What decides the speed of a CART.

    words  vocabulary of the tokenizer that is trained on drawn captions
    """

    model: ModelConfig
    beam: int = 10
    recipe: Recipe = IDENTIFIERS
    words: int = WORDS

    @property
    def search(self) -> SearchConfig:
        return SearchConfig(beam=self.beam)


@dataclass(frozen=True)
class CartOf:
    """Makes the row of a shape."""

    shape: CartShape

    def __call__(self, place: Place) -> ServedCart:
        """Raises CannotServe."""
        return ServedCart(self.shape, place)

    def needs(self, place: Place, candidates: int) -> Needs:
        """Raises CannotServe."""
        computed(place)
        model = self.shape.model
        width, layers = model.width, model.encoder_layers
        # In squares of the width: dense layers of the encoder, memories, their keys and values.
        token = layers * (4 + 2 * model.feed_forward / width) + layers + 2 * (layers + 1) * layers
        positions = 1 + 3 * self.shape.beam
        position = model.decoder_layers * (6 + 4 * layers + 2 * model.feed_forward / width)
        kept = identifying(candidates)
        operations = 2 * width**2 * (16 * token + positions * position)
        parameters = width**2 * (layers * 16 + model.decoder_layers * 28)
        return Needs(
            seconds_to_build=_READY_SECONDS + sum(kept.values()),
            seconds_a_query=operations / _RATE,
            host_bytes=_PROCESS_BYTES + 8 * parameters + _BYTES_AN_ITEM * candidates,
            device_bytes=0 if place.device == "cpu" else 8 * parameters + 30 * candidates,
            kept=kept,
        )


def identifying(candidates: int) -> Mapping[str, float]:
    """Seconds of two cores, by what then lies in the cache for all rows that write identifiers:
    fitting codebooks, then codes, counters and tree of each candidate."""
    return {"codebooks": 10.0, f"identifiers of {candidates}": 8e-6 * candidates}


Cart = CartOf(CartShape(CART_512.config.model))
Cart256 = CartOf(CartShape(CART_256.config.model))


class ServedCart:
    """CartModel with random weights behind ``cart.engine``."""

    def __init__(self, shape: CartShape, place: Place) -> None:
        self._shape, self._place = shape, place
        self._numbers = computed(place)
        torch.set_num_threads(place.threads)
        self._tokenizer: Tokenizer = caption_tokenizer(shape.words)
        self._model: CartModel | None = None
        self._tree: PrefixTree | None = None
        self._engine: Engine | None = None

    @property
    def options(self) -> Mapping[str, str | int | float | bool]:
        model, search = self._shape.model, self._shape.search
        return {
            "width": model.width,
            "heads": model.heads,
            "feed-forward": model.feed_forward,
            "layers": f"{model.encoder_layers} + {model.decoder_layers}",
            "beam": search.beam,
            "renormalise": search.renormalise,
            "numbers": self._numbers,
            **told_of_identifiers(self._shape.recipe),
            **told_of_texts(self._shape.words),
        }

    def build(self, candidates: CandidateSet, say: Say) -> Built:
        """Give the candidates identifiers, build the tree, make the engine ready."""
        given = give_identifiers(candidates, self._shape.recipe, self._place.cache, say)
        clock = time.perf_counter()
        tree = PrefixTree.build(given.identifiers, self._place.device, given.sizes)
        seconds = {**given.seconds, "prefix tree": time.perf_counter() - clock}
        clock = time.perf_counter()
        model = seeded(_SEED, lambda: self._random_model(given.sizes))
        search, device = self._shape.search, self._place.device
        self._model = model.to(device).eval()
        self._tree = tree
        self._engine = Engine(self._model, tree, search, device, self._numbers)
        seconds["weights made ready"] = time.perf_counter() - clock
        inserted = _next_to(given, candidates.queries(1))
        facts = {**given.facts, **self._measured(tree, inserted)}
        return Built(seconds, tree.bytes, self._engine.bytes - tree.bytes, facts)

    def answer(self, texts: Sequence[str], k: int) -> Answered:
        """Raises ValueError when k < 1 or when nothing was built."""
        check_depth(k)
        if self._engine is None:
            raise ValueError("cart has no gallery: call build first")
        clock = time.perf_counter()
        tokens = self._tokens(texts)
        tokenise = time.perf_counter() - clock
        found = self._engine.search(tokens, k)
        ranking = Ranking(found.items, found.scores, Cost(tokens_decoded=found.tokens_decoded))
        return Answered(ranking, {"tokenise": tokenise, **found.seconds})

    def reference(self, texts: Sequence[str], k: int) -> Ranking:
        """The plain beam in fp32, all texts padded to the longest."""
        check_depth(k)
        if self._model is None or self._tree is None:
            raise ValueError("cart has no gallery: call build first")
        ids, mask = pad(self._tokens(texts), self._place.device)
        search = self._shape.search
        found = beam_search(self._model, self._tree, ids, mask, k, search.beam, search.renormalise)
        return Ranking(found.items.cpu().numpy(), found.scores.float().cpu().numpy())

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        return encode(self._tokenizer, texts, self._shape.model.max_tokens)

    def _random_model(self, sizes: tuple[int, ...]) -> CartModel:
        return CartModel(self._shape.model, self._tokenizer.get_vocab_size(), sizes)

    def _measured(self, tree: PrefixTree, inserted: IntArray) -> Mapping[str, float]:
        """What the gallery makes of the search: work a text, and one insert."""
        texts = query_texts(_TRIED, seed=_SEED + 2)
        work = self.answer(texts, self._shape.beam).ranking.cost.tokens_decoded
        ours, theirs = mean_tokens(self._tokenizer, self._shape.model.max_tokens)
        return {
            "decoder positions a text": work / len(texts),
            "tokens a text": ours,
            "tokens a text, CLIP's": theirs,
            "seconds to insert an item": _seconds_to_insert(tree, inserted),
        }


def told_of_identifiers(recipe: Recipe) -> Mapping[str, str | int | float | bool]:
    """Options of every row that writes them."""
    usual = (recipe.config.coarse_size, *recipe.config.codebook_sizes)
    return {
        "code sizes": f"{' x '.join(map(str, usual))}, more where items want them to be apart",
        "codebooks": f"{recipe.config.epochs} epochs on {recipe.sample:,} drawn vectors",
    }


def told_of_texts(words: int) -> Mapping[str, str | int | float | bool]:
    """Options of every row that reads texts as CART does."""
    return {"tokenizer": f"byte-level BPE of {words} pieces trained on drawn captions"}


def _next_to(given: Given, vector: FloatArray) -> IntArray:
    """The identifier [1, length] that one more item [1, dim] would get."""
    codes = given.quantizers.codes(vector)
    alike = (given.identifiers[:, :-1] == codes).all(axis=1)
    return identifiers(codes, given.identifiers[alike])


def _seconds_to_insert(tree: PrefixTree, identifier: IntArray) -> float:
    clock = time.perf_counter()
    tree.with_items(identifier)
    return time.perf_counter() - clock
