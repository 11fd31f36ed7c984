"""The twin: its layout, that it repeats itself, and that it asks what it claims to ask."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from datasets.twins.flickr30k_mini import SHARES, example, make
from datasets.twins.parallel import split_sizes
from datasets.twins.scene_captions import (
    SHAPE_WORDS,
    Meaning,
    Mention,
    claims,
    describe,
    fits,
    identifying_share,
)
from datasets.twins.scene_rendering import PAINT, SIDE, render
from datasets.twins.scenes import OPPOSITE, Scene, Shape, relation, sample_scene, sibling
from tests.datasets.written import file_digests

ITEMS = 36


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twin")
    make(folder, ITEMS, seed=3)
    return folder


def _annotations(folder: Path) -> dict[str, list[dict[str, object]]]:
    loaded: dict[str, list[dict[str, object]]] = json.loads(
        (folder / "dataset_flickr30k.json").read_text(encoding="utf-8")
    )
    return loaded


def test_layout_is_that_of_karpathys_flickr30k(twin: Path) -> None:
    annotations = _annotations(twin)
    assert annotations["dataset"] == "flickr30k"
    images = annotations["images"]
    assert [image["imgid"] for image in images] == list(range(ITEMS))
    assert Counter(image["split"] for image in images) == split_sizes(ITEMS, SHARES)
    for image in images:
        assert set(image) == {"sentids", "imgid", "sentences", "split", "filename"}
        sentences = image["sentences"]
        assert isinstance(sentences, list)
        assert len(sentences) == 5
        assert [sentence["sentid"] for sentence in sentences] == image["sentids"]
        for sentence in sentences:
            assert set(sentence) == {"tokens", "raw", "imgid", "sentid"}
            assert sentence["imgid"] == image["imgid"]
            assert " ".join(sentence["tokens"]) in " ".join(
                sentence["raw"].lower().translate(str.maketrans(",.;:", "    ")).split()
            )
    named = {str(image["filename"]) for image in images}
    assert named == {path.name for path in (twin / "flickr30k-images").iterdir()}
    with Image.open(twin / "flickr30k-images" / sorted(named)[0]) as picture:
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (SIDE, SIDE))


def test_same_seed_gives_the_same_bytes_whatever_the_workers(twin: Path, tmp_path: Path) -> None:
    make(tmp_path / "again", ITEMS, seed=3, workers=2)
    assert file_digests(tmp_path / "again") == file_digests(twin)


def test_another_seed_gives_other_pictures_and_captions(twin: Path, tmp_path: Path) -> None:
    make(tmp_path / "other", ITEMS, seed=4)
    other, ours = file_digests(tmp_path / "other"), file_digests(twin)
    assert set(other) == set(ours)
    assert all(other[name] != ours[name] for name in ours)


def test_no_two_pictures_and_no_two_captions_of_an_item_are_alike(twin: Path) -> None:
    digests = [value for name, value in file_digests(twin).items() if name.endswith(".jpg")]
    assert len(set(digests)) == ITEMS
    for image in _annotations(twin)["images"]:
        sentences = image["sentences"]
        assert isinstance(sentences, list)
        assert len({sentence["raw"] for sentence in sentences}) == 5


@pytest.mark.parametrize("items", [3, 10, 100, 3600])
def test_split_sizes_add_up(items: int) -> None:
    sizes = split_sizes(items, SHARES)
    assert sum(sizes.values()) == items
    assert min(sizes.values()) >= 1


def test_default_splits() -> None:
    assert split_sizes(3600, SHARES) == {"train": 2800, "val": 300, "test": 500}


def test_too_few_items_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 3 items, not 2"):
        make(tmp_path, 2, seed=0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_every_caption_is_true_of_its_scene(seed: int) -> None:
    scene = sample_scene(random.Random(seed))
    for one in (scene, sibling(scene, random.Random(seed))):
        for caption in describe(one, random.Random(seed + 1)):
            assert fits(caption.meaning, one)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_relations_are_told_from_both_sides(seed: int) -> None:
    scene = sample_scene(random.Random(seed))
    for first in range(len(scene.objects)):
        for second in range(len(scene.objects)):
            said = relation(scene, first, second) if first != second else None
            if said is not None:
                assert relation(scene, second, first) == OPPOSITE[said]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_objects_lie_within_the_picture(seed: int) -> None:
    scene = sample_scene(random.Random(seed))
    for one in (scene, sibling(scene, random.Random(seed))):
        for shape in one.objects:
            assert shape.radius <= shape.x <= 1 - shape.radius
            assert shape.radius <= shape.y <= 1 - shape.radius


def _two(first: Shape, second: Shape) -> Scene:
    return Scene("grey", (first, second))


RED_STAR = Shape("star", "red", "large", "solid", 0.25, 0.5, 0.18)
BLUE_DISC = Shape("circle", "blue", "small", "striped", 0.75, 0.5, 0.1)


def test_fits_reads_bindings_relations_background_and_count() -> None:
    scene = _two(RED_STAR, BLUE_DISC)
    star, disc = Mention("star", "red", None, None), Mention("circle", None, None, "striped")
    assert fits(Meaning((star, disc), ((0, "left of", 1),), "grey", 2), scene)
    assert fits(Meaning((disc, star), ((0, "right of", 1),)), scene)
    assert not fits(Meaning((star, disc), ((0, "right of", 1),)), scene)
    assert not fits(Meaning((Mention("star", "blue", None, None),)), scene)
    assert not fits(Meaning((star,), (), "sand"), scene)
    assert not fits(Meaning((star,), (), None, 3), scene)
    assert not fits(Meaning((star, star)), scene)


def test_wording_says_what_the_meaning_says() -> None:
    """The shape, told by a reader who knows only the synonyms, is the one meant."""
    for place in range(40):
        for caption in example(0, "test", place).captions:
            text = caption.text.lower()
            for mention in caption.meaning.mentions:
                if mention.shape is not None:
                    assert any(word in text for word in SHAPE_WORDS[mention.shape])


def _hits(
    texts: list[tuple[int, Meaning]], matches: Callable[[Meaning, int], bool], n: int
) -> float:
    """Expected R@1 when one of the matching scenes is taken at random."""
    chances = []
    for row, meaning in texts:
        found = [place for place in range(n) if matches(meaning, place)]
        chances.append(1.0 / len(found) if row in found else 0.0)
    return float(np.mean(chances))


def test_a_bag_of_words_does_not_solve_it() -> None:
    """A reader without bindings and relations is clearly behind one with them."""
    made = [example(0, "test", place) for place in range(150)]
    scenes = [one.scene for one in made]
    texts = [(row, caption.meaning) for row, one in enumerate(made) for caption in one.captions[:2]]
    bags = [_bag(scene) for scene in scenes]

    def by_words(meaning: Meaning, place: int) -> bool:
        return not Counter(claims(meaning)) - bags[place]

    def by_meaning(meaning: Meaning, place: int) -> bool:
        return fits(meaning, scenes[place])

    words, meanings = _hits(texts, by_words, 150), _hits(texts, by_meaning, 150)
    assert meanings > 0.85
    assert words < meanings - 0.15


def _bag(scene: Scene) -> Counter[str]:
    words = Counter([scene.background])
    for shape in scene.objects:
        words.update([shape.shape, shape.colour, shape.size, shape.fill])
    places = range(len(scene.objects))
    words.update(str(relation(scene, i, j)) for i in places for j in places if i != j)
    return words


def test_most_captions_single_out_their_item() -> None:
    made = [example(0, "test", place) for place in range(500)]
    captions = [(row, one.captions[0].meaning) for row, one in enumerate(made)]
    share = identifying_share(captions, [one.scene for one in made])
    assert 0.7 < share < 0.9


def test_captions_have_the_length_of_human_ones() -> None:
    texts = [caption.text for p in range(200) for caption in example(0, "test", p).captions]
    assert 11 < np.mean([len(text.split()) for text in texts]) < 15


def test_pictures_show_the_colours_where_the_scene_says() -> None:
    scene = _two(RED_STAR, replace(BLUE_DISC, fill="solid"))
    pixels = np.asarray(render(scene, random.Random(0))).astype(float)
    for shape in scene.objects:
        seen = pixels[round(shape.y * SIDE), round(shape.x * SIDE)]
        distance = {
            colour: float(np.abs(seen - np.array(paint)).sum()) for colour, paint in PAINT.items()
        }
        assert min(distance, key=lambda colour: distance[colour]) == shape.colour
