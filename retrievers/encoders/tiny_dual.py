"""The tiny dual tower: two small networks trained here, on the training pairs alone.

What was trained is kept under ``cache/towers`` by a digest of the training pairs, the
configuration and the seed, and is used again, by whichever retriever asks for it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from datasets.base import Item, Pairs
from datasets.media.files import read_bytes
from datasets.media.images import decode_images
from retrievers.base import Availability, FloatArray, Retriever, RetrieverSpec, Settings
from retrievers.dual_tower import DualTower
from retrievers.encoders.caption_tokens import tokenize, train_tokenizer
from retrievers.encoders.tiny_towers import Towers, TowerSizes, normalise_pixels, pad
from retrievers.encoders.tiny_training import Captioned, Schedule, train
from retrievers.indexes import TorchExact

NAME = "tiny-dual"
LICENCE = "Apache-2.0"

_LOG = logging.getLogger(__name__)
_WEIGHTS, _TOKENIZER, _ABOUT = "towers.safetensors", "tokenizer.json", "about.json"
_SECONDS = "seconds.json"
_MOST_VALIDATION = 1000
KEPT_BYTES = 2 << 30
# A matrix product may round otherwise at the ragged edge of a batch: on blocks of one size a
# row has the same bits in whatever company it is encoded.
_BLOCK = 16


@dataclass(frozen=True)
class TinyConfig:
    """All that decides what is trained, beside the data and the seed.

    recipe  counts the changes to the networks and their training that no other field shows
    """

    sizes: TowerSizes = field(default_factory=TowerSizes)
    schedule: Schedule = field(default_factory=Schedule)
    vocabulary: int = 600
    recipe: int = 1

    def options(self) -> dict[str, str | int | float | bool | None]:
        """The fields as a flat mapping of JSON scalars."""
        both = {**asdict(self.sizes), **asdict(self.schedule)}
        both["channels"] = "-".join(str(width) for width in self.sizes.channels)
        return {**both, "vocabulary": self.vocabulary, "recipe": self.recipe}


class TinyDualEncoder:
    """Meets ``retrievers.base.Encoder``; before ``fit`` or ``load`` its weights are random.

    cache  folder for trained towers; None keeps nothing and looks nothing up
    """

    def __init__(self, config: TinyConfig, seed: int, device: str, cache: Path | None) -> None:
        self._config = config
        self._seed = seed
        self._device = torch.device(device)
        self._cache = cache
        self._tokenizer = train_tokenizer([], config.vocabulary)
        self._towers = self._random_towers()

    @staticmethod
    def from_settings(settings: Settings) -> TinyDualEncoder:
        return TinyDualEncoder(TinyConfig(), settings.seed, settings.device, settings.cache)

    @property
    def dim(self) -> int:
        return self._config.sizes.dim

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits over the weights, the tokenizer and the picture size."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(json.dumps(asdict(self._config.sizes)).encode())
        digest.update(self._tokenizer.to_str().encode())
        for name, values in sorted(self._towers.state_dict().items()):
            digest.update(name.encode())
            digest.update(values.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        """Train the towers, or take them from the cache; seconds by phase.

        For towers from the cache "train, earlier" is what their training took then, so that the
        cost of a retriever does not hang on which was run first.
        The decoded training pictures are held in memory up to 2 GiB (about 170,000 pictures);
        a larger set is decoded anew at each step. At most 1,000 validation pictures are used.
        Raises ValueError when there is no training caption, MediaError for a broken file.
        """
        if not train.captions:
            raise ValueError(f"{NAME} learns from training captions, and there are none")
        started = time.perf_counter()
        folder = self._kept_at(train, validation)
        if folder is not None and (folder / _SECONDS).is_file():
            self.load(folder)
            _LOG.info("%s: using the towers trained earlier, in %s", NAME, folder)
            earlier = json.loads((folder / _SECONDS).read_text(encoding="utf-8"))
            return {"load": time.perf_counter() - started, "train, earlier": earlier["train"]}
        self._tokenizer = train_tokenizer(train.captions, self._config.vocabulary)
        self._towers = self._random_towers()
        learn, choose = self._captioned(train), self._captioned(_first(validation))
        decoded = time.perf_counter()
        score = self._train(learn, choose)
        _LOG.info("%s: trained, validation R@1 %.3f", NAME, score)
        seconds = {"decode": decoded - started, "train": time.perf_counter() - decoded}
        if folder is not None:
            self._keep(folder, seconds)
        return seconds

    @torch.no_grad()
    def encode_items(self, items: Sequence[Item]) -> FloatArray:
        """[items, dim]. Raises MediaError for a file that cannot be decoded."""
        side = self._config.sizes.image_side
        vectors = np.zeros((len(items), self.dim), np.float32)
        pictures = decode_images(items, (side, side))
        for start in range(0, len(items), _BLOCK):
            rows = range(start, min(start + _BLOCK, len(items)))
            block = np.zeros((_BLOCK, side, side, 3), np.uint8)
            for place, _ in enumerate(rows):
                block[place] = next(pictures)
            pixels = normalise_pixels(_channels_first(block)).to(self._device)
            vectors[rows.start : rows.stop] = self._towers.image(pixels).cpu()[: len(rows)]
        return vectors

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """[texts, dim]. Only texts of one length share a batch, so that none is padded."""
        vectors = np.zeros((len(texts), self.dim), np.float32)
        sequences = tokenize(self._tokenizer, texts)
        by_length: dict[int, list[int]] = defaultdict(list)
        for row, sequence in enumerate(sequences):
            by_length[len(sequence)].append(row)
        for rows in by_length.values():
            for start in range(0, len(rows), _BLOCK):
                some = rows[start : start + _BLOCK]
                filled = [sequences[row] for row in some]
                filled += [filled[0]] * (_BLOCK - len(some))
                tokens, lengths = pad(filled)
                encoded = self._towers.text(tokens.to(self._device), lengths)
                vectors[some] = encoded.cpu()[: len(some)]
        return vectors

    def save(self, folder: Path) -> None:
        """Write the weights (safetensors) and the tokenizer (JSON) into ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: one.cpu().contiguous() for name, one in self._towers.state_dict().items()}
        save_file(weights, folder / _WEIGHTS)
        (folder / _TOKENIZER).write_text(self._tokenizer.to_str(), encoding="utf-8")
        (folder / _ABOUT).write_text(json.dumps(asdict(self._config)), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Restore what ``save`` wrote.

        Raises FileNotFoundError where a file is missing, and RuntimeError (naming the keys)
        where the weights are those of other networks.
        """
        tokenizer = Tokenizer.from_str((folder / _TOKENIZER).read_text(encoding="utf-8"))
        weights = load_file(folder / _WEIGHTS)
        towers = Towers(self._config.sizes, tokenizer.get_vocab_size())
        towers.load_state_dict(weights)
        self._tokenizer = tokenizer
        self._towers = towers.to(self._device).eval()

    def _random_towers(self) -> Towers:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            towers = Towers(self._config.sizes, self._tokenizer.get_vocab_size())
        return towers.to(self._device).eval()

    def _train(self, learn: Captioned, choose: Captioned) -> float:
        self._towers.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            return train(self._towers, learn, choose, self._config.schedule, self._seed)

    def _captioned(self, pairs: Pairs) -> Captioned:
        """The pictures that have captions, decoded once where they fit in memory."""
        own: dict[int, list[str]] = defaultdict(list)
        for caption, row in zip(pairs.captions, pairs.rows, strict=True):
            own[row].append(caption)
        items = [pairs.items[row] for row in own]
        captions = [tokenize(self._tokenizer, said) for said in own.values()]
        side = self._config.sizes.image_side
        if len(items) * side * side * 3 <= KEPT_BYTES:
            kept = _decode(items, side)
            return Captioned(lambda rows: kept[list(rows)], captions)
        return Captioned(lambda rows: _decode([items[row] for row in rows], side), captions)

    def _kept_at(self, train: Pairs, validation: Pairs) -> Path | None:
        if self._cache is None:
            return None
        digest = hashlib.blake2b(digest_size=16)
        digest.update(json.dumps(asdict(self._config), sort_keys=True).encode())
        digest.update(f"seed {self._seed} on {self._device.type}".encode())
        for pairs in (train, _first(validation)):
            digest.update(json.dumps([pairs.captions, pairs.rows]).encode())
            for item in pairs.items:
                digest.update(_content_digest(item))
        return self._cache / "towers" / digest.hexdigest()

    def _keep(self, folder: Path, seconds: Mapping[str, float]) -> None:
        """Write to a temporary name first: a killed run leaves no half of a tower."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix="part-", dir=folder.parent))
        self.save(part)
        (part / _SECONDS).write_text(json.dumps(seconds), encoding="utf-8")
        try:
            part.replace(folder)
        except OSError:
            shutil.rmtree(part)
            # Another process may have kept the same towers meanwhile; anything else is an error.
            if not (folder / _SECONDS).is_file():
                raise


class TinyDualAdapter:
    """Builds ``tiny-dual``: the tiny dual tower with an exact index. Needs no weights."""

    def availability(self, settings: Settings) -> Availability:
        return Availability(True, "trained here on the training pairs")

    def describe(self, settings: Settings) -> RetrieverSpec:
        return _spec(TinyConfig())

    def build(self, settings: Settings) -> Retriever:
        encoder = TinyDualEncoder.from_settings(settings)
        return DualTower(self.describe(settings), encoder, partial(TorchExact, settings.device))

    def tiny(self, seed: int) -> Retriever:
        config = tiny_config()
        encoder = TinyDualEncoder(config, seed, "cpu", cache=None)
        spec = replace(_spec(config), weights="random")
        return DualTower(spec, encoder, TorchExact)


def tiny_config() -> TinyConfig:
    """Towers small enough for tests; their training is a matter of a second."""
    sizes = TowerSizes(image_side=32, channels=(8, 8, 8, 16), detectors=32, text_width=16, dim=32)
    schedule = Schedule(epochs=1, least_steps=4, batch=16, warm_up_steps=2, evaluations=2)
    return TinyConfig(sizes, schedule, vocabulary=300)


def _spec(config: TinyConfig) -> RetrieverSpec:
    return RetrieverSpec(
        name=NAME,
        paradigm="dual tower",
        modalities=("image",),
        weights="trained here",
        licence=LICENCE,
        options=config.options(),
    )


def _first(validation: Pairs) -> Pairs:
    """The pairs of the first validation pictures: enough to choose by, and quick to rank."""
    kept = [place for place, row in enumerate(validation.rows) if row < _MOST_VALIDATION]
    return Pairs(
        validation.items[:_MOST_VALIDATION],
        tuple(validation.captions[place] for place in kept),
        tuple(validation.rows[place] for place in kept),
    )


def _decode(items: Sequence[Item], side: int) -> Tensor:
    pictures = np.zeros((len(items), side, side, 3), np.uint8)
    for place, picture in enumerate(decode_images(items, (side, side))):
        pictures[place] = picture
    return _channels_first(pictures)


def _channels_first(pictures: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Tensor:
    """[n, 3, side, side], with the channels of a pixel still side by side in memory."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2)


def _content_digest(item: Item) -> bytes:
    if isinstance(item.media, Path):
        return hashlib.blake2b(read_bytes(item), digest_size=16).digest()
    array = np.ascontiguousarray(item.media)
    return hashlib.blake2b(str(array.shape).encode() + array.tobytes(), digest_size=16).digest()
