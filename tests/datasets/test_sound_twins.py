"""The twins of sounds: layouts, that they repeat themselves, that they ask what they claim."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import protocol_card, registry
from datasets.annotations import count
from datasets.loading import loader_of
from datasets.twins import audiocaps_mini, clotho_mini
from datasets.twins.parallel import split_sizes
from datasets.twins.sound_captions import Meaning, claims, describe, fits
from datasets.twins.sound_synthesis import CENTRES, RATE, render
from datasets.twins.sound_words import SOURCE_WORDS, Mention
from datasets.twins.soundscapes import (
    BACKGROUNDS,
    OPPOSITE,
    REST,
    SOURCES,
    Event,
    Form,
    Soundscape,
    relation,
    sample_soundscape,
    sibling,
)
from tests.datasets.written import file_digests, table

ITEMS = 24
TWINS = (clotho_mini, audiocaps_mini)
TEST = {clotho_mini: "evaluation", audiocaps_mini: "test"}
FORMS = (clotho_mini.FORM, audiocaps_mini.FORM)


def _name(twin: ModuleType) -> str:
    return twin.__name__.rpartition(".")[2]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[ModuleType, Path]:
    made = {twin: tmp_path_factory.mktemp(_name(twin)) for twin in TWINS}
    for twin, folder in made.items():
        twin.make(folder, ITEMS, 3)
    return made


def test_clothos_layout(folders: dict[ModuleType, Path]) -> None:
    folder = folders[clotho_mini]
    sizes = split_sizes(ITEMS, clotho_mini.SHARES)
    names = []
    for split, size in sizes.items():
        rows = table(folder / f"clotho_captions_{split}.csv")
        assert list(rows[0]) == ["file_name", *(f"caption_{n}" for n in range(1, 6))]
        assert len(rows) == size
        assert {row["file_name"] for row in rows} == {
            path.name for path in (folder / split).iterdir()
        }
        for row in rows:
            assert len({row[f"caption_{n}"] for n in range(1, 6)}) == 5
            names.append(row["file_name"])
            info = soundfile.info(folder / split / row["file_name"])
            assert (info.samplerate, info.channels, info.subtype) == (RATE, 1, "PCM_16")
            assert info.frames == 6 * RATE
    assert any(" " in name for name in names)


def test_audiocaps_layout(folders: dict[ModuleType, Path]) -> None:
    folder = folders[audiocaps_mini]
    ids: list[str] = []
    for split, size in split_sizes(ITEMS, audiocaps_mini.SHARES).items():
        rows = table(folder / f"{split}.csv")
        assert list(rows[0]) == ["audiocap_id", "youtube_id", "start_time", "caption"]
        ids += [row["audiocap_id"] for row in rows]
        per_item = Counter(f"{row['youtube_id']}_{row['start_time']}" for row in rows)
        assert len(per_item) == size
        assert set(per_item.values()) == {1 if split == "train" else 5}
        assert {f"{name}.flac" for name in per_item} == {
            path.name for path in (folder / split).iterdir()
        }
        for row in rows:
            assert re.fullmatch(r"[A-Za-z0-9_-]{11}", row["youtube_id"])
            assert row["start_time"].isdigit()
        if size > 1:
            assert rows[0]["youtube_id"] != rows[1]["youtube_id"]
        info = soundfile.info(next((folder / split).iterdir()))
        assert (info.samplerate, info.channels, info.subtype) == (RATE, 1, "PCM_16")
        assert info.frames == 4 * RATE
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("twin", TWINS, ids=_name)
def test_the_datasets_own_loader_reads_it(
    twin: ModuleType, folders: dict[ModuleType, Path]
) -> None:
    name = _name(twin).replace("_", "-")
    annotated = loader_of(registry.entry(name)).read(folders[twin], registry.card(name))
    assert annotated.notes == ()
    assert all(item.path.is_file() for item in annotated.items)
    assert {item.modality for item in annotated.items} == {"audio"}
    counts = count(annotated.items, None)
    sizes = split_sizes(ITEMS, twin.SHARES)
    assert [counts[split].items for split in ("train", "validation", "test")] == [*sizes.values()]
    assert counts["test"].queries == 5 * sizes[TEST[twin]]


@pytest.mark.parametrize("twin", TWINS, ids=_name)
def test_same_seed_gives_the_same_bytes_whatever_the_workers(
    twin: ModuleType, folders: dict[ModuleType, Path], tmp_path: Path
) -> None:
    twin.make(tmp_path / "again", ITEMS, 3, workers=2)
    assert file_digests(tmp_path / "again") == file_digests(folders[twin])


@pytest.mark.parametrize("twin", TWINS, ids=_name)
def test_another_seed_gives_other_sounds(
    twin: ModuleType, folders: dict[ModuleType, Path], tmp_path: Path
) -> None:
    twin.make(tmp_path / "other", ITEMS, 4)
    assert not set(file_digests(tmp_path / "other").values()) & set(
        file_digests(folders[twin]).values()
    )


@pytest.mark.parametrize("twin", TWINS, ids=_name)
def test_no_two_sounds_are_alike(twin: ModuleType, folders: dict[ModuleType, Path]) -> None:
    sounds = [
        value for name, value in file_digests(folders[twin]).items() if not name.endswith("csv")
    ]
    assert len(set(sounds)) == ITEMS


@pytest.mark.parametrize("twin", TWINS, ids=_name)
def test_the_card_states_what_is_made_by_default(twin: ModuleType) -> None:
    card = protocol_card.read(_name(twin).replace("_", "-"))
    (protocol,) = card.protocols
    captions = twin.CAPTIONS
    for stated, (split, size) in zip(
        ("train", "validation", "test"),
        split_sizes(twin.DEFAULT_ITEMS, twin.SHARES).items(),
        strict=True,
    ):
        each = captions[split] if isinstance(captions, dict) else captions
        assert len(twin.example(0, split, 0).captions) == each
        counts = protocol.splits[stated]
        assert (counts.items, counts.captions) == (size, size * each)
        if stated == "test":
            assert counts.queries == size * each
            assert protocol.name == f"mini-{size}"
        assert split in card.media


@pytest.mark.parametrize("twin", TWINS, ids=_name)
def test_too_few_items_are_refused(twin: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 3 items, not 2"):
        twin.make(tmp_path, 2, 0)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(FORMS))
def test_every_caption_is_true_of_its_soundscape(seed: int, form: Form) -> None:
    scape = sample_soundscape(form, random.Random(seed))
    for one in (scape, sibling(scape, random.Random(seed))):
        if one is not None:
            for caption in describe(one, random.Random(seed + 1), 5):
                assert fits(caption.meaning, one)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(FORMS))
def test_relations_are_told_from_both_sides_and_events_lie_within(seed: int, form: Form) -> None:
    scape = sample_soundscape(form, random.Random(seed))
    for place, event in enumerate(scape.events):
        assert event.start >= 0
        assert event.end <= scape.seconds
        for other in range(len(scape.events)):
            if other != place:
                said = relation(scape, place, other)
                assert said is not None
                assert relation(scape, other, place) == OPPOSITE[said]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(FORMS))
def test_siblings_have_the_same_words_and_are_told_apart_by_their_bindings(
    seed: int, form: Form
) -> None:
    scape = sample_soundscape(form, random.Random(seed))
    other = sibling(scape, random.Random(seed))
    if other is not None:
        assert _bag(other) == _bag(scape)
        assert not fits(_everything(scape), other)
        assert not fits(_everything(other), scape)


def _everything(scape: Soundscape) -> Meaning:
    """All that can be said of a soundscape."""
    mentions = tuple(
        Mention(one.source, one.pitch, one.movement, one.loudness, one.times)
        for one in scape.events
    )
    places = range(len(mentions))
    told = [(i, relation(scape, i, j), j) for i in places for j in places if i != j]
    relations = tuple((i, said, j) for i, said, j in told if said is not None)
    return Meaning(mentions, relations, scape.background, len(mentions))


BELL = Event("bell", "low", None, "loud", 2, start=0.5, length=1.0)
HORN = Event("horn", "high", "rising", "soft", 1, start=2.0, length=1.5)
DROP = Event("drop", None, None, "soft", 1, start=2.5, length=0.35)


def _scape(*events: Event) -> Soundscape:
    return Soundscape("quiet", 4.0, events, ())


def test_relation_reads_starts_and_ends() -> None:
    scape = _scape(BELL, HORN, DROP)
    assert relation(scape, 0, 1) == "before"
    assert relation(scape, 2, 0) == "after"
    assert relation(scape, 2, 1) == "during"
    assert relation(scape, 1, 2) == "throughout"
    assert relation(_scape(BELL, replace(HORN, start=0.5, length=1.0)), 0, 1) == "with"
    assert relation(_scape(BELL, replace(HORN, start=1.5 + REST / 2)), 0, 1) is None
    assert relation(_scape(BELL, replace(HORN, start=1.0)), 0, 1) is None


def test_fits_reads_bindings_relations_background_and_count() -> None:
    scape = _scape(BELL, HORN)
    bell = Mention("bell", "low", None, None, 2)
    horn = Mention("horn", None, "rising", "soft", None)
    assert fits(Meaning((bell, horn), ((0, "before", 1),), "quiet", 2), scape)
    assert fits(Meaning((horn, bell), ((0, "after", 1),)), scape)
    assert not fits(Meaning((horn, bell), ((0, "before", 1),)), scape)
    assert not fits(Meaning((replace(bell, pitch="high"),)), scape)
    assert not fits(Meaning((replace(horn, movement="falling"),)), scape)
    assert not fits(Meaning((replace(bell, times=1),)), scape)
    assert not fits(Meaning((replace(bell, loudness="soft"),)), scape)
    assert not fits(Meaning((bell,), (), "rain"), scape)
    assert not fits(Meaning((bell,), (), None, 3), scape)
    assert not fits(Meaning((bell, bell)), scape)


@pytest.mark.parametrize("twin", TWINS, ids=_name)
def test_wording_says_what_the_meaning_says(twin: ModuleType) -> None:
    """The sources, told by a reader who knows only the synonyms, are the ones meant."""
    for place in range(60):
        for caption in twin.example(0, TEST[twin], place).captions:
            text = caption.text.lower()
            said = {mention.source for mention in caption.meaning.mentions} - {None}
            heard = {
                source
                for source, words in SOURCE_WORDS.items()
                if any(re.search(rf"\b{re.escape(noun)}\b", text) for noun in words.nouns)
            }
            assert said == heard


def _hits(
    texts: Sequence[tuple[int, Meaning]], matches: Callable[[Meaning, int], bool], n: int
) -> tuple[float, float]:
    """Expected R@1, one of the matching items taken at random, and the share of single matches."""
    chances, alone = [], 0
    for row, meaning in texts:
        found = [place for place in range(n) if matches(meaning, place)]
        assert row in found
        chances.append(1.0 / len(found))
        alone += len(found) == 1
    return float(np.mean(chances)), alone / len(texts)


@pytest.mark.parametrize("twin", TWINS, ids=_name)
def test_a_bag_of_words_does_not_solve_it(twin: ModuleType) -> None:
    """A reader without bindings and relations is clearly behind one with them."""
    made = [twin.example(0, TEST[twin], place) for place in range(200)]
    scapes = [one.scape for one in made]
    texts = [(row, caption.meaning) for row, one in enumerate(made) for caption in one.captions[:2]]
    bags = [_bag(scape) for scape in scapes]

    def by_words(meaning: Meaning, place: int) -> bool:
        return not Counter(claims(meaning)) - bags[place]

    def by_meaning(meaning: Meaning, place: int) -> bool:
        return fits(meaning, scapes[place])

    words, alone_by_words = _hits(texts, by_words, 200)
    meanings, alone = _hits(texts, by_meaning, 200)
    assert meanings > 0.75
    assert words < meanings - 0.12
    assert alone > alone_by_words + 0.2


def _bag(scape: Soundscape) -> Counter[str]:
    words = Counter([scape.background])
    for event in scape.events:
        told = (event.source, event.pitch, event.movement, event.loudness, event.times)
        words.update(str(word) for word in told if word is not None)
    places = range(len(scape.events))
    words.update(str(relation(scape, i, j)) for i in places for j in places if i != j)
    return words


@pytest.mark.parametrize("twin", TWINS, ids=_name)
def test_about_half_of_the_items_come_in_pairs(twin: ModuleType) -> None:
    scapes = [twin.example(0, TEST[twin], place).scape for place in range(400)]
    pairs = sum(_bag(scapes[place]) == _bag(scapes[place + 1]) for place in range(0, 400, 2))
    assert 0.35 < pairs / 200 < 0.65


@pytest.mark.parametrize("twin", TWINS, ids=_name)
def test_captions_have_the_length_of_human_ones(twin: ModuleType) -> None:
    """Clotho's captions were asked to have 8 to 20 words."""
    made = [twin.example(0, TEST[twin], place) for place in range(200)]
    lengths = [len(caption.text.split()) for one in made for caption in one.captions]
    assert 8 < np.mean(lengths) < 20
    assert np.mean([8 <= length <= 20 for length in lengths]) > 0.75


def _spectrum(samples: np.ndarray) -> np.ndarray:
    return np.abs(np.fft.rfft(samples.astype(float) * np.hanning(len(samples))))


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_sounds_are_heard_where_the_soundscape_says(background: str) -> None:
    scape = replace(_scape(replace(BELL, loudness="soft"), HORN), background=background)
    sound = render(scape, random.Random(0)).astype(float) / 32768
    assert len(sound) == 4 * RATE

    def level(start: float, end: float) -> float:
        return float(np.sqrt(np.mean(sound[round(start * RATE) : round(end * RATE)] ** 2)))

    silence = level(1.55, 1.95)
    for start in (0.5, 1.0):
        assert level(start, start + 0.12) > 1.5 * silence
    assert level(2.0, 3.5) > 1.5 * silence


@pytest.mark.parametrize("source", ["bell", "whistle", "horn"])
@pytest.mark.parametrize("pitch", ["low", "high"])
def test_pitch_and_loudness_are_those_of_the_event(source: str, pitch: str) -> None:
    movement = "steady" if SOURCES[source].glides else None
    event = Event(source, pitch, movement, "loud", 1, 1.0, 0.5)
    heard = {}
    for loudness in ("loud", "soft"):
        scape = _scape(replace(event, loudness=loudness))
        heard[loudness] = render(scape, random.Random(1))[RATE : RATE * 3 // 2]
    spectrum = _spectrum(heard["loud"])
    low, high = (int(CENTRES[source][pitch] * factor / 2) for factor in (0.93, 1.07))
    assert spectrum[low:high].max() > 0.5 * spectrum.max()
    assert np.abs(heard["loud"]).max() > 3 * np.abs(heard["soft"].astype(int)).max()


@pytest.mark.parametrize("source", [name for name, traits in SOURCES.items() if traits.glides])
@pytest.mark.parametrize(("movement", "sign"), [("rising", 1), ("falling", -1)])
def test_movement_is_heard(source: str, movement: str, sign: int) -> None:
    """The centre of gravity of the spectrum moves as the event says."""
    pitch = "low" if SOURCES[source].pitched else None
    event = Event(source, pitch, movement, "loud", 1, 1.0, 1.0)
    sound = render(_scape(event), random.Random(2))[RATE : 2 * RATE]
    hertz = np.arange(len(sound) // 4 // 2 + 1)
    centres = []
    for quarter in (sound[: RATE // 4], sound[-RATE // 4 :]):
        power = _spectrum(quarter) ** 2
        centres.append((hertz * power).sum() / power.sum())
    assert sign * (centres[1] - centres[0]) > 0.2 * min(centres)


def test_repetitions_are_heard_one_by_one() -> None:
    """As many onsets as the event has strokes."""
    for times in (1, 2, 3):
        event = Event("knock", None, None, "loud", times, 0.5, 0.32 * times)
        sound = render(_scape(event), random.Random(3)).astype(float)
        frames = np.abs(sound[: len(sound) // 160 * 160]).reshape(-1, 160).max(axis=1)
        loud = frames > 0.3 * frames.max()
        assert np.count_nonzero(loud[1:] & ~loud[:-1]) == times


def test_two_sounds_of_one_soundscape_differ() -> None:
    scape = _scape(BELL, HORN)
    first, second = (render(scape, random.Random(seed)) for seed in (0, 1))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, render(scape, random.Random(0)))
