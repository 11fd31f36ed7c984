"""InternVL-G: what its files must hold, its size, its numbers and its texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.base import Item
from retrievers import registry
from retrievers.base import Settings
from retrievers.encoders import internvl
from retrievers.encoders.internvl import INTERNVL_G
from retrievers.encoders.internvl_network import InternVL
from retrievers.encoders.sentencepiece_bpe import SentencePieceBpe, read_sentencepiece
from retrievers.encoders.towers import Placement
from retrievers.weights import releases
from retrievers.weights.report import CheckpointError
from tests.parity import goldens
from tests.parity.test_internvl import write_release

_BYTES = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
# The language head, the head that matches pairs, and a temperature.
_LEFT_OUT = 49954 * 4096 + (2 * 4096 + 2) + 1


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return write_release(tmp_path, goldens.read("internvl-g").shapes)


def test_the_full_size_is_that_of_the_release() -> None:
    # The release is 27.7 GB in two bytes a parameter.
    parameters = registry.entry("internvl-g").parameters
    assert round(2 * (parameters + _LEFT_OUT) / 1e9, 1) == 27.7
    vision = replace(internvl.FULL.vision, layers=1)
    language = replace(internvl.FULL.language, layers=1)
    with torch.device("meta"):
        network = InternVL(replace(internvl.FULL, vision=vision, language=language))
        pixels = torch.empty(2, 3, 224, 224)
    assert network.encode_image(pixels).shape == (2, 768)


def test_a_release_answers_by_the_name_of_its_folder(release: Path, tmp_path: Path) -> None:
    retriever = INTERNVL_G.build(_settings(release, tmp_path))
    retriever.index(_items(3))
    ranking = retriever.search(["a red dog"], 3)
    assert retriever.spec.revision["model"]
    assert sorted(ranking.ids[0].tolist()) == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda state: state.pop(next(iter(state))), "1 .* missing"),
        (lambda state: state.update(stray=torch.zeros(2)), "1 .stray. not used"),
        (lambda state: state.update(query_tokens=torch.zeros(1, 5, 3)), "1 .query_tokens. of an"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    release: Path, tmp_path: Path, change: Callable[[dict[str, torch.Tensor]], None], told: str
) -> None:
    part = release / "pytorch_model-0.bin"
    state = torch.load(part, weights_only=True)
    change(state)
    torch.save(state, part)
    with pytest.raises(CheckpointError, match=told):
        INTERNVL_G.build(_settings(release, tmp_path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b"{}"),
        ("config.json", b"[]"),
        ("config.json", b'{"use_qllama_lora": 16}'),
        ("config.json", b'{"vision_config": {"hidden_act": "relu"}, "qllama_config": {}}'),
        ("config.json", b'{"vision_config": {"patch_size": 0}, "qllama_config": {}}'),
        ("config.json", b'{"vision_config": {}, "qllama_config": {"num_attention_heads": 7}}'),
        ("tokenizer.model", b"\x0a\xff\xff"),
        ("tokenizer.model", b"\x0a\x02\x0a"),
        ("tokenizer.model", b""),
    ],
)
def test_files_that_are_something_else_are_refused(
    release: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    (release / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
        INTERNVL_G.build(_settings(release, tmp_path))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_the_bytes_give_nearly_the_same_vectors(release: Path, precision: str) -> None:
    located = releases.locate(str(release), internvl.RELEASE)
    whole, half = (
        internvl.open_towers(located, "small", Placement("cpu", numbers))
        for numbers in ("fp32", precision)
    )
    for fine, coarse, things in zip(whole[:2], half[:2], (_items(4), ["a dog", ""]), strict=True):
        _assert_directions_agree(fine.encode(things), coarse.encode(things))


def test_what_follows_a_text_does_not_change_its_vector(release: Path) -> None:
    located = releases.locate(str(release), internvl.RELEASE)
    _, texts, _ = internvl.open_towers(located, "small", Placement("cpu"))
    alone = texts.encode(["a dog"])
    among = texts.encode(["a dog", "a much longer text of 2016 that needs more places"])
    np.testing.assert_allclose(alone[0], among[0], atol=1e-6)


def test_pieces_of_one_score_are_joined_from_the_left() -> None:
    vocabulary = [*_BYTES, "▁", "0", "2", "02", "20"]
    scores = {"▁": 0.0, "0": 0.0, "2": 0.0, "02": 5.0, "20": 5.0}
    pieces = SentencePieceBpe({one: number for number, one in enumerate(vocabulary)}, scores)
    assert [vocabulary[number] for number in pieces.encode("2020")] == ["▁", "20", "20"]
    assert [vocabulary[number] for number in pieces.encode("0202")] == ["▁", "02", "02"]


def test_what_no_piece_spells_is_written_in_bytes() -> None:
    pieces = SentencePieceBpe({piece: number for number, piece in enumerate(_BYTES)}, {})
    mark = "▁é</s>".encode()
    assert pieces.encode("é</s>") == [3 + byte for byte in mark]
    assert pieces.encode("") == []


def test_a_model_of_another_kind_is_refused(release: Path) -> None:
    file = release / "tokenizer.model"
    unigram = file.read_bytes().replace(b"\x18\x02\x98\x02\x01", b"\x18\x01\x98\x02\x01")
    file.write_bytes(unigram)
    with pytest.raises(CheckpointError, match="not of the BPE kind"):
        read_sentencepiece(file)


def _assert_directions_agree(fine: np.ndarray, coarse: np.ndarray) -> None:
    lengths = np.linalg.norm(fine, axis=1) * np.linalg.norm(coarse, axis=1)
    assert ((fine * coarse).sum(axis=1) / lengths).min() > 0.999


def _items(count: int) -> list[Item]:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (count, 30, 40, 3), dtype=np.uint8)
    return [Item(f"{row}", "image", one) for row, one in enumerate(pixels)]


def _settings(release: Path, cache: Path) -> Settings:
    return Settings(seed=0, device="cpu", cache=cache, checkpoint={"model": str(release)})
