"""The encoder of the tiny dual tower: two small networks trained here, on the training pairs."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from datasets.base import Item, Modality, Pairs
from retrievers.base import FloatArray, Settings
from retrievers.encoders.tiny.caption_tokens import tokenize, train_tokenizer
from retrievers.encoders.tiny.images import TinyImages
from retrievers.encoders.tiny.kept_towers import KeptTowers
from retrievers.encoders.tiny.medium import Medium
from retrievers.encoders.tiny.sounds import TinySounds
from retrievers.encoders.tiny.towers import TextSizes, TextTower, Towers, pad
from retrievers.encoders.tiny.training import Captioned, Schedule, train
from retrievers.encoders.tiny.videos import TinyVideos
from retrievers.progress import Bars

_LOG = logging.getLogger(__name__)
_WEIGHTS, _TOKENIZER, _ABOUT = "towers.safetensors", "tokenizer.json", "about.json"
_VALIDATION_ITEMS, _VALIDATION_CAPTIONS = 1000, 5
KEPT_BYTES = 2 << 30
# A matrix product may round otherwise at the ragged edge of a batch: on blocks of one size a
# row has the same bits in whatever company it is encoded.
_BLOCK = 16
_DECODED_AT_ONCE = 16 * _BLOCK


@dataclass(frozen=True)
class TinyConfig:
    """All that decides what is trained, beside the data and the seed.

    dim     of the space that both towers share
    recipe  counts the changes to the networks and their training that no other field shows
    """

    image: TinyImages = field(default_factory=TinyImages)
    sound: TinySounds = field(default_factory=TinySounds)
    video: TinyVideos = field(default_factory=TinyVideos)
    text: TextSizes = field(default_factory=TextSizes)
    schedule: Schedule = field(default_factory=Schedule)
    dim: int = 256
    vocabulary: int = 600
    recipe: int = 2

    def medium(self, modality: Modality) -> Medium:
        """The settings of one modality."""
        mediums: dict[Modality, Medium] = {
            "image": self.image,
            "audio": self.sound,
            "video": self.video,
        }
        return mediums[modality]

    def options(self) -> dict[str, str | int | float | bool | None]:
        """The fields as a flat mapping of JSON scalars."""
        return dict(_flat(asdict(self)))

    def deciding(self, modality: Modality) -> str:
        """What decides the towers of one modality, as JSON: the other modalities do not."""
        shared = asdict(self)
        for part in ("image", "sound", "video"):
            del shared[part]
        return json.dumps([self.reading(modality), shared], sort_keys=True)

    def reading(self, modality: Modality) -> str:
        """How items of a modality are read and encoded, as JSON."""
        return json.dumps([modality, asdict(cast(Any, self.medium(modality)))], sort_keys=True)


class TinyDualEncoder:
    """Meets ``retrievers.base.Encoder``; the training items decide the modality of its items.

    Before ``fit`` or ``load`` its towers are those of images, with random weights.

    cache  folder for trained towers; None keeps nothing and looks nothing up
    """

    def __init__(self, config: TinyConfig, seed: int, device: str, cache: Path | None) -> None:
        self._config = config
        self._seed = seed
        self._device = torch.device(device)
        self._kept = None if cache is None else KeptTowers(cache / "towers")
        self._modality: Modality = "image"
        self._tokenizer = train_tokenizer([], config.vocabulary)
        self._towers = self._random_towers()

    @staticmethod
    def from_settings(settings: Settings) -> TinyDualEncoder:
        return TinyDualEncoder(TinyConfig(), settings.seed, settings.device, settings.cache)

    @property
    def dim(self) -> int:
        return self._config.dim

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits over the weights, the tokenizer and how items are read."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(self._config.reading(self._modality).encode())
        digest.update(self._tokenizer.to_str().encode())
        for name, values in sorted(self._towers.state_dict().items()):
            digest.update(name.encode())
            digest.update(values.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        """Train the towers, or take them from the cache; seconds by phase.

        For towers from the cache "train, earlier" is what their training took then, so that the
        cost of a retriever does not hang on which was run first.
        What was read of the training items is held in memory up to 2 GiB (about 170,000
        pictures, 70,000 sounds or videos); a larger set is decoded anew at each step. At
        most 1,000 validation items are used, each with its first five captions.
        Raises ValueError when there is no training caption or the items are of several
        modalities, MediaError for a broken file.
        """
        modality, choosing = _modality_of(train), _first(validation)
        if self._kept is None:
            return self._learn(modality, train, choosing)
        started = time.perf_counter()
        made_by = f"{self._config.deciding(modality)} seed {self._seed} on {self._device.type}"
        key = KeptTowers.key(made_by, (train, choosing))
        earlier = self._kept.seconds(key)
        if earlier is None:
            seconds = self._learn(modality, train, choosing)
            self._kept.keep(key, self.save, seconds)
            return seconds
        self.load(self._kept.folder(key))
        _LOG.info("using the towers trained earlier, in %s", self._kept.folder(key))
        return {"load": time.perf_counter() - started, "train, earlier": earlier["train"]}

    @torch.no_grad()
    def encode_items(self, items: Sequence[Item]) -> FloatArray:
        """[items, dim]. Raises MediaError for an item that is not of the modality learned, or
        that cannot be decoded.
        """
        vectors = np.zeros((len(items), self.dim), np.float32)
        medium = self._medium
        for first in range(0, len(items), _DECODED_AT_ONCE):
            read = medium.read(items[first : first + _DECODED_AT_ONCE])
            for start in range(0, len(read), _BLOCK):
                kept = read[start : start + _BLOCK]
                block = torch.cat([kept, kept.new_zeros(_BLOCK - len(kept), *kept.shape[1:])])
                encoded = self._towers.item(medium.values(block).to(self._device)).cpu()
                place = first + start
                vectors[place : place + len(kept)] = encoded[: len(kept)]
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
        """Write the weights (safetensors), the tokenizer and the modality (JSON)."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: one.cpu().contiguous() for name, one in self._towers.state_dict().items()}
        save_file(weights, folder / _WEIGHTS)
        (folder / _TOKENIZER).write_text(self._tokenizer.to_str(), encoding="utf-8")
        about = {"modality": self._modality, **asdict(self._config)}
        (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Restore what ``save`` wrote.

        Raises FileNotFoundError where a file is missing, ValueError for a modality that is
        none, and RuntimeError (naming the keys) where the weights are those of other networks.
        """
        tokenizer = Tokenizer.from_str((folder / _TOKENIZER).read_text(encoding="utf-8"))
        modality = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))["modality"]
        if modality not in get_args(Modality):
            raise ValueError(f"{folder / _ABOUT}: there are no towers for {modality!r}")
        weights = load_file(folder / _WEIGHTS)
        towers = _towers(self._config, modality, tokenizer)
        towers.load_state_dict(weights)
        self._modality, self._tokenizer = modality, tokenizer
        self._towers = towers.to(self._device).eval()

    @property
    def _medium(self) -> Medium:
        return self._config.medium(self._modality)

    def _random_towers(self) -> Towers:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            towers = _towers(self._config, self._modality, self._tokenizer)
        return towers.to(self._device).eval()

    def _learn(self, modality: Modality, train: Pairs, validation: Pairs) -> dict[str, float]:
        started = time.perf_counter()
        self._modality = modality
        self._tokenizer = train_tokenizer(train.captions, self._config.vocabulary)
        self._towers = self._random_towers()
        learn, choose = self._captioned(train), self._captioned(validation)
        decoded = time.perf_counter()
        score = self._train(learn, choose)
        _LOG.info("trained on %s items, validation R@1 %.3f", modality, score)
        return {"decode": decoded - started, "train": time.perf_counter() - decoded}

    def _train(self, learn: Captioned, choose: Captioned) -> float:
        self._towers.train()
        bars = Bars()
        with torch.random.fork_rng(devices=[]), bars.shown():
            torch.manual_seed(self._seed)
            schedule = self._config.schedule
            return train(self._towers, self._medium, learn, choose, schedule, self._seed, bars.step)

    def _captioned(self, pairs: Pairs) -> Captioned:
        """The items that have captions, decoded once where they fit in memory."""
        own: dict[int, list[str]] = defaultdict(list)
        for caption, row in zip(pairs.captions, pairs.rows, strict=True):
            own[row].append(caption)
        items = [pairs.items[row] for row in own]
        captions = [tokenize(self._tokenizer, said) for said in own.values()]
        medium = self._medium
        if len(items) * medium.bytes_per_item <= KEPT_BYTES:
            kept = medium.read(items)
            return Captioned(lambda rows: kept[list(rows)], captions)
        return Captioned(lambda rows: medium.read([items[row] for row in rows]), captions)


def _towers(config: TinyConfig, modality: Modality, tokenizer: Tokenizer) -> Towers:
    text = TextTower(config.text, tokenizer.get_vocab_size(), config.dim)
    return Towers(config.medium(modality).network(config.dim), text)


def _modality_of(train: Pairs) -> Modality:
    if not train.captions:
        raise ValueError("the tiny towers learn from training captions, and there are none")
    found = sorted({item.modality for item in train.items})
    if len(found) > 1:
        raise ValueError(f"the tiny towers learn one modality at a time, not {', '.join(found)}")
    return found[0]


def _first(validation: Pairs) -> Pairs:
    """The first validation items and their first captions: enough to choose by, quick to rank."""
    told: dict[int, int] = defaultdict(int)
    kept = []
    for place, row in enumerate(validation.rows):
        told[row] += 1
        if row < _VALIDATION_ITEMS and told[row] <= _VALIDATION_CAPTIONS:
            kept.append(place)
    return Pairs(
        validation.items[:_VALIDATION_ITEMS],
        tuple(validation.captions[place] for place in kept),
        tuple(validation.rows[place] for place in kept),
    )


def _flat(settings: Mapping[str, Any]) -> list[tuple[str, str | int | float | bool | None]]:
    flat: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat += [(f"{name}.{inner}", one) for inner, one in _flat(value)]
        else:
            joined = "-".join(map(str, value)) if isinstance(value, tuple) else value
            flat.append((name, joined))
    return flat
