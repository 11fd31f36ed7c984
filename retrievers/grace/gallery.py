"""A gallery as GRACE knows it: learned, searched, written to disk and read again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from cart.captions import Captioned, Generated
from cart.monitor import Monitor
from cart.prefix_tree import ENDED, PrefixTree
from cart.search import Answer, search
from cart.tokenizer import encode
from cart.training import Examples, optimise
from retrievers.grace.config import GraceConfig
from retrievers.grace.model import GraceModel, Lessons
from retrievers.grace.schemes import Known, Scheme, options

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Gallery:
    """A trained model with the identifiers [items, positions] of the items that it is asked for."""

    config: GraceConfig
    tokenizer: Tokenizer
    model: GraceModel
    identifiers: IntArray
    tree: PrefixTree
    device: str

    def search(self, queries: Sequence[str], k: int) -> Answer:
        """The k best rows of each query; their scores are divided by length to the power of the
        penalty once the beam has ended, so that length decides only among what it found."""
        kept = max(k, self.config.search.beam)
        tokens = encode(self.tokenizer, queries, self.config.model.max_tokens)
        found = search(self.model, self.tree, tokens, kept, self.config.search, self.device)
        # transformers counts the end that GRACE writes behind an identifier as one token more.
        lengths = (self.identifiers != ENDED).sum(axis=1) + 1
        scores = penalised(found.scores, lengths[found.items], self.config.length_penalty)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return Answer(
            np.take_along_axis(found.items, order, axis=1),
            np.take_along_axis(scores, order, axis=1),
            found.tokens_decoded,
            # A longer identifier may lose less by the division than it lost by its tokens.
            np.zeros(len(tokens), dtype=np.bool_),
            found.beams,
        )

    @property
    def bytes(self) -> int:
        """Bytes that serving needs: parameters, a frozen matrix and the prefix tree."""
        state = self.model.state_dict().values()
        return self.tree.bytes + sum(one.numel() * one.element_size() for one in state)


def penalised(scores: FloatArray, lengths: IntArray, penalty: float) -> FloatArray:
    """Log-probabilities over length ** penalty, as beam searches finish a sequence."""
    divided: FloatArray = (scores / np.float32(lengths) ** np.float32(penalty)).astype(np.float32)
    return divided


def learn(
    train: Captioned,
    embeddings: FloatArray,
    generated: Generated,
    tokenizer: Tokenizer,
    scheme: Scheme,
    config: GraceConfig,
    seed: int,
    device: str = "cpu",
    monitor: Monitor | None = None,
) -> Gallery:
    """Give training items and a gallery of embeddings [items, dim] their identifiers and learn
    them all.

    Queries are the captions of the training items and, for the gallery, what was ``generated``
    of it. Human captions of gallery items have no way in.
    """
    lent = generated.texts
    known = Known(train, embeddings, lent, tokenizer)
    torch.manual_seed(seed)
    assigned = scheme.assign(known, config.model.width, seed, monitor)
    dim = embeddings.shape[1]
    model = GraceModel(config.model, tokenizer.get_vocab_size(), dim, assigned.tokens).to(device)
    texts = [*train.captions, *(caption for captions in lent for caption in captions)]
    own = np.array(train.rows, dtype=np.int64)
    borrowers = np.repeat(np.arange(len(lent)), [len(captions) for captions in lent])
    rows = np.concatenate([own, len(train.embeddings) + borrowers])
    examples = Examples.sure(
        encode(tokenizer, texts, config.model.max_tokens),
        assigned.identifiers[rows],
        np.concatenate([own, np.full(len(borrowers), -1)]),
    )
    lessons = Lessons(
        model,
        torch.from_numpy(known.embeddings).to(device),
        torch.from_numpy(assigned.identifiers).to(device),
        config.memorised if scheme.memorises else 0,
    )
    optimise(model, lessons.loss, examples, config.train, seed, monitor=monitor)
    gallery = assigned.identifiers[len(train.embeddings) :]
    return Gallery(config, tokenizer, model, gallery, PrefixTree.build(gallery, device), device)


def save(gallery: Gallery, scheme: Scheme, folder: Path) -> None:
    """Write all that a search needs: safetensors for the arrays, JSON for the rest."""
    folder.mkdir(parents=True, exist_ok=True)
    model = gallery.model
    save_file(model.state_dict(), folder / "model.safetensors")
    save_file(
        {"identifiers": torch.from_numpy(np.ascontiguousarray(gallery.identifiers))},
        folder / "identifiers.safetensors",
    )
    gallery.tokenizer.save(str(folder / "tokenizer.json"))
    shape = {
        "options": {**options(scheme), **gallery.config.flat()},
        "sizes": list(model.written.sizes),
        "dim": model.item.in_features,
    }
    (folder / "grace.json").write_text(json.dumps(shape, indent=1), encoding="utf-8")


def load(folder: Path, scheme: Scheme, config: GraceConfig, device: str = "cpu") -> Gallery:
    """Read what ``save`` wrote. Raises ValueError when it was of other options."""
    shape = json.loads((folder / "grace.json").read_text(encoding="utf-8"))
    mine = json.loads(json.dumps({**options(scheme), **config.flat()}))
    if shape["options"] != mine:
        differing = sorted(key for key in mine if shape["options"].get(key) != mine[key])
        raise ValueError(f"{folder} was saved with other options: {differing}")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokens = scheme.tokens(config.model.width, shape["sizes"])
    model = GraceModel(config.model, tokenizer.get_vocab_size(), shape["dim"], tokens).to(device)
    model.load_state_dict(load_file(folder / "model.safetensors", device=device))
    identifiers = load_file(folder / "identifiers.safetensors")["identifiers"].numpy()
    tree = PrefixTree.build(identifiers, device)
    return Gallery(config, tokenizer, model.eval(), identifiers, tree, device)
