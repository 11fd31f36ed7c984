"""The video twins: their layouts, that they repeat themselves, and what they ask."""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import msrvtt, msvd, registry
from datasets.annotations import AnnotatedItem
from datasets.base import ByteArray
from datasets.media.sampling import FrameSampling
from datasets.twins import msrvtt_mini, msvd_mini
from datasets.twins.clip_file import H264, MPEG4, Encoding, available, write_clip
from datasets.twins.motion_captions import PLANS, Manner, describe
from datasets.twins.motion_meaning import Event, Meaning, Placing, claims, fits
from datasets.twins.motion_rendering import FRAME_RATE, FRAMES, frames
from datasets.twins.moving_items import scene_at
from datasets.twins.moving_sampling import sample_moving_scene, sibling
from datasets.twins.moving_scenes import (
    HEADINGS,
    PHASE_SECONDS,
    SECONDS,
    Action,
    Moment,
    Mover,
    MovingScene,
    Pose,
    State,
    deeds,
    happenings,
    mirrored,
    played_backwards,
    pose,
    relation,
)
from datasets.twins.parallel import split_sizes
from datasets.twins.scene_captions import Mention
from datasets.twins.scene_rendering import PAINT, SIDE
from datasets.twins.scenes import OPPOSITE
from datasets.twins.spots import Spot
from tests.datasets.written import file_digests
from tests.datasets.written import table as rows_of

MSRVTT_ITEMS, MSVD_ITEMS = 27, 20
SEEDS = st.integers(0, 2**32)
SIX_FRAMES = FrameSampling(6).times(SECONDS)
FRAME_TIMES = [(number + 0.5) / FRAME_RATE for number in range(FRAMES)]
ANY_MANNER = Manner(background=0.5, plans=dict.fromkeys(PLANS, 1.0))
MOMENTS: tuple[Moment, ...] = ("beginning", "end", "throughout")


@pytest.fixture(scope="module")
def msrvtt_twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("msrvtt")
    msrvtt_mini.make(folder, MSRVTT_ITEMS, seed=3)
    return folder


@pytest.fixture(scope="module")
def msvd_twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("msvd")
    msvd_mini.make(folder, MSVD_ITEMS, seed=3)
    return folder


def _decoded(path: Path) -> ByteArray:
    with av.open(str(path)) as container:
        return np.stack([one.to_ndarray(format="rgb24") for one in container.decode(video=0)])


def test_layout_is_that_of_msrvtt(msrvtt_twin: Path) -> None:
    table = json.loads((msrvtt_twin / "MSRVTT_data.json").read_text(encoding="utf-8"))
    assert set(table) == {"videos", "sentences"}
    names = [f"video{number}" for number in range(MSRVTT_ITEMS)]
    assert [video["video_id"] for video in table["videos"]] == names
    assert all(
        set(video) == {"category", "url", "video_id", "start time", "end time", "split", "id"}
        for video in table["videos"]
    )
    captions: dict[str, set[str]] = {name: set() for name in names}
    for place, sentence in enumerate(table["sentences"]):
        assert sentence.keys() == {"caption", "video_id", "sen_id"}
        assert sentence["sen_id"] == place
        captions[sentence["video_id"]].add(sentence["caption"])
    assert {len(texts) for texts in captions.values()} == {20}
    test = rows_of(msrvtt_twin / "MSRVTT_JSFUSION_test.csv")
    assert list(test[0]) == ["key", "vid_key", "video_id", "sentence"]
    assert len({row["video_id"] for row in test}) == len(test) == 6
    assert all(row["sentence"] in captions[row["video_id"]] for row in test)
    assert {path.name for path in (msrvtt_twin / "MSRVTT_Videos").iterdir()} == {
        f"{name}.mp4" for name in names
    }


def test_msrvtts_lists_are_apart_and_the_short_one_is_part_of_the_long_one(
    msrvtt_twin: Path,
) -> None:
    long = [row["video_id"] for row in rows_of(msrvtt_twin / "MSRVTT_train.9k.csv")]
    short = [row["video_id"] for row in rows_of(msrvtt_twin / "MSRVTT_train.7k.csv")]
    test = [row["video_id"] for row in rows_of(msrvtt_twin / "MSRVTT_JSFUSION_test.csv")]
    assert (len(long), len(short)) == (21, 16)
    assert set(short) < set(long)
    assert not set(long) & set(test)
    table = json.loads((msrvtt_twin / "MSRVTT_data.json").read_text(encoding="utf-8"))
    official = {video["video_id"]: video["split"] for video in table["videos"]}
    assert {official[name] for name in short} == {"train", "validate"}
    assert {official[name] for name in {*long, *test} - set(short)} == {"test"}


def test_layout_is_that_of_msvd(msvd_twin: Path) -> None:
    captions = json.loads((msvd_twin / "captions_msvd.json").read_text(encoding="utf-8"))
    lists = {
        split: (msvd_twin / f"{split}_list.txt").read_text(encoding="utf-8").split()
        for split in ("train", "val", "test")
    }
    assert {split: len(names) for split, names in lists.items()} == split_sizes(
        MSVD_ITEMS, msvd_mini.SHARES
    )
    names = [name for split in lists.values() for name in split]
    assert len(set(names)) == MSVD_ITEMS
    assert set(captions) == set(names)
    clips = {path.name for path in (msvd_twin / "YouTubeClips").iterdir()}
    assert clips == {f"{name}.avi" for name in names}
    for name in names:
        video, start, end = name.rsplit("_", 2)
        assert len(video) == 11
        assert int(end) - int(start) == SECONDS
        assert 21 <= len(captions[name]) <= 81
        assert len(set(captions[name])) > 0.9 * len(captions[name])
        for text in captions[name]:
            assert set(text) <= set("abcdefghijklmnopqrstuvwxyz ")


def _splits(items: tuple[AnnotatedItem, ...]) -> Counter[str]:
    assert all(item.path.is_file() and item.modality == "video" for item in items)
    return Counter(item.split for item in items)


def test_the_loaders_read_the_twins(msrvtt_twin: Path, msvd_twin: Path) -> None:
    read = msrvtt.read(msrvtt_twin, registry.card("msrvtt-mini")).items
    assert _splits(read) == {"train": 19, "validation": 2, "test": 6}
    assert {len(item.captions) for item in read if item.split == "test"} == {1}
    assert _splits(msvd.read(msvd_twin, registry.card("msvd-mini")).items) == {
        "train": 15,
        "validation": 2,
        "test": 3,
    }


@pytest.mark.parametrize(
    ("name", "path"), [("msrvtt", "MSRVTT_Videos/video5.mp4"), ("msvd", "YouTubeClips/*.avi")]
)
def test_clips_are_three_seconds_of_small_frames(
    name: str, path: str, msrvtt_twin: Path, msvd_twin: Path
) -> None:
    folder = {"msrvtt": msrvtt_twin, "msvd": msvd_twin}[name]
    for clip in folder.glob(path):
        assert _decoded(clip).shape == (FRAMES, SIDE, SIDE, 3)
        with av.open(str(clip)) as container:
            stream = container.streams.video[0]
            assert stream.average_rate == FRAME_RATE
            assert stream.frames == FRAMES == SECONDS * FRAME_RATE
        assert 1_000 < clip.stat().st_size < 40_000


@pytest.mark.parametrize(("maker", "items"), [(msrvtt_mini, MSRVTT_ITEMS), (msvd_mini, MSVD_ITEMS)])
def test_same_seed_gives_the_same_bytes_whatever_the_workers(
    maker: ModuleType, items: int, msrvtt_twin: Path, msvd_twin: Path, tmp_path: Path
) -> None:
    maker.make(tmp_path / "again", items, seed=3, workers=2)
    twin = msrvtt_twin if maker is msrvtt_mini else msvd_twin
    assert file_digests(tmp_path / "again") == file_digests(twin)


def test_another_seed_gives_other_clips_and_captions(msrvtt_twin: Path, tmp_path: Path) -> None:
    msrvtt_mini.make(tmp_path, MSRVTT_ITEMS, seed=4)
    other, ours = file_digests(tmp_path), file_digests(msrvtt_twin)
    assert set(other) == set(ours)
    same = {name for name in ours if ours[name] == other[name]}
    assert same == {"MSRVTT_train.9k.csv", "MSRVTT_train.7k.csv"}


def test_no_two_clips_are_alike(msrvtt_twin: Path, msvd_twin: Path) -> None:
    for folder, items in ((msrvtt_twin, MSRVTT_ITEMS), (msvd_twin, MSVD_ITEMS)):
        digests = file_digests(folder)
        clips = {value for name, value in digests.items() if name.endswith((".mp4", ".avi"))}
        assert len(clips) == items


def test_msrvtts_card_counts_what_is_made() -> None:
    splits = registry.card("msrvtt-mini").protocols[0].splits
    sizes = split_sizes(msrvtt_mini.DEFAULT_ITEMS, msrvtt_mini.SHARES)
    drawn = sizes["train"] // 10
    assert splits["train"].items == sizes["train"] - drawn
    assert splits["validation"].items == drawn
    assert splits["train"].captions == 20 * (sizes["train"] - drawn)
    assert splits["validation"].captions == 20 * drawn
    assert splits["test"].items == splits["test"].queries == sizes["test"] == 200


def test_msvds_card_counts_what_is_made() -> None:
    splits = registry.card("msvd-mini").protocols[0].splits
    sizes = split_sizes(msvd_mini.DEFAULT_ITEMS, msvd_mini.SHARES)
    assert sizes == {"train": 500, "val": 60, "test": 100}
    for split, known in (("train", "train"), ("val", "validation"), ("test", "test")):
        counts = [msvd_mini.caption_count(0, split, place) for place in range(sizes[split])]
        assert splits[known].items == sizes[split]
        assert splits[known].captions == sum(counts)
        assert min(counts) >= 21
        assert max(counts) <= 81
    assert splits["test"].queries == splits["test"].captions


def test_msvds_clips_have_about_forty_one_captions() -> None:
    counts = [msvd_mini.caption_count(0, "train", place) for place in range(500)]
    assert 39 < np.mean(counts) < 43
    assert len(msvd_mini.example(0, "train", 7).captions) == counts[7]


def test_too_few_items_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 3 items, not 2"):
        msvd_mini.make(tmp_path, 2, seed=0)


def _family(seed: int) -> tuple[MovingScene, ...]:
    scene = sample_moving_scene(random.Random(seed))
    return scene, sibling(scene, random.Random(seed)), played_backwards(scene), mirrored(scene)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_every_caption_is_true_of_its_scene(seed: int) -> None:
    for scene in _family(seed):
        for caption in describe(scene, random.Random(seed + 1), 10, ANY_MANNER):
            assert fits(caption.meaning, scene), caption.text


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_any_scene_can_be_told_in_eighty_one_ways(seed: int) -> None:
    scene = sample_moving_scene(random.Random(seed))
    captions = describe(scene, random.Random(seed), 81, msvd_mini.MANNER)
    assert len({caption.text for caption in captions}) == 81


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_relations_are_told_from_both_sides(seed: int) -> None:
    for scene in _family(seed):
        for first in range(len(scene.movers)):
            for second in range(first):
                for moment in MOMENTS:
                    said = relation(scene, first, second, moment)
                    back = relation(scene, second, first, moment)
                    assert back == (None if said is None else OPPOSITE[said])


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_movers_stay_in_the_picture_and_apart(seed: int) -> None:
    for scene in _family(seed):
        for at in FRAME_TIMES:
            poses = [pose(mover, at) for mover in scene.movers]
            for place, one in enumerate(poses):
                assert one.radius <= one.x <= 1 - one.radius
                assert one.radius <= one.y <= 1 - one.radius
                for other in poses[:place]:
                    apart = math.hypot(one.x - other.x, one.y - other.y)
                    assert apart > one.radius + other.radius


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_what_happens_shows_in_six_frames(seed: int) -> None:
    """Three of the six lie in each phase, and a phase takes 1.5 s."""
    assert PHASE_SECONDS >= 1.0
    for scene in _family(seed):
        for mover in scene.movers:
            poses = [pose(mover, at) for at in SIX_FRAMES]
            for action in set(mover.actions):
                phases = [phase for phase in (0, 1) if mover.actions[phase] == action]
                begin, end = mover.track[min(phases)], mover.track[max(phases) + 1]
                seen = poses[3 * min(phases) : 3 * max(phases) + 3]
                _shows(action, mover, begin, end, seen)


def _shows(action: Action, mover: Mover, begin: State, end: State, seen: list[Pose]) -> None:
    xs, ys = [one.x for one in seen], [one.y for one in seen]
    if action in HEADINGS:
        across, down = HEADINGS[action]
        moved = (end.x - begin.x) * across + (end.y - begin.y) * down
        assert moved > 0.25
        assert (xs[-1] - xs[0]) * across + (ys[-1] - ys[0]) * down > 0.2
    elif action == "circles":
        assert np.ptp(xs) > 0.2
        assert np.ptp(ys) > 0.15
    elif action in ("grows", "shrinks"):
        radii = (begin.radius, end.radius)
        assert (radii[0] < radii[1]) == (action == "grows")
        assert max(radii) > 1.7 * min(radii)
        assert mover.size is None
    elif action == "blinks":
        assert [one.visible for one in seen[:3]] == [True, False, True]
    elif action == "spins":
        assert mover.shape != "circle"
        assert all(abs(b.turn - a.turn) > 30 for a, b in pairwise(seen))
    else:
        assert len(set(seen)) == 1


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_a_clip_played_backwards_shows_the_same_frames_in_the_other_order(seed: int) -> None:
    scene = sample_moving_scene(random.Random(seed))
    back = played_backwards(scene)
    for at in FRAME_TIMES:
        for one, other in zip(scene.movers, back.movers, strict=True):
            a, b = pose(one, at), pose(other, SECONDS - at)
            assert a.visible == b.visible
            assert (a.x, a.y, a.radius, a.turn) == pytest.approx((b.x, b.y, b.radius, b.turn))
    assert played_backwards(back) == scene


def _still(x: float, y: float) -> tuple[State, State, State]:
    return (State(x, y, 0.12, 0.0),) * 3


RED_STAR = Mover(
    "star", "red", "small", "solid", ("right", "rests"),
    (State(0.2, 0.3, 0.12, 0.0), State(0.6, 0.3, 0.12, 0.0), State(0.6, 0.3, 0.12, 0.0)), 1,
)  # fmt: skip
BLUE_BOX = Mover("square", "blue", "small", "outlined", ("rests", "spins"), _still(0.4, 0.7), 1)
GREEN_DISC = Mover("circle", "green", "small", "solid", ("rests", "rests"), _still(0.8, 0.7), 1)
SCENE = MovingScene("sand", (RED_STAR, BLUE_BOX, GREEN_DISC))
STAR, BOX = Mention("star", "red", None, None), Mention("square", None, None, "outlined")
DISC = Mention(None, "green", None, None)


def test_fits_reads_bindings_and_what_is_done() -> None:
    right, spins = Event(0, "right"), Event(1, "spins")
    assert fits(Meaning((STAR, BOX), (right, spins), "before"), SCENE)
    assert fits(Meaning((STAR,), (Event(0, "right"),), background="sand", count=3), SCENE)
    assert fits(Meaning((DISC,), (Event(0, "rests"),)), SCENE)
    for wrong in (
        Meaning((STAR, BOX), (spins, right), "before"),
        Meaning((STAR, BOX), (right, spins), "while"),
        Meaning((BOX, STAR), (right, spins)),
        Meaning((STAR,), (Event(0, "left"),)),
        Meaning((STAR,), (Event(0, "rests"),)),
        Meaning((STAR,), background="sky"),
        Meaning((STAR,), count=2),
        Meaning((replace(STAR, colour="blue"),)),
        Meaning((STAR, STAR)),
    ):
        assert not fits(wrong, SCENE)


def test_fits_reads_places_at_their_moment() -> None:
    placings = {
        moment: {
            side
            for side in OPPOSITE
            if fits(Meaning((STAR, BOX), places=(Placing(0, side, 1, moment),)), SCENE)
        }
        for moment in ("beginning", "end", "throughout")
    }
    assert placings == {"beginning": {"above"}, "end": {"above"}, "throughout": {"above"}}
    discs = Meaning((DISC, BOX), places=(Placing(0, "right of", 1, "throughout"),))
    assert fits(discs, SCENE)


def test_a_mover_passes_what_it_comes_to_be_beyond() -> None:
    met = {(one.actor, one.action, one.target) for one in happenings(SCENE)}
    assert met == {(0, "right", None), (0, "passes", 1), (1, "spins", None), (2, "rests", None)}


def test_a_mover_approaches_and_seen_backwards_leaves() -> None:
    wall = replace(GREEN_DISC, track=_still(0.87, 0.3))
    scene = MovingScene("sand", (RED_STAR, wall))
    assert (0, "approaches", 1) in {(h.actor, h.action, h.target) for h in happenings(scene)}
    back = happenings(played_backwards(scene))
    assert (0, "leaves", 1) in {(h.actor, h.action, h.target) for h in back}


def test_a_bag_of_words_does_not_solve_it() -> None:
    """A reader without bindings and order is clearly behind one with them."""
    for maker, items, captions in ((msrvtt_mini, 150, 2), (msvd_mini, 100, 3)):
        made = [maker.example(0, "test", place) for place in range(items)]
        bags = [_bag(one.scene) for one in made]
        by_words, by_meaning = [], []
        for row, one in enumerate(made):
            for caption in one.captions[:captions]:
                said = Counter(claims(caption.meaning))
                fitting = [fits(caption.meaning, other.scene) for other in made]
                holding = [not said - bag for bag in bags]
                assert fitting[row]
                assert holding[row]
                by_meaning.append(1 / sum(fitting))
                by_words.append(1 / sum(holding))
        assert np.mean(by_meaning) > 0.85
        assert np.mean(by_words) < np.mean(by_meaning) - 0.2
        assert 0.75 < np.mean(np.array(by_meaning) == 1) < 0.95


def test_words_alone_never_tell_siblings_apart_and_most_meanings_do() -> None:
    told = []
    for seed in range(150):
        scene = sample_moving_scene(random.Random(seed))
        other = sibling(scene, random.Random(seed))
        assert _bag(other) == _bag(scene)
        captions = describe(scene, random.Random(seed), 10, msrvtt_mini.MANNER)
        told += [not fits(caption.meaning, other) for caption in captions]
    assert np.mean(told) > 0.75


def test_frames_out_of_order_cannot_tell_many_siblings_and_their_captions_can() -> None:
    """Those whose clip is the other's played backwards, with the same words."""
    backwards = [
        (scene, back)
        for scene in (sample_moving_scene(random.Random(seed)) for seed in range(300))
        if (back := played_backwards(scene)) and deeds(back) == deeds(scene)
        if happenings(back) != happenings(scene)
    ]
    assert len(backwards) > 90
    told = []
    for place, (scene, back) in enumerate(backwards):
        if place < 12:
            forwards, reverse = (frames(one, random.Random(0)) for one in (scene, back))
            assert np.abs(forwards - reverse[::-1].astype(float)).mean() < 0.05
        captions = describe(scene, random.Random(place), 10, msrvtt_mini.MANNER)
        told += [not fits(c.meaning, back) for c in captions if c.meaning.order == "before"]
    assert np.mean(told) > 0.95


def _bag(scene: MovingScene) -> Counter[str]:
    """Its words; those of time are in every bag, since each scene has moments and an order."""
    words = Counter([scene.background, "before", "while", *MOMENTS])
    for mover in scene.movers:
        words.update([mover.shape, mover.colour, str(mover.size), mover.fill])
    words.update(deeds(scene))
    places = range(len(scene.movers))
    for first in places:
        for second in places:
            for moment in MOMENTS:
                side = relation(scene, first, second, moment) if first != second else None
                words.update([] if side is None else [side])
    return words


def test_about_half_of_the_items_are_siblings() -> None:
    made = [scene_at(Spot("any/0", "train", place)) for place in range(600)]
    pairs = sum(
        _looks(a) == _looks(b) and deeds(a) == deeds(b)
        for a, b in zip(made[::2], made[1::2], strict=True)
    )
    assert 0.4 < 2 * pairs / len(made) < 0.65


def _looks(scene: MovingScene) -> tuple[str, Counter[str], Counter[str]]:
    colours = Counter(mover.colour for mover in scene.movers)
    return scene.background, colours, Counter(mover.shape for mover in scene.movers)


def test_the_later_of_two_events_is_often_told_first() -> None:
    scene = replace(SCENE, movers=(RED_STAR, BLUE_BOX))
    earlier_first = []
    for seed in range(400):
        for caption in describe(scene, random.Random(seed), 5, ANY_MANNER):
            places = [re.search(words, caption.text) for words in ("star", "square|box")]
            if caption.meaning.order == "before" and places[0] and places[1]:
                earlier_first.append(places[0].start() < places[1].start())
    assert len(earlier_first) > 200
    assert 0.35 < np.mean(earlier_first) < 0.65


def test_frames_show_the_colours_where_the_scene_says() -> None:
    disc = replace(BLUE_BOX, fill="solid")
    clip = frames(replace(SCENE, movers=(RED_STAR, disc, GREEN_DISC)), random.Random(0))
    assert clip.shape == (FRAMES, SIDE, SIDE, 3)
    for number, at in enumerate(FRAME_TIMES):
        for mover in (RED_STAR, disc, GREEN_DISC):
            where = pose(mover, at)
            seen = clip[number, round(where.y * SIDE), round(where.x * SIDE)].astype(float)
            distance = {
                colour: float(np.abs(seen - np.array(paint)).sum())
                for colour, paint in PAINT.items()
            }
            assert min(distance, key=lambda colour: distance[colour]) == mover.colour


@pytest.mark.parametrize(("encoding", "suffix"), [(H264, "mp4"), (MPEG4, "mp4"), (MPEG4, "avi")])
def test_a_written_clip_shows_what_was_drawn(
    encoding: Encoding, suffix: str, tmp_path: Path
) -> None:
    if not available(encoding):
        pytest.skip(f"this build of FFmpeg has no {encoding.codec}")
    drawn = frames(SCENE, random.Random(0))
    path = tmp_path / f"clip.{suffix}"
    write_clip(path, drawn, FRAME_RATE, encoding)
    difference = np.abs(_decoded(path).astype(int) - drawn.astype(int))
    assert difference.mean() < 6
