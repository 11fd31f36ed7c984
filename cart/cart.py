"""CART as a whole: learn from captioned items, take in a gallery, answer queries."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from cart.captions import Captioned, Captioner
from cart.config import CartConfig, TrainConfig
from cart.engine import Engine
from cart.identifiers import (
    Quantizers,
    collision_ceiling,
    fit_quantizers,
    identifiers,
    items_by_prefix,
    level_sizes,
    perplexity,
)
from cart.model import CartModel
from cart.prefix_tree import PrefixTree
from cart.rqvae import Monitor
from cart.search import QUERIES_AT_ONCE, Answer
from cart.tokenizer import encode, pad, train_tokenizer
from cart.training import Examples, Progress, train

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

Validate = Callable[[CartModel], float]

# Counters that the model has room for from the start: learning them costs nothing.
UNIQUE = 8


class Cart:
    """The model with its identifiers and its gallery.

    ``fit`` makes the identifiers' codebooks and trains on <caption, identifier> pairs.
    ``absorb`` gives a gallery its identifiers and trains on what a captioner says of it: a
    generative retriever keeps its gallery in its parameters, so this is its indexing. Human
    captions of gallery items have no way in.
    """

    def __init__(
        self,
        config: CartConfig,
        seed: int,
        device: str = "cpu",
        checkpoints: Path | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        self.config, self.seed, self.device = config, seed, device
        self.checkpoints, self.monitor = checkpoints, monitor
        self.quantizers: Quantizers | None = None
        self.tokenizer: Tokenizer | None = None
        self.model: CartModel | None = None
        self.gallery: IntArray | None = None
        self.tree: PrefixTree | None = None
        self.progress: dict[str, Progress] = {}
        self._known: Examples | None = None
        self._as_fitted: CartModel | None = None
        self._engine: Engine | None = None

    def fit(
        self, train_set: Captioned, validation: Captioned, captioner: Captioner | None
    ) -> Mapping[str, float]:
        """Learn codebooks, tokenizer and model; seconds by phase. Training that a checkpoint
        continues counts whole.

        Validation items are treated as gallery items will be: the captioner speaks for them in
        training, and their human captions only choose the best epoch by R@10.
        """
        clock = time.perf_counter()
        self.quantizers = fit_quantizers(
            train_set.embeddings,
            self.config.identifiers,
            self.seed,
            self.device,
            self.monitor,
        )
        seconds = {"identifiers": time.perf_counter() - clock}
        self.tokenizer = train_tokenizer(train_set.captions, self.config.vocabulary)
        own = identifiers(self.quantizers.codes(train_set.embeddings))
        owners = np.array(train_set.rows, dtype=np.int64)
        known = Examples(self._tokens(train_set.captions), own[owners], owners)
        unique = max(UNIQUE, int(own[:, -1].max()) + 1)
        torch.manual_seed(self.seed)
        self.model = CartModel(
            self.config.model,
            self.tokenizer.get_vocab_size(),
            level_sizes(self.config.identifiers, unique),
        ).to(self.device)
        self._known = known
        validate: Validate | None = None
        if len(validation.captions):
            ids = identifiers(self.quantizers.codes(validation.embeddings))
            self.model.reserve_unique(int(ids[:, -1].max()) + 1)
            if captioner is not None:
                known = _joined(known, self._borrowed(validation.embeddings, ids, captioner))
            tree = PrefixTree.build(ids, self.device)
            tokens, rows = self._tokens(validation.captions), np.array(validation.rows)

            def validate(model: CartModel) -> float:
                found = Engine(model, tree, self.config.search, self.device).search(tokens, 10)
                return float((found.items == rows[:, None]).any(axis=1).mean())

        self._train(known, self.config.fit, validate, "fit")
        self._as_fitted = copy.deepcopy(self.model)
        seconds["train"] = self.progress["fit"].seconds
        return seconds

    def absorb(self, embeddings: FloatArray, captioner: Captioner | None) -> Mapping[str, float]:
        """Make embeddings [items, dim] the gallery; seconds by phase.

        Starts from what ``fit`` learned, whatever was absorbed since. Without a captioner only
        identifiers are given. Raises ValueError when nothing was fitted here: a saved CART
        brings its gallery but not the training pairs that a new one is learned beside.
        """
        if self._as_fitted is None or self._known is None:
            raise ValueError("fit the model before it is given a gallery")
        _, quantizers = self._fitted()
        clock = time.perf_counter()
        model = self.model = copy.deepcopy(self._as_fitted)
        gallery = identifiers(quantizers.codes(embeddings))
        self._take(model, gallery)
        seconds = {"identifiers": time.perf_counter() - clock}
        if captioner is not None:
            clock = time.perf_counter()
            borrowed = self._borrowed(embeddings, gallery, captioner)
            seconds["captions"] = time.perf_counter() - clock
            self._train(_joined(self._known, borrowed), self.config.absorb, None, "absorb")
            seconds["train"] = self.progress["absorb"].seconds
        return seconds

    def add(self, embeddings: FloatArray) -> None:
        """Append items to the gallery without training; their rows follow those there."""
        _, quantizers = self._fitted()
        model, tree = self._indexed()
        assert self.gallery is not None
        added = identifiers(quantizers.codes(embeddings), self.gallery)
        gallery = np.concatenate([self.gallery, added])
        self._hold(model, gallery, tree.with_items(added))

    def remove(self, rows: Sequence[int]) -> None:
        """Take gallery rows out; those behind them move up. One item at least must stay."""
        model, tree = self._indexed()
        assert self.gallery is not None
        left = tree.without(rows)
        self._hold(model, np.delete(self.gallery, list(rows), axis=0), left)

    def search(self, queries: Sequence[str], k: int) -> Answer:
        """The k best gallery rows of each query, by constrained beam search."""
        model, tree = self._indexed()
        if self._engine is None:
            self._engine = Engine(model, tree, self.config.search, self.device)
        return self._engine.search(self._tokens(queries), k)

    @torch.inference_mode()
    def token_accuracy(self, queries: Sequence[str], relevant: IntArray) -> Mapping[str, float]:
        """Share of queries whose right token is the likeliest valid one, given the right prefix.

        relevant [queries] are gallery rows. One figure a position: where answers are lost.
        """
        model, tree = self._indexed()
        assert self.gallery is not None
        wanted = torch.from_numpy(self.gallery[relevant]).to(self.device)
        tokens = self._tokens(queries)
        right = torch.zeros(tree.length, device=self.device)
        for start in range(0, len(tokens), QUERIES_AT_ONCE):
            part = slice(start, start + QUERIES_AT_ONCE)
            ids, mask = pad(tokens[part], self.device)
            logits = model.decode(model.encode(ids, mask), wanted[part])
            node = torch.zeros(len(ids), dtype=torch.int64, device=self.device)
            for level, scores in enumerate(logits):
                children = tree.children(level, node)
                valid = scores.gather(-1, children.tokens)
                valid = valid.masked_fill(~children.valid, -torch.inf)
                chosen = children.tokens.gather(1, valid.argmax(dim=1, keepdim=True)).squeeze(1)
                goal = wanted[part][:, level]
                right[level] += (chosen == goal).sum()
                matches = (children.tokens == goal[:, None]) & children.valid
                node = children.nodes.gather(1, matches.int().argmax(dim=1, keepdim=True)).squeeze(
                    1
                )
        names = ["k", *(f"v{m + 1}" for m in range(tree.length - 2)), "u"]
        share = (right / max(1, len(tokens))).tolist()
        return {f"token_accuracy/{name}": value for name, value in zip(names, share, strict=True)}

    def identifier_figures(self) -> Mapping[str, float]:
        """Collision ceiling of the gallery, distinct prefixes, perplexity of each code level."""
        assert self.gallery is not None
        prefixes = self.gallery[:, :-1]
        figures = {
            "collision_ceiling": collision_ceiling(prefixes),
            "distinct_prefixes": len(items_by_prefix(prefixes)) / len(prefixes),
        }
        sizes = level_sizes(self.config.identifiers, 1)
        for level in range(prefixes.shape[1]):
            name = "k" if level == 0 else f"v{level}"
            figures[f"perplexity/{name}"] = perplexity(prefixes[:, level], sizes[level])
        return figures

    @property
    def bytes(self) -> int:
        """Bytes that serving needs: parameters and prefix tree."""
        model, tree = self._indexed()
        return tree.bytes + sum(p.numel() * p.element_size() for p in model.parameters())

    def parts(self) -> tuple[CartModel, Quantizers, Tokenizer, IntArray]:
        """Model, quantizers, tokenizer and gallery identifiers, for saving.

        Raises ValueError when no gallery was indexed.
        """
        model, quantizers = self._fitted()
        self._indexed()
        assert self.tokenizer is not None and self.gallery is not None
        return model, quantizers, self.tokenizer, self.gallery

    def restore(
        self,
        model: CartModel,
        quantizers: Quantizers,
        tokenizer: Tokenizer,
        gallery: IntArray,
    ) -> None:
        """Take parts that were saved."""
        self.model, self.quantizers, self.tokenizer = model, quantizers, tokenizer
        self._take(model, gallery)
        self._known = self._as_fitted = None

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        assert self.tokenizer is not None
        return encode(self.tokenizer, texts, self.config.model.max_tokens)

    def _borrowed(self, embeddings: FloatArray, ids: IntArray, captioner: Captioner) -> Examples:
        lent = captioner.captions(embeddings)
        captions = [caption for captions in lent for caption in captions]
        rows = [row for row, captions in enumerate(lent) for _ in captions]
        return Examples(self._tokens(captions), ids[rows], np.full(len(rows), -1))

    def _take(self, model: CartModel, gallery: IntArray) -> None:
        sizes = level_sizes(self.config.identifiers, int(gallery[:, -1].max()) + 1)
        self._hold(model, gallery, PrefixTree.build(gallery, self.device, sizes))

    def _hold(self, model: CartModel, gallery: IntArray, tree: PrefixTree) -> None:
        model.reserve_unique(int(gallery[:, -1].max()) + 1)
        self.gallery, self.tree, self._engine = gallery, tree, None

    def _train(
        self, examples: Examples, config: TrainConfig, validate: Validate | None, phase: str
    ) -> None:
        model, _ = self._fitted()
        checkpoint = None
        if self.checkpoints is not None:
            name = _digest(model, examples, config, self.seed)
            checkpoint = self.checkpoints / f"{phase}-{name}.pt"
        self._engine = None
        self.progress[phase] = train(
            model, examples, config, self.seed, validate, checkpoint, self.monitor
        )

    def _fitted(self) -> tuple[CartModel, Quantizers]:
        if self.model is None or self.quantizers is None:
            raise ValueError("fit the model before it is given a gallery")
        return self.model, self.quantizers

    def _indexed(self) -> tuple[CartModel, PrefixTree]:
        if self.model is None or self.tree is None:
            raise ValueError("index a gallery before searching it")
        return self.model, self.tree


def _joined(first: Examples, second: Examples) -> Examples:
    return Examples(
        [*first.tokens, *second.tokens],
        np.concatenate([first.identifiers, second.identifiers]),
        np.concatenate([first.items, second.items]),
    )


def _digest(model: CartModel, examples: Examples, config: TrainConfig, seed: int) -> str:
    """Names a training run by all that decides it."""
    digest = hashlib.blake2b(digest_size=12)
    digest.update(json.dumps([asdict(config), seed], sort_keys=True).encode())
    digest.update(json.dumps([list(row) for row in examples.tokens]).encode())
    digest.update(np.ascontiguousarray(examples.identifiers).tobytes())
    digest.update(examples.items.tobytes())
    for value in model.state_dict().values():
        digest.update(value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
