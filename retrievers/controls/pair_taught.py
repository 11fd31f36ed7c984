"""The dual tower on the same pairs as CART, behind the harness's contract.

Where CART and this control differ, the paradigm differs: the text encoder's layers, the tokenizer,
the pairs of human and generated captions, the number of steps, their schedule and what they are
chosen by are CART's own. It learns to point into the frozen space of the item embeddings from
which CART's identifiers are made, and compares with every item.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from cart.captions import Captioned, Generated
from cart.config import CartConfig, TrainConfig
from cart.rehearsal import sample
from cart.targets import Targets
from cart.teacher import Teacher, labels
from cart.tokenizer import encode, pad, train_tokenizer
from cart.training import Examples, optimise
from datasets.base import Item, Pairs
from retrievers import item_embeddings
from retrievers.base import (
    Encoder,
    FloatArray,
    IndexStats,
    IntArray,
    Ranking,
    RetrieverSpec,
    check_depth,
)
from retrievers.captioners.contract import Captioner
from retrievers.captioners.vectors import TextVectors, generated_for
from retrievers.controls.text_tower import TextTower, contrastive
from retrievers.indexes import TorchExact
from retrievers.kept_gallery import KeptGallery, distinct_ids
from retrievers.progress import Bars

TEXTS_AT_ONCE = 128


class SamePairs:
    """As in CART, ``fit`` learns the pairs, and ``index`` the gallery's generated captions beside
    them, starting from what ``fit`` learned.
    """

    def __init__(
        self,
        spec: RetrieverSpec,
        encoder: Encoder,
        captioner: Captioner | None,
        config: CartConfig,
        seed: int,
        device: str = "cpu",
    ) -> None:
        self._spec, self._encoder, self._captioner = spec, encoder, captioner
        self._config, self._seed, self._device = config, seed, device
        self._bars = Bars()
        self._tokenizer: Tokenizer | None = None
        self._tower: TextTower | None = None
        self._as_fitted: TextTower | None = None
        self._known: tuple[Examples, FloatArray] | None = None
        self._teacher: Teacher | None = None
        self._vectors: TextVectors | None = None
        self._gallery: KeptGallery[FloatArray] | None = None
        self._index = TorchExact(device)

    @property
    def spec(self) -> RetrieverSpec:
        return self._spec

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        """Fit the encoder where it can be, then the text tower; seconds by phase.

        Validation items are treated as CART's are: their generated captions are learned and
        their human captions only choose the best epoch by R@10.
        """
        seconds = {f"encoder_{k}": v for k, v in self._encoder.fit(train, validation).items()}
        clock = time.perf_counter()
        captioned = item_embeddings.captioned(self._encoder, train)
        chosen_on = item_embeddings.captioned(self._encoder, validation)
        seconds["encode"] = time.perf_counter() - clock
        self._gallery = None
        self._vectors = TextVectors.for_teacher(self._config.teacher, self._encoder, captioned)
        clock = time.perf_counter()
        generated = None
        if self._captioner is not None:
            self._captioner.fit(train, captioned)
            generated = self._generated(validation.items, chosen_on.embeddings)
        seconds["captions"] = time.perf_counter() - clock
        clock = time.perf_counter()
        self._learn_pairs(captioned, chosen_on, generated)
        seconds["train"] = time.perf_counter() - clock
        return seconds

    def index(self, items: Sequence[Item]) -> IndexStats:
        """Learn a gallery from generated captions, and make it the one that is searched.

        Raises ValueError when nothing was fitted here: a saved one brings its gallery but not
        the training pairs that a new one is learned beside.
        """
        if self._as_fitted is None or self._known is None:
            raise ValueError("fit the tower before it is given a gallery")
        ids = distinct_ids([item.id for item in items])
        clock = time.perf_counter()
        vectors = self._encoder.encode_items(items)
        seconds = {"encode": time.perf_counter() - clock}
        clock = time.perf_counter()
        generated = self._generated(items, vectors)
        seconds["captions"] = time.perf_counter() - clock
        clock = time.perf_counter()
        self._tower = copy.deepcopy(self._as_fitted)
        known, targets = self._known
        if generated is not None:
            kept = sample(known, round(self._config.known_share * len(known.tokens)), self._seed)
            examples = kept.joined(self._of_items(generated, vectors, len(targets)))
            self._train(examples, np.concatenate([targets, vectors]), self._config.absorb)
        seconds["train"] = time.perf_counter() - clock
        self._take(KeptGallery(ids, vectors))
        return IndexStats(seconds, self._index.bytes + 4 * self._parameters())

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        """Exact search for the nearest items."""
        check_depth(k)
        self._indexed()
        return self._index.search(self._encode(queries), k)

    def add(self, items: Sequence[Item]) -> None:
        """Append items; nothing is trained. Raises ValueError for an id that is there already."""
        more = self._indexed().with_more(
            items, self._encoder.encode_items, lambda one, other: np.concatenate([one, other])
        )
        self._take(more)

    def remove(self, ids: Sequence[str]) -> None:
        """Take items out; rows behind them move up. Raises ValueError for an unknown id."""
        self._take(self._indexed().without(ids, lambda vectors, kept: vectors[kept]))

    def diagnose(self, queries: Sequence[str], relevant: IntArray) -> Mapping[str, float]:
        """The number of its parameters, to be held against CART's."""
        return {"parameters": float(self._parameters())}

    def save(self, folder: Path) -> None:
        """Write encoder, tower and gallery. Raises ValueError when nothing was indexed."""
        gallery = self._indexed()
        tower, tokenizer = self._fitted()
        (folder / "encoder").mkdir(parents=True, exist_ok=True)
        self._encoder.save(folder / "encoder")
        tokenizer.save(str(folder / "tokenizer.json"))
        save_file(tower.state_dict(), folder / "tower.safetensors")
        save_arrays(
            {"vectors": np.ascontiguousarray(gallery.vectors)}, folder / "gallery.safetensors"
        )
        (folder / "gallery.json").write_text(json.dumps(gallery.ids), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Restore what ``save`` wrote; a new gallery needs ``fit`` first."""
        self._encoder.load(folder / "encoder")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        vectors = load_arrays(folder / "gallery.safetensors")["vectors"]
        tower = self._new_tower(self._tokenizer, vectors.shape[1])
        tower.load_state_dict(load_file(folder / "tower.safetensors", device=self._device))
        self._tower, self._known, self._as_fitted = tower.eval(), None, None
        ids = tuple(json.loads((folder / "gallery.json").read_text(encoding="utf-8")))
        self._take(KeptGallery(ids, vectors))

    def _learn_pairs(
        self, train: Captioned, validation: Captioned, generated: Generated | None
    ) -> None:
        self._tokenizer = train_tokenizer(train.captions, self._config.vocabulary)
        torch.manual_seed(self._seed)
        self._tower = self._new_tower(self._tokenizer, train.embeddings.shape[1])
        owners = np.array(train.rows, dtype=np.int64)
        known = Examples.sure(self._tokens(train.captions), owners[:, None], owners)
        self._known = known, train.embeddings
        choosing = validation if len(validation.captions) else train
        self._teacher = Teacher.of(self._config.teacher, choosing)
        if len(validation.captions) and generated is not None:
            spoken = self._of_items(generated, validation.embeddings, len(train.embeddings))
            known = known.joined(spoken)
        targets = np.concatenate([train.embeddings, validation.embeddings])
        self._train(known, targets, self._config.fit, _score_of(validation, self._encode))
        self._as_fitted = copy.deepcopy(self._tower)

    def _train(
        self,
        examples: Examples,
        targets: FloatArray,
        config: TrainConfig,
        validate: Callable[[], float] | None = None,
    ) -> None:
        """Train towards the items' vectors, targets [items, dim], whose rows the examples name."""
        tower, _ = self._fitted()
        items = torch.from_numpy(np.ascontiguousarray(targets)).to(self._device)
        items = torch.nn.functional.normalize(items, dim=1)

        def loss(ids: Tensor, mask: Tensor, targets: Targets) -> Tensor:
            return contrastive(tower(ids, mask), items, targets, tower.scale)

        with self._bars.shown():
            optimise(tower, loss, examples, config, self._seed, validate, monitor=self._bars.step)

    def _new_tower(self, tokenizer: Tokenizer, dim: int) -> TextTower:
        tower = TextTower(self._config.model, tokenizer.get_vocab_size(), dim)
        return tower.to(self._device)

    def _generated(self, items: Sequence[Item], vectors: FloatArray) -> Generated | None:
        return generated_for(items, vectors, self._captioner, self._vectors)

    def _of_items(self, generated: Generated, vectors: FloatArray, first: int) -> Examples:
        """What was generated of items with vectors [items, dim], which stand from row ``first``
        on, labelled as CART labels it."""
        texts, rows = generated.flat()
        own = first + np.arange(len(vectors))[:, None]
        owners = np.array(rows, dtype=np.int64)
        candidates = labels(self._teacher, generated, owners, vectors, own)
        return Examples(self._tokens(texts), candidates, np.full(len(texts), -1))

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        _, tokenizer = self._fitted()
        return encode(tokenizer, texts, self._config.model.max_tokens)

    @torch.no_grad()
    def _encode(self, texts: Sequence[str]) -> FloatArray:
        """[texts, dim]. Alike lengths share a batch."""
        tower, _ = self._fitted()
        vectors = np.zeros((len(texts), tower.head.out_features), np.float32)
        tokens = self._tokens(texts)
        order = np.argsort([len(row) for row in tokens], kind="stable")
        for start in range(0, len(order), TEXTS_AT_ONCE):
            rows = order[start : start + TEXTS_AT_ONCE]
            ids, mask = pad([tokens[row] for row in rows], self._device)
            vectors[rows] = tower(ids, mask).cpu().numpy()
        return vectors

    def _parameters(self) -> int:
        tower, _ = self._fitted()
        return sum(one.numel() for one in tower.parameters())

    def _take(self, gallery: KeptGallery[FloatArray]) -> None:
        self._index.build(gallery.vectors)
        self._gallery = gallery

    def _fitted(self) -> tuple[TextTower, Tokenizer]:
        if self._tower is None or self._tokenizer is None:
            raise ValueError(f"{self._spec.name} has learned nothing: call fit first")
        return self._tower, self._tokenizer

    def _indexed(self) -> KeptGallery[FloatArray]:
        if self._gallery is None:
            raise ValueError(f"{self._spec.name} has no gallery: call index first")
        return self._gallery


def _score_of(
    validation: Captioned, encode_texts: Callable[[Sequence[str]], FloatArray]
) -> Callable[[], float] | None:
    """R@10 of the validation captions among the validation items; None where there are none."""
    if not len(validation.captions):
        return None
    index = TorchExact()
    index.build(validation.embeddings)
    right = np.array(validation.rows)[:, None]

    def score() -> float:
        found = index.search(encode_texts(validation.captions), 10)
        return float((found.ids == right).any(axis=1).mean())

    return score
