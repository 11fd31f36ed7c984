"""Who says something of items: lent captions, a file, a network, or nobody."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cart.captions import Captioned
from cart.config import CaptionConfig, CartConfig
from datasets.base import Clip, DatasetError, Item, Pairs, Sound
from datasets.media.files import MediaError
from retrievers.base import Settings, Transductive
from retrievers.captioners import choice
from retrievers.captioners.captioning_network import CaptioningNetwork
from retrievers.captioners.contract import Captioner
from retrievers.captioners.kept_captions import KeptCaptions
from retrievers.captioners.media_model import MODALITIES
from retrievers.captioners.neighbours import Neighbours
from retrievers.captioners.seeded_draw import SeededDraw
from retrievers.cart import CartAdapter
from retrievers.weights.report import CheckpointError
from tests.retrievers.tiny_captioners import KINDS, WORDS, written

NOTHING = Captioned(np.zeros((0, 2), np.float32), (), ())
AXES = np.eye(3, dtype=np.float32)


def settings(folder: Path, word: str) -> Settings:
    return Settings(seed=0, device="cpu", cache=folder / "cache", checkpoint={"captioner": word})


def opened(folder: Path, word: str, captions: int = 4) -> Captioner:
    return choice.captioner(
        settings(folder, word), CaptionConfig(captions_per_item=captions)
    ).build()


def pictures(count: int) -> list[Item]:
    rng = np.random.default_rng(5)
    sizes = ((40, 50), (33, 64), (64, 33))
    return [
        Item(f"p{n}", "image", rng.integers(0, 256, (*sizes[n % 3], 3), dtype=np.uint8))
        for n in range(count)
    ]


def said_by(captioner: Captioner, items: list[Item]) -> list[list[str]]:
    told = captioner.captions(items, np.zeros((len(items), 2), np.float32))
    return [list(texts) for texts in told.texts]


def test_neighbours_lend_once_they_know_the_training_captions() -> None:
    captioner = Neighbours(CaptionConfig(neighbours=1, captions_per_item=1))
    item = Item("new", "audio", Sound(np.zeros((1, 1), np.float32), 1))
    with pytest.raises(ValueError, match="fit the captioner"):
        captioner.captions([item], AXES[:1])
    captioner.fit(Pairs.empty(), Captioned(AXES, ("one", "two", "three"), (0, 1, 2)))
    assert captioner.captions([item], AXES[1:2]).texts == [["two"]]


class TestFile:
    def write(self, folder: Path, name: str, text: str) -> str:
        (folder / name).write_text(text, encoding="utf-8")
        return f"file:{folder / name}"

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("said.csv", 'caption,id\n"one, two",p0\nb,p1\nagain,p0\nagain,p0\nelse,far\n'),
            (
                "said.jsonl",
                '{"id": "p0", "caption": ["one, two", "again"]}\n{"id": "p1", "caption": " b "}\n\n'
                '{"id": "far", "caption": "else"}\n',
            ),
        ],
    )
    def test_an_item_has_the_captions_of_its_id(self, tmp_path: Path, name: str, text: str) -> None:
        captioner = opened(tmp_path, self.write(tmp_path, name, text))
        assert said_by(captioner, pictures(3)) == [["one, two", "again"], ["b"], []]
        silent, strange = captioner.remarks
        assert silent == f"the file {name} says nothing of 1 of the 3 items to caption, e.g. 'p2'."
        assert strange.startswith(f"1 of the 3 ids in the file {name}") and "'far'" in strange

    def test_training_items_may_be_in_it_and_no_more_is_taken_than_asked(
        self, tmp_path: Path
    ) -> None:
        word = self.write(tmp_path, "said.csv", "id,caption\np0,one\np0,two\np9,of training\n")
        captioner = opened(tmp_path, word, captions=1)
        captioner.fit(Pairs((Item("p9", "image", Path("x")),), (), ()), NOTHING)
        assert said_by(captioner, pictures(1)) == [["one"]]
        assert not captioner.remarks

    @pytest.mark.parametrize(
        ("name", "text", "told"),
        [
            ("a.csv", "", "the file is empty"),
            ("a.csv", "id,caption\n", "holds no caption"),
            ("a.csv", "id,text\np0,x\n", "the header lacks caption"),
            ("a.csv", "id,caption\np0,\n", "line 2: 'caption' is empty"),
            ("a.csv", "id,caption\np0,a\0b\n", "NUL"),
            ("a.jsonl", "\n", "holds no caption"),
            ("a.jsonl", '{"caption": "x"}', "line 1: 'id' is missing"),
            ("a.jsonl", '{"id": "x", "caption": [3]}', "'caption' is missing or not text"),
            ("a.jsonl", "[1]", "holds a list, not an object"),
            ("a.jsonl", "{", "is not JSON"),
            ("a.txt", "id,caption", "a .csv or a .jsonl file"),
        ],
    )
    def test_a_file_that_cannot_be_used_says_why(
        self, tmp_path: Path, name: str, text: str, told: str
    ) -> None:
        with pytest.raises(DatasetError, match=told):
            opened(tmp_path, self.write(tmp_path, name, text))

    def test_a_file_that_is_not_there_leaves_the_retriever_out(self, tmp_path: Path) -> None:
        state = CartAdapter().availability(settings(tmp_path, f"file:{tmp_path / 'none.csv'}"))
        assert not state.ready
        assert "none.csv" in state.sentence and "id and caption" in state.sentence

    def test_another_content_is_another_source(self, tmp_path: Path) -> None:
        told = []
        for text in ("id,caption\np0,x\n", "id,caption\np0,y\n"):
            word = self.write(tmp_path, "said.csv", text)
            told.append(CartAdapter().describe(settings(tmp_path, word)))
        assert told[0].revision["captioner"] != told[1].revision["captioner"]
        assert told[0].options["captioner"] == "the file said.csv"
        assert told[0].checkpoint["captioner"] == word


class TestNetwork:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("method", ["", "beam:"])
    def test_each_kind_captions_pictures_of_any_size(
        self, tmp_path: Path, kind: str, method: str
    ) -> None:
        folder = written(tmp_path / kind, kind)
        said = said_by(opened(tmp_path, f"{method}{folder}"), pictures(4))
        assert any(said)
        assert all(len(texts) <= 4 and len(set(texts)) == len(texts) for texts in said)
        assert {word for texts in said for text in texts for word in text.split()} <= set(WORDS)

    def test_the_likeliest_captions_are_those_that_generate_gives(self, tmp_path: Path) -> None:
        folder = written(tmp_path / "blip", "blip")
        import transformers as hf

        network = hf.BlipForConditionalGeneration.from_pretrained(folder).eval()
        processor = hf.AutoImageProcessor.from_pretrained(folder)
        tokenizer = hf.AutoTokenizer.from_pretrained(folder)
        (item,) = pictures(1)
        assert isinstance(item.media, np.ndarray)
        pixels = processor(images=item.media, return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            tokens = network.generate(
                pixel_values=pixels, num_beams=5, num_return_sequences=4, max_new_tokens=30
            )
        expected = tokenizer.batch_decode(tokens, skip_special_tokens=True)
        assert said_by(opened(tmp_path, f"beam:{folder}"), [item]) == [
            list(dict.fromkeys(expected))
        ]

    def test_what_is_drawn_depends_on_the_picture_and_not_on_its_company(
        self, tmp_path: Path
    ) -> None:
        folder, items = written(tmp_path / "git", "git"), pictures(3)
        together = said_by(opened(tmp_path / "a", str(folder)), items)
        state = torch.get_rng_state()
        torch.manual_seed(99)
        alone = [said_by(opened(tmp_path / "b", str(folder)), [item])[0] for item in items[::-1]]
        torch.set_rng_state(state)
        assert together == alone[::-1]
        assert len(set(map(tuple, together))) == 3

    def test_torch_is_left_as_it_was_whether_or_not_captions_were_kept(
        self, tmp_path: Path
    ) -> None:
        captioner = opened(tmp_path, str(written(tmp_path / "git", "git")))
        torch.manual_seed(1)
        before = torch.get_rng_state()
        said_by(captioner, pictures(2))
        assert torch.equal(torch.get_rng_state(), before)

    def test_what_was_said_is_kept_and_not_said_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, items = written(tmp_path / "git", "git"), pictures(3)
        first = said_by(opened(tmp_path, str(folder)), items[:2])
        asked: list[int] = []
        drawn = CaptioningNetwork.drawn

        def counted(self, pictures, *rest):  # type: ignore[no-untyped-def]
            asked.append(len(pictures))
            return drawn(self, pictures, *rest)

        monkeypatch.setattr(CaptioningNetwork, "drawn", counted)
        again = said_by(opened(tmp_path, str(folder)), [*items, items[0]])
        assert asked == [1]
        assert again[:2] == first and again[3] == first[0]
        # Other settings say other things: nothing of it is kept yet.
        said_by(opened(tmp_path, str(folder), captions=2), items)
        assert asked == [1, 3]

    def test_a_video_is_captioned_by_frames_from_all_over_it(self, tmp_path: Path) -> None:
        folder = written(tmp_path / "git", "git")
        frames = np.stack([np.full((40, 40, 3), shade, np.uint8) for shade in range(0, 256, 16)])
        clip = Clip(frames, np.arange(16) / 4)
        (said,) = said_by(opened(tmp_path, str(folder), captions=8), [Item("v", "video", clip)])
        assert 1 <= len(said) <= 8

    def test_sounds_are_refused_and_a_spec_says_so_before(self, tmp_path: Path) -> None:
        folder = written(tmp_path / "git", "git")
        sound = Item("s", "audio", Sound(np.zeros((1, 8), np.float32), 8))
        with pytest.raises(MediaError, match="captions pictures and videos: choose"):
            said_by(opened(tmp_path, str(folder)), [sound])
        spec = CartAdapter().describe(settings(tmp_path, str(folder)))
        assert spec.modalities == MODALITIES
        assert spec.options["captioner"] == "git"
        assert spec.checkpoint["captioner"] == str(folder)
        assert spec.options["captioner.method"] == "sample"

    def test_other_kinds_and_torn_folders_are_refused_with_a_sentence(self, tmp_path: Path) -> None:
        folder = written(tmp_path / "git", "git")
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "model_type": "llava"}))
        with pytest.raises(CheckpointError, match=r"'llava'.*captions pictures here is blip"):
            opened(tmp_path, str(folder))
        (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 8}))
        with pytest.raises(CheckpointError, match="cannot be opened as git"):
            opened(tmp_path, str(folder))
        state = CartAdapter().availability(settings(tmp_path, str(tmp_path)))
        assert not state.ready and "safetensors" in state.sentence and "none" in state.sentence


def test_a_seeded_draw_follows_the_distribution() -> None:
    probabilities = torch.tensor([0.0, 0.1, 0.2, 0.7])
    rows = 2000
    draw = SeededDraw([b"one", b"two"], rows)
    scores = draw(torch.zeros(2 * rows, 1), probabilities.log().expand(2 * rows, 4))
    assert (scores == 0).sum(dim=1).eq(1).all() and (scores == -torch.inf).sum(dim=1).eq(3).all()
    shares = (scores[:rows] == 0).float().mean(dim=0)
    assert torch.allclose(shares, probabilities, atol=0.04)
    assert not torch.equal(scores[:rows], scores[rows:])


def test_kept_captions_are_found_by_another_process_and_damage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "said.sqlite"
    KeptCaptions(path).add({b"\0k": ("a 'quoted' word", "ü"), b"e": ()})
    assert KeptCaptions(path).find([b"e", b"\0k", b"other"]) == {
        b"\0k": ("a 'quoted' word", "ü"),
        b"e": (),
    }
    path.write_bytes(b"no database" * 100)
    with pytest.raises(OSError, match="delete the file"):
        KeptCaptions(path).find([b"e"])


class TestChoice:
    def test_nobody_captions_where_none_is_asked_for(self, tmp_path: Path) -> None:
        spec = CartAdapter().describe(settings(tmp_path, "none"))
        assert spec.options["transductive"] is False
        assert spec.options["captions"] is None and "captioner" not in spec.options
        assert spec.checkpoint == {"captioner": "none"}
        retriever = CartAdapter().build(settings(tmp_path, "none"))
        assert isinstance(retriever, Transductive) and retriever.gallery_captions() is None

    def test_a_captioner_that_is_named_speaks_where_the_config_has_none(
        self, tmp_path: Path
    ) -> None:
        silent = CartAdapter(config=CartConfig(captions=None))
        default = Settings(seed=0, device="cpu", cache=tmp_path)
        assert silent.describe(default).options["transductive"] is False
        named = silent.describe(settings(tmp_path, "neighbours"))
        assert named.options["captioner"] == "neighbours"
        assert named.options["transductive"] is True

    def test_by_default_neighbours_lend(self, tmp_path: Path) -> None:
        spec = CartAdapter().describe(Settings(seed=0, device="cpu", cache=tmp_path))
        assert spec.options["captioner"] == "neighbours"
        assert "captioner" not in spec.checkpoint
