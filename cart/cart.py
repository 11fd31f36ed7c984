"""CART as a whole: learn from captioned items, take in a gallery, answer queries."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from cart.beam_tree import Written, beam_tree
from cart.captions import Captioned, Generated
from cart.certificates import certificate_figures
from cart.config import CartConfig, TrainConfig
from cart.diagnosis import identifier_figures, token_accuracy
from cart.engine import Engine
from cart.identifiers import (
    Quantizers,
    assign_together,
    fit_quantizers,
    identifiers,
    level_sizes,
    unexplained_variance,
)
from cart.model import CartModel
from cart.monitor import Monitor
from cart.prefix_tree import PrefixTree
from cart.rehearsal import Learned, drawn, sample
from cart.search import Answer
from cart.teacher import Teacher, labels
from cart.tokenizer import adopted, encode, train_tokenizer, vocabulary_size
from cart.training import Examples, Progress, train

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

Validate = Callable[[CartModel], float]

# Counters that the model has room for from the start: learning them costs nothing.
UNIQUE = 8


class Cart:
    """The model with its identifiers and its gallery.

    ``fit`` makes the identifiers' codebooks and trains on <caption, identifier> pairs.
    ``absorb`` gives a gallery its identifiers and trains on what a captioner said of it: a
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
        tokenizer: Tokenizer | None = None,
        processes: int = 1,
    ) -> None:
        """``tokenizer`` is another model's, to be used in place of one that is trained on the
        captions. ``processes`` train the model together and decide nothing of it."""
        self.config, self.seed, self.device = config, seed, device
        self.checkpoints, self.monitor = checkpoints, monitor
        self.given_tokenizer, self.processes = tokenizer, processes
        self.quantizers: Quantizers | None = None
        self.tokenizer: Tokenizer | None = None
        self.model: CartModel | None = None
        self.gallery: IntArray | None = None
        self.tree: PrefixTree | None = None
        self.progress: dict[str, Progress] = {}
        self._known: Examples | None = None
        self._learned: Learned | None = None
        self._embeddings: FloatArray | None = None
        self._teacher: Teacher | None = None
        self._as_fitted: CartModel | None = None
        self._unexplained: float | None = None
        self._engine: Engine | None = None

    def fit(
        self, train_set: Captioned, validation: Captioned, generated: Generated | None
    ) -> Mapping[str, float]:
        """Learn codebooks, tokenizer and model; seconds by phase. Training that a checkpoint
        continues counts whole.

        Validation items are treated as gallery items will be: what was ``generated`` of them
        speaks for them in training, and their human captions only choose the best epoch by R@10.
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
        self.tokenizer = (
            adopted(self.given_tokenizer)
            if self.given_tokenizer is not None
            else train_tokenizer(train_set.captions, self.config.vocabulary)
        )
        own = identifiers(self._prefixes(train_set.embeddings))
        owners = np.array(train_set.rows, dtype=np.int64)
        known = Examples.sure(self._tokens(train_set.captions), own[owners], owners)
        unique = max(UNIQUE, int(own[:, -1].max()) + 1)
        torch.manual_seed(self.seed)
        self.model = CartModel(
            self.config.model,
            vocabulary_size(self.tokenizer),
            level_sizes(self.config.identifiers, unique),
        ).to(self.device)
        self._known = known
        choosing = validation if len(validation.captions) else train_set
        self._teacher = Teacher.of(self.config.teacher, choosing)
        validate: Validate | None = None
        if len(validation.captions):
            ids = identifiers(self._prefixes(validation.embeddings))
            self.model.reserve_unique(int(ids[:, -1].max()) + 1)
            if generated is not None:
                owners = np.array(generated.flat()[1], dtype=np.int64)
                spoken = self._of_gallery(generated, owners, validation.embeddings, ids)
                known = known.joined(spoken)
            tree = PrefixTree.build(ids, self.device)
            tokens, rows = self._tokens(validation.captions), np.array(validation.rows)

            def validate(model: CartModel) -> float:
                found = Engine(model, tree, self.config.search, self.device).search(tokens, 10)
                return float((found.items == rows[:, None]).any(axis=1).mean())

        self._train(known, self.config.fit, validate, "fit")
        self._as_fitted = copy.deepcopy(self.model)
        seconds["train"] = self.progress["fit"].seconds
        return seconds

    def absorb(self, embeddings: FloatArray, generated: Generated | None) -> Mapping[str, float]:
        """Make embeddings [items, dim] the gallery; seconds by phase.

        Starts from what ``fit`` learned, whatever was absorbed since. Without generated captions
        only identifiers are given. Raises ValueError when nothing was fitted here: a saved CART
        brings its gallery but not the training pairs that a new one is learned beside.
        """
        if self._as_fitted is None or self._known is None:
            raise ValueError("fit the model before it is given a gallery")
        _, quantizers = self._fitted()
        clock = time.perf_counter()
        model = self.model = copy.deepcopy(self._as_fitted)
        prefixes = self._prefixes(embeddings)
        gallery = identifiers(prefixes)
        self._take(model, gallery)
        seconds = {"identifiers": time.perf_counter() - clock}
        self._unexplained = unexplained_variance(quantizers, embeddings, prefixes)
        self._learned, self._embeddings = None, embeddings
        if generated is not None:
            self._learned = self._of_rows(np.arange(len(gallery)), generated)
            examples = self._share_of_known().joined(self._learned.pairs)
            self._train(examples, self.config.absorb, None, "absorb")
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
        if self._embeddings is not None:
            self._embeddings = np.concatenate([self._embeddings, embeddings])

    def remove(self, rows: Sequence[int]) -> None:
        """Take gallery rows out; those behind them move up. One item at least must stay."""
        model, tree = self._indexed()
        assert self.gallery is not None
        left = tree.without(rows)
        self._learned = self._learned.without(rows) if self._learned else None
        if self._embeddings is not None:
            self._embeddings = np.delete(self._embeddings, list(rows), axis=0)
        self._hold(model, np.delete(self.gallery, list(rows), axis=0), left)

    def adapt(self, rows: Sequence[int], generated: Generated) -> Mapping[str, float]:
        """Learn gallery rows that were added from what was ``generated`` of each; seconds by phase.

        A short training on these pairs beside ``config.rehearsal`` old ones for each, drawn from
        ``config.known_share`` of the training pairs and from what taught the rest of the gallery.
        A teacher labels the latter anew: they may mean what was added. Identifiers and prefix tree
        stay as they are. Raises ValueError where a row is not in the gallery, and when
        nothing was fitted here, as ``absorb`` does.
        """
        if self._known is None or self.gallery is None:
            raise ValueError("fit the model and index a gallery before it learns what was added")
        if len(generated.texts) != len(rows):
            raise ValueError(f"captions of {len(generated.texts)} items for {len(rows)} rows")
        if len(rows) and not 0 <= min(rows) <= max(rows) < len(self.gallery):
            raise ValueError(f"a row is not among the gallery's {len(self.gallery)}")
        new = self._of_rows(np.array(rows, dtype=np.int64), generated)
        if not len(new.rows):
            return {}
        rehearsed = self._rehearsed(round(self.config.rehearsal * len(new.rows)))
        self._train(new.pairs.joined(rehearsed), self.config.adapt, None, "adapt")
        self._learned = self._learned.with_more(new) if self._learned else new
        return {"train": self.progress["adapt"].seconds}

    def search(self, queries: Sequence[str], k: int) -> Answer:
        """The k best gallery rows of each query, by constrained beam search."""
        model, tree = self._indexed()
        if self._engine is None:
            self._engine = Engine(model, tree, self.config.search, self.device)
        return self._engine.search(self._tokens(queries), k)

    def explain(self, query: str, k: int) -> Written:
        """How the search for one query went, with the beam that ``search`` came to for it."""
        model, tree = self._indexed()
        beam = max(k, int(self.search([query], k).beams[0]))
        (tokens,) = self._tokens([query])
        rule = self.config.search.renormalise
        return beam_tree(model, tree, tokens, beam, rule, self.device)

    def diagnose(self, queries: Sequence[str], relevant: IntArray) -> Mapping[str, float]:
        """Number of parameters, figures of the identifiers, the accuracy of each token for queries
        whose gallery rows ``relevant`` [queries] are, and how exact the beam is for them."""
        model, tree = self._indexed()
        assert self.gallery is not None
        sizes = level_sizes(self.config.identifiers, 1)
        tokens = self._tokens(queries)
        return {
            "parameters": float(sum(one.numel() for one in model.parameters())),
            **identifier_figures(self.gallery, sizes, self._unexplained),
            **token_accuracy(model, tree, self.gallery, tokens, relevant, self.device),
            **certificate_figures(model, tree, tokens, self.config.search, self.device),
        }

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
        self._known = self._learned = self._as_fitted = self._unexplained = None
        self._embeddings = None

    def _prefixes(self, embeddings: FloatArray) -> IntArray:
        assert self.quantizers is not None
        assignment = self.config.identifiers.assignment
        return assign_together(self.quantizers, embeddings, assignment)

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        assert self.tokenizer is not None
        return encode(self.tokenizer, texts, self.config.model.max_tokens)

    def _of_gallery(
        self, generated: Generated, owners: IntArray, embeddings: FloatArray, ids: IntArray
    ) -> Examples:
        """What was generated, as examples to learn; ``owners`` [texts] are rows of the gallery of
        embeddings [items, dim] and identifiers [items, length]."""
        texts, _ = generated.flat()
        candidates = labels(self._teacher, generated, owners, embeddings, ids)
        return Examples(self._tokens(texts), candidates, np.full(len(texts), -1))

    def _of_rows(self, rows: IntArray, generated: Generated) -> Learned:
        """What was generated of gallery rows, as examples to learn."""
        assert self.gallery is not None and self._embeddings is not None
        owners = rows[generated.flat()[1]]
        examples = self._of_gallery(generated, owners, self._embeddings, self.gallery)
        vectors = None if self._teacher is None else generated.vectors
        return Learned(examples, owners, vectors, generated.seen)

    def _rehearsed(self, most: int) -> Examples:
        """At most so many of the pairs that were learned, as the gallery is now."""
        assert self._known is not None
        known = self._share_of_known()
        if self._learned is None:
            return sample(known, most, self.seed)
        share = len(known.tokens) / max(1, len(known.tokens) + len(self._learned.rows))
        places = drawn(len(self._learned.rows), most - round(share * most), self.seed)
        old = self._learned.taken(places)
        pairs = old.pairs
        if self._teacher is not None and old.vectors is not None:
            assert self._embeddings is not None and self.gallery is not None
            again = Generated((), "rehearsed", old.seen, old.vectors)
            told = self._teacher.labels(again, old.rows, self._embeddings, self.gallery)
            pairs = replace(pairs, candidates=told)
        return sample(known, round(share * most), self.seed).joined(pairs)

    def _share_of_known(self) -> Examples:
        assert self._known is not None
        share = self.config.known_share
        if share == 1:
            return self._known
        return sample(self._known, round(share * len(self._known.tokens)), self.seed)

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
            model,
            examples,
            config,
            self.seed,
            validate,
            checkpoint,
            self.monitor,
            processes=self.processes,
        )

    def _fitted(self) -> tuple[CartModel, Quantizers]:
        if self.model is None or self.quantizers is None:
            raise ValueError("fit the model before it is given a gallery")
        return self.model, self.quantizers

    def _indexed(self) -> tuple[CartModel, PrefixTree]:
        if self.model is None or self.tree is None:
            raise ValueError("index a gallery before searching it")
        return self.model, self.tree


def _digest(model: CartModel, examples: Examples, config: TrainConfig, seed: int) -> str:
    """Names a training run by all that decides it."""
    digest = hashlib.blake2b(digest_size=12)
    digest.update(json.dumps([asdict(config), seed], sort_keys=True).encode())
    digest.update(json.dumps([list(row) for row in examples.tokens]).encode())
    candidates = examples.candidates
    for array in (candidates.identifiers, candidates.rows, candidates.weights):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(examples.items.tobytes())
    for value in model.state_dict().values():
        digest.update(value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
