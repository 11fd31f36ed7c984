"""Image captioning by a network of transformers, from a hub id or a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Literal

from cart.captions import Captioned, Generated
from datasets.base import ByteArray, Item, Modality, Pairs
from datasets.media.files import MediaError
from datasets.media.images import decode_images
from datasets.media.sampling import FrameSampling
from datasets.media.videos import decode_clips
from retrievers.base import Availability, FloatArray, Settings
from retrievers.captioners.captioning_network import CaptioningNetwork, open_network
from retrievers.captioners.contract import Captioner, Source
from retrievers.captioners.kept_captions import KeptCaptions
from retrievers.embedding_cache import item_key
from retrievers.encoders.towers import Placement
from retrievers.progress import Bars
from retrievers.weights import releases
from retrievers.weights.releases import TRANSFORMERS, Located

MODALITIES: tuple[Modality, ...] = ("image", "video")
# Rows of a batch, each a caption being written.
_ROWS = 128


@dataclass(frozen=True)
class Decoding:
    """How captions are written.

    method    "sample": drawn from the ``top_p`` nucleus of each token's distribution, which
              makes them differ as people's do, by numbers that the picture itself seeds;
              "beam": the most likely ones, which resemble each other
    captions  of an item at most: what comes twice is kept once
    tokens    of a caption at most
    frames    of a video that are captioned, each the middle of an equal part
    """

    method: Literal["sample", "beam"] = "sample"
    captions: int = 30
    top_p: float = 0.9
    tokens: int = 30
    frames: int = 4


class MediaModel:
    """Captions pictures, and videos by some of their frames; what was said is kept on disk."""

    remarks: Sequence[str] = ()

    def __init__(
        self, source: Source, network: CaptioningNetwork, decoding: Decoding, kept: KeptCaptions
    ) -> None:
        self._source, self._network, self._decoding = source, network, decoding
        self._kept = kept

    @property
    def source(self) -> Source:
        return self._source

    def fit(self, train: Pairs, captioned: Captioned) -> Mapping[str, float]:
        """The network stays as it was released."""
        return {}

    def captions(self, items: Sequence[Item], embeddings: FloatArray) -> Generated:
        """Raises MediaError for a file that cannot be read, and for a sound."""
        for item in items:
            if item.modality not in MODALITIES:
                raise MediaError(
                    item,
                    f"is {item.modality}, and {self._source.name} captions pictures and videos: "
                    "choose captioner=neighbours, file:PATH or none",
                )
        keys = [item_key(item) for item in items]
        said = self._kept.find(dict.fromkeys(keys))
        missing = {key: item for key, item in zip(keys, items, strict=True) if key not in said}
        said |= self._say_anew(missing)
        return Generated([said[key] for key in keys], self._source.name, seen=True)

    def _say_anew(self, missing: Mapping[bytes, Item]) -> dict[bytes, tuple[str, ...]]:
        bars, said = Bars(), dict[bytes, tuple[str, ...]]()
        at_once = max(1, _ROWS // self._decoding.captions)
        pictures = zip(missing, self._pictures(list(missing.values())), strict=True)
        with bars.shown() if len(missing) > at_once else nullcontext():
            while batch := list(islice(pictures, at_once)):
                fresh = self._written(batch)
                self._kept.add(fresh)
                said |= fresh
                bars.step(f"captions by {self._source.name}", len(said), len(missing))
        return said

    def _written(
        self, batch: Sequence[tuple[bytes, Sequence[ByteArray]]]
    ) -> dict[bytes, tuple[str, ...]]:
        most, of_item = self._decoding.captions, len(batch[0][1])
        each = -(-most // of_item)
        flat = [picture for _, pictures in batch for picture in pictures]
        seeds = [_seed(key, place) for key, pictures in batch for place in range(len(pictures))]
        if self._decoding.method == "beam":
            written = self._network.likeliest(flat, each, self._decoding.tokens)
        else:
            written = self._network.drawn(
                flat, each, self._decoding.tokens, self._decoding.top_p, seeds
            )
        return {
            key: _in_turn(written[row * of_item : (row + 1) * of_item])[:most]
            for row, (key, _) in enumerate(batch)
        }

    def _pictures(self, items: Sequence[Item]) -> Iterator[Sequence[ByteArray]]:
        """What is looked at of each item, as many pictures of each item of a modality."""
        if items and items[0].modality == "video":
            for clip in decode_clips(items, FrameSampling(self._decoding.frames)):
                yield list(clip.frames)
            return
        for pixels in decode_images(items):
            yield [pixels]


@dataclass(frozen=True)
class MediaModelAdapter:
    """Opens the network that ``weights`` names: a folder or a hub id, which is fetched once."""

    weights: str
    decoding: Decoding
    settings: Settings

    def availability(self) -> Availability:
        state = releases.availability("the captioner", self.weights, TRANSFORMERS, "cart.captioner")
        if state.ready:
            return state
        known = "neighbours, none, file:PATH, beam:HUB_ID_OR_PATH"
        return Availability(False, f"{state.sentence} Other captioners: {known}.")

    def describe(self) -> Source:
        """Raises WeightsAbsent."""
        return self._source(releases.locate(self.weights, TRANSFORMERS))

    def build(self) -> Captioner:
        """Raises WeightsAbsent, CheckpointError."""
        located = releases.locate(self.weights, TRANSFORMERS)
        source = self._source(located)
        placement = Placement(self.settings.device, self.settings.precision)
        made_by = json.dumps(
            [source.fingerprint, dict(source.options), version("transformers")], sort_keys=True
        )
        name = hashlib.blake2b(made_by.encode(), digest_size=16).hexdigest()
        kept = KeptCaptions(self.settings.cache / "captions" / f"{name}.sqlite")
        return MediaModel(source, open_network(located, placement), self.decoding, kept)

    def _source(self, located: Located) -> Source:
        folder = Path(self.weights)
        return Source(
            name=folder.name if folder.exists() else self.weights,
            fingerprint=located.fingerprint(TRANSFORMERS),
            modalities=MODALITIES,
            options={**asdict(self.decoding), "precision": self.settings.precision},
        )


def _in_turn(of_pictures: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The captions of several pictures, first the first of each; each once, empty ones never."""
    turns = (text for turn in zip(*of_pictures, strict=True) for text in turn)
    return tuple(dict.fromkeys(filter(None, turns)))


def _seed(key: bytes, place: int) -> bytes:
    return key + place.to_bytes(2, "little")
