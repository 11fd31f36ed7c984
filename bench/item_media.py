"""The media of an item that a page can show, made once and kept by what they are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench import media_samples, thumbnails
from bench.files import digest_of
from bench.store import ResultStore
from datasets.base import Item, Modality
from datasets.media.content_digest import content_digest
from datasets.media.files import MediaError

Problem = MediaError | OSError


@dataclass(frozen=True)
class ItemMedia:
    """File names in results/media.

    thumbnail  a JPEG; "" where the item cannot be shown
    sample     a sound or a clip that can be played; "" where there is none
    """

    thumbnail: str = ""
    sample: str = ""


@dataclass(frozen=True)
class _Recipe:
    """How one file is made of an item; ``settings`` are all that decides what comes out."""

    suffix: str
    settings: tuple[object, ...]
    make: Callable[[Item], bytes]


_PICTURE = _Recipe("jpg", thumbnails.SETTINGS, thumbnails.thumbnail)
_SAMPLES: Mapping[Modality, _Recipe] = {
    "audio": _Recipe("mp3", media_samples.SOUND_SETTINGS, media_samples.sound_sample),
    "video": _Recipe("webm", media_samples.CLIP_SETTINGS, media_samples.clip_sample),
}


def media_of(item: Item, store: ResultStore) -> tuple[ItemMedia, Problem | None]:
    """The names of an item's media, which are made where the store does not hold them.

    What cannot be read, or not written as what a page can show, is absent; the first such problem
    is told.
    """
    recipes = {"thumbnail": _PICTURE}
    if item.modality in _SAMPLES:
        recipes["sample"] = _SAMPLES[item.modality]
    names: dict[str, str] = {}
    first: Problem | None = None
    for field, recipe in recipes.items():
        try:
            names[field] = _kept(recipe, item, store)
        except (MediaError, OSError) as problem:
            first = first or problem
    return ItemMedia(**names), first


def _kept(recipe: _Recipe, item: Item, store: ResultStore) -> str:
    source = content_digest(item)
    made_of = f"{item.modality} {source} {recipe.suffix} {recipe.settings!r}"
    name = f"{digest_of(made_of.encode())}.{recipe.suffix}"
    store.keep_medium(name, lambda: recipe.make(item))
    return name
