"""Further items of a twin's generator, and which of the texts that are asked are true of them.

They are drawn as the twin's own are, from random numbers of their own. They answer no query, and
yet a text that tells part of a scene may be true of one: that is counted, since no retriever can
then know which item was meant. An item of which all that is said of a test item is true would be
as right an answer as that item, and is not drawn.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from datasets.twins.audiocaps_mini import FORM as SHORT
from datasets.twins.clip_file import H264, MPEG4, Encoding, available
from datasets.twins.clotho_mini import FORM as LONG
from datasets.twins.motion_meaning import fits as fits_moving_scene
from datasets.twins.moving_items import scene_at as moving_scene_at
from datasets.twins.moving_items import write_scene
from datasets.twins.moving_scenes import MovingScene
from datasets.twins.mscoco_mini import CROWD
from datasets.twins.scene_captions import fits as fits_scene
from datasets.twins.scene_items import picture, scene_at
from datasets.twins.scenes import SPARSE, Scene
from datasets.twins.sound_captions import fits as fits_soundscape
from datasets.twins.sound_items import scape_at, write_sound
from datasets.twins.soundscapes import Form, Soundscape
from datasets.twins.spots import Spot
from datasets.twins.telling import agrees

QUALITY = 90
SPLIT = "distractor"
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Family:
    """How one twin's further items are made. Its content is a scene, moving scene or soundscape.

    draw    the content of a spot
    write   (path, spot, content): the media file
    shown   the content of one of the twin's own examples
    things  what a content holds that a mention may be of
    fits    (meaning, content): whether a caption's meaning is true of a content
    """

    suffix: str
    draw: Callable[[Spot], Any]
    write: Callable[[Path, Spot, Any], None]
    shown: Callable[[Any], Any]
    things: Callable[[Any], Sequence[object]]
    fits: Callable[[Any, Any], bool]


def _pictures(crowd: Mapping[int, float]) -> Family:
    def write(path: Path, spot: Spot, scene: Scene) -> None:
        picture(spot, scene).save(path, quality=QUALITY)

    return Family(
        ".jpg",
        partial(scene_at, crowd=crowd),
        write,
        lambda example: example.scene,
        lambda scene: scene.objects,
        fits_scene,
    )


def _clips(suffix: str, encoding: Callable[[], Encoding]) -> Family:
    def write(path: Path, spot: Spot, scene: MovingScene) -> None:
        write_scene(path, spot, encoding())

    return Family(
        suffix,
        moving_scene_at,
        write,
        lambda example: example.scene,
        lambda scene: scene.movers,
        fits_moving_scene,
    )


def _sounds(suffix: str, form: Form) -> Family:
    def write(path: Path, spot: Spot, scape: Soundscape) -> None:
        write_sound(path, spot, scape)

    return Family(
        suffix,
        partial(scape_at, form=form),
        write,
        lambda example: example.scape,
        lambda scape: scape.events,
        fits_soundscape,
    )


FAMILIES: Mapping[str, Family] = {
    "flickr30k-mini": _pictures(SPARSE),
    "mscoco-mini": _pictures(CROWD),
    "clotho-mini": _sounds(".wav", LONG),
    "audiocaps-mini": _sounds(".flac", SHORT),
    "msrvtt-mini": _clips(".mp4", lambda: H264 if available(H264) else MPEG4),
    "msvd-mini": _clips(".avi", lambda: MPEG4),
}


def spot_of(twin: str, seed: int, place: int) -> Spot:
    """Where a further item stands; no item of the twin's own splits stands there."""
    return Spot(f"further/{twin}/{seed}", SPLIT, place)


def words_of(text: str) -> str:
    """A text without what the layouts of the datasets change of it: case and punctuation."""
    return " ".join(_WORD.findall(text.lower()))


class Questions:
    """What is said of a twin's test items, to be held against contents.

    examples  the test items, each with its captions
    """

    def __init__(self, family: Family, examples: Sequence[Any]) -> None:
        self._family = family
        self._contents = [family.shown(one) for one in examples]
        told = [caption for one in examples for caption in one.captions]
        self._texts = [words_of(caption.text) for caption in told]
        self._meanings = [caption.meaning for caption in told]
        ends = list(accumulate((len(one.captions) for one in examples), initial=0))
        self._of_item = [range(first, end) for first, end in pairwise(ends)]
        self._mentions = {mention for one in self._meanings for mention in one.mentions}

    @property
    def items(self) -> int:
        """How many test items there are."""
        return len(self._of_item)

    @property
    def texts(self) -> Sequence[str]:
        """The captions of the test items in turn, as ``words_of`` leaves them."""
        return self._texts

    def true_of(self, content: Any) -> frozenset[int]:
        """The numbers of the captions that are true of a content."""
        things = self._family.things(content)
        there = {one for one in self._mentions if any(agrees(one, thing) for thing in things)}
        return frozenset(
            number
            for number, meaning in enumerate(self._meanings)
            if there.issuperset(meaning.mentions) and self._family.fits(meaning, content)
        )

    def as_right_as_an_item(self, true: frozenset[int]) -> bool:
        """Whether all captions of some test item are among those numbers."""
        return any(true.issuperset(said) for said in self._of_item)

    def true_of_other_items(self) -> Counter[int]:
        """Number of a caption -> of how many test items it is true, its own aside."""
        found: Counter[int] = Counter()
        for content, own in zip(self._contents, self._of_item, strict=True):
            found.update(self.true_of(content).difference(own))
        return found
