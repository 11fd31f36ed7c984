"""InternVL-G against its published network, tokenizer and preparation."""

from __future__ import annotations

import importlib
import json
import random
import struct
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datasets.base import Item
from retrievers.encoders import internvl
from retrievers.encoders.sentencepiece_bpe import read_sentencepiece
from retrievers.encoders.towers import Placement
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights import releases
from tests.parity import goldens
from tests.parity.goldens import FloatArray, Golden
from tests.parity.seeded import Shapes, seeded_state, shapes_of

_MODELS = "clip_benchmark/clip_benchmark/models"
_SOURCE = f"{_MODELS}/internvl_huggingface"
_VOCABULARY = f"{_MODELS}/internvl_c_pytorch/chinese_alpaca_lora_7b"
# Two layers with a look at the picture and one without; widths and heads of the parts differ.
_VISION = {
    "image_size": 28,
    "patch_size": 7,
    "hidden_size": 24,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "layer_norm_eps": 1e-5,
    "use_flash_attn": False,
}
_LANGUAGE = {
    "vocab_size": 320,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "rms_norm_eps": 1e-4,
}
_WHOLE = {
    "num_query_token": 5,
    "cross_attention_frequency": 2,
    "attn_pool_num_heads": 4,
    "clip_embed_dim": 12,
}
# A few words, and numbers that many joins lead to with one score, as in the released vocabulary.
_WORDS = [
    *"▁:abcdefghiklmnoprstuwz0126",
    *("su", "mm", "ar", "ize", "iz", "▁summ", "▁a", "do", "og", "dog", "▁dog", "re", "ed", "th"),
    *("20", "01", "16", "10", "201", "2016", "6▁"),
]
_TEXTS = [
    "a red dog",
    "",
    "2016 and 201610, 20 10",
    "żółta łódź 🚤 on\tthe lake",
    "dog " * 200,
    "w" * 500,
    "  two  spaces ",
]


def test_the_numbers_that_upstream_gave(tmp_path: Path) -> None:
    golden = goldens.read("internvl-g")
    goldens.assert_close(_ours(write_release(tmp_path, golden.shapes)), golden)


@pytest.mark.parity
def test_against_upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = _upstream(tmp_path, monkeypatch)
    shapes = shapes_of(network.state_dict())
    folder = write_release(tmp_path, shapes)
    network.load_state_dict(seeded_state(shapes))
    ours, theirs = _ours(folder), _theirs(network, folder)
    goldens.conclude(
        Golden(
            system="internvl-g",
            upstream="OpenGVLab/InternVL, transformers 4.37.2 for its tokenizer",
            version="2410d1dbf208f0e799459aff9376e5747dbf41a2",
            compared="preparation of pictures of 37x53 and 60x31, tokens and vectors of 7 texts, "
            "vectors of the pictures, scores",
            difference=goldens.largest_difference(ours, theirs),
            shapes=shapes,
            numbers=goldens.kept(theirs),
        )
    )


@pytest.mark.parity
def test_the_whole_vocabulary_splits_as_upstream_does() -> None:
    source = goldens.upstream_source("InternVL")
    folder = source / _VOCABULARY
    rows = internvl.token_rows(read_sentencepiece(folder / "tokenizer.model"))
    texts = [*_TEXTS, *_drawn_texts(300)]
    ours = [row.tolist() for row in rows(texts)]
    assert ours == _their_tokens(folder, texts)


def _drawn_texts(count: int) -> list[str]:
    """Letters, digits and signs of several scripts, where pieces of one score meet."""
    rng = random.Random(3)
    letters = "0123456789 0123 abcde.,?!但一个中国可以自己我们着 \n·é"
    return ["".join(rng.choices(letters, k=rng.randrange(60))) for _ in range(count)]


def _ours(folder: Path) -> dict[str, FloatArray]:
    located = releases.locate(str(folder), internvl.RELEASE)
    pictures, texts, dim = internvl.open_towers(located, "small", Placement("cpu"))
    items = [Item(f"{row}", "image", pixels) for row, pixels in enumerate(_pictures())]
    seen, read = pictures.encode(items), texts.encode(_TEXTS)
    assert seen.shape == (len(items), dim)
    return _outputs(seen, read)


def _theirs(network: Any, folder: Path) -> dict[str, FloatArray]:
    """Scores as the published evaluation reckons them, over unit vectors."""
    from torchvision import transforms

    prepare = transforms.Compose(
        [
            transforms.Resize((28, 28), interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    pixels = torch.stack([prepare(Image.fromarray(one)) for one in _pictures()])
    with torch.no_grad():
        seen = network.encode_image(pixels)
        read = network.encode_text(torch.tensor(_their_tokens(folder, _TEXTS)))
    return _outputs(seen.numpy(), read.numpy())


def _outputs(seen: FloatArray, read: FloatArray) -> dict[str, FloatArray]:
    pictures, texts = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (seen, read))
    return {"pictures": seen, "texts": read, "scores": texts @ pictures.T}


def _their_tokens(folder: Path, texts: list[str]) -> list[list[int]]:
    """As the published evaluation calls the tokenizer, in an environment of its time."""
    python = goldens.peers() / "internvl" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{python.parent.parent} needs transformers 4.37.2 and sentencepiece")
    program = (
        "import json, sys\n"
        "from transformers import LlamaTokenizer\n"
        "split = LlamaTokenizer.from_pretrained(sys.argv[1])\n"
        "split.pad_token = ' '\n"
        "split.add_eos_token = True\n"
        "texts = ['summarize:' + text for text in json.load(sys.stdin)]\n"
        "asked = dict(max_length=80, truncation=True, padding='max_length')\n"
        "print(json.dumps(split(texts, **asked).input_ids))\n"
    )
    ran = subprocess.run(  # noqa: S603
        [python, "-c", program, folder],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout)


def _pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((37, 53), (60, 31))]


def write_release(folder: Path, shapes: Shapes) -> Path:
    """The files of a release: weights in two parts, in pickle form."""
    state = seeded_state(shapes)
    for part in range(2):
        names = [*state][part::2]
        torch.save({name: state[name] for name in names}, folder / f"pytorch_model-{part}.bin")
    config = {**_WHOLE, "vision_config": _VISION, "qllama_config": _LANGUAGE}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "tokenizer.model").write_bytes(_sentencepiece())
    return folder


def _sentencepiece() -> bytes:
    """A model of the BPE kind with bytes, as sentencepiece_model.proto lays it out."""
    pieces = [_piece("<unk>", 0.0, 2), _piece("<s>", 0.0, 3), _piece("</s>", 0.0, 3)]
    pieces += [_piece(f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)]
    for rank, word in enumerate(_WORDS):
        pieces.append(_piece(word, 0.0 if word.isdigit() else -1.0 - rank, 1))
    byte_fallback = b"\x98\x02\x01"
    trainer = b"\x18\x02" + byte_fallback
    normalizer = b"\x0a\x08identity" + b"\x18\x01\x20\x00\x28\x01"
    return b"".join([*pieces, _message(2, trainer), _message(3, normalizer)])


def _piece(text: str, score: float, kind: int) -> bytes:
    inside = _message(1, text.encode()) + b"\x15" + struct.pack("<f", score)
    return _message(1, inside + bytes([0x18, kind]))


def _message(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def _upstream(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The published network at the small sizes.

    Two of its sizes are written into the code: they are taken from the configuration instead.
    What it imports for training alone stands empty.
    """
    ensure_torchvision()
    source = goldens.upstream_source("InternVL") / _SOURCE
    package = folder / "published_internvl"
    package.mkdir()
    (package / "__init__.py").touch()
    for file in (*source.glob("modeling_*.py"), *source.glob("configuration_*.py")):
        text = file.read_text(encoding="utf-8")
        text = text.replace("vision_hidden_size = 3200", "vision_hidden_size = config.looked_at")
        text = text.replace("num_query_token = 96", "num_query_token = config.num_query_token")
        (package / file.name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    for name, wanted in (("peft", ("LoraConfig", "get_peft_model")), ("einops", ("rearrange",))):
        stand_in = ModuleType(name)
        for one in wanted:
            setattr(stand_in, one, None)
        monkeypatch.setitem(sys.modules, name, stand_in)
    configuration = importlib.import_module("published_internvl.configuration_internvl")
    modeling = importlib.import_module("published_internvl.modeling_internvl")
    config = configuration.InternVLConfig(vision_config=_VISION, qllama_config=_LANGUAGE, **_WHOLE)
    config.qllama_config.looked_at = _VISION["hidden_size"]
    return modeling.InternVL_G(config).eval()
