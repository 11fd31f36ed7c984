"""ONE-PEACE against its published network, texts and preparation, in two released layouts."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from datasets.base import Item, Sound
from retrievers.encoders import one_peace
from retrievers.encoders.one_peace_inputs import read_words
from retrievers.encoders.one_peace_network import patch_buckets, token_buckets
from retrievers.encoders.towers import Placement
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights import releases
from tests.parity import goldens
from tests.parity.borrowed import module
from tests.parity.goldens import FloatArray, Golden
from tests.parity.seeded import Shapes, seeded_state, shapes_of

# Two layers and heads; a text longer than the near distances, a sound much longer.
_WIDTH, _LAYERS, _HEADS, _HIDDEN = 32, 2, 4, 48
_PATCHES = 3
_MERGES = ["Ġ a", "d o", "do g", "Ġ dog", "r e", "re d", "Ġ red", "1 2"]
_TEXTS = [
    "A red Dog.",
    "",
    ",.!? the  12 dogs\tof 1912\n",
    "żółta łódź 🚤 at the lake's end",
    "a red dog and " * 12,
]
_PRETRAINED, _TUNED = "one-peace.pt", "finetune_al_retrieval.pt"


def test_the_numbers_that_upstream_gave(tmp_path: Path) -> None:
    golden = goldens.read("one-peace")
    write_vocabulary(tmp_path)
    goldens.assert_close(_ours(tmp_path, golden.shapes), golden)


@pytest.mark.parity
def test_against_upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = _Published(goldens.upstream_source("ONE-PEACE"), monkeypatch)
    write_vocabulary(tmp_path)
    shapes = shapes_of(_floats(published.network("val", copied=False).state_dict()))
    ours, theirs = _ours(tmp_path, shapes), published.outputs(tmp_path, shapes)
    goldens.conclude(
        Golden(
            system="one-peace",
            upstream="OFA-Sys/ONE-PEACE",
            version="71cfadf0566879ccaeb59bb114bd0c4ae14020c2",
            compared="preparation and vectors of a picture of 37x53, of sounds of 0.4, 3 and 21 s "
            "and of 5 texts, scores; pretrained layout and that fine-tuned for sounds",
            difference=goldens.largest_difference(ours, theirs),
            shapes=shapes,
            numbers=goldens.kept(theirs),
        )
    )


@pytest.mark.parity
def test_the_whole_vocabulary_splits_as_upstream_does(monkeypatch: pytest.MonkeyPatch) -> None:
    source = goldens.upstream_source("ONE-PEACE")
    folder = source / "one_peace" / "utils" / "BPE"
    words = read_words(folder)
    published = _Published(source, monkeypatch)
    rng = np.random.default_rng(5)
    letters = [*"abcdefgst 'sre0123,.!?~#\t\n", "é", "狗", "🚤", "  "]
    drawn = ["".join(rng.choice(letters, size)) for size in rng.integers(0, 90, 300)]
    texts = [*_TEXTS, "w" * 5000, "word " * 2000, *drawn]
    assert [row[row != 1].tolist() for row in words.rows(texts)] == [
        row.tolist() for row in published.tokens(folder, texts)
    ]
    assert words.count == one_peace.FULL.vocabulary


@pytest.mark.parity
def test_relative_positions_are_upstreams_at_full_size(monkeypatch: pytest.MonkeyPatch) -> None:
    source = goldens.upstream_source("ONE-PEACE")
    _Published(source, monkeypatch)
    text = importlib.import_module("one_peace.models.adapter.text")
    image = importlib.import_module("one_peace.models.adapter.image")
    for distances, length in ((one_peace.FULL.text_distances, 72), (512, 1001)):
        inner = text.make_token_bucket_position(distances, 1024)[1:length, 1:length]
        ours = token_buckets(length, distances)
        assert torch.equal(ours[1:, 1:], inner)
        free = 2 * distances - 1
        assert ours[0, :3].tolist() == [free + 2, free, free]
        assert ours[1:3, 0].tolist() == [free + 1, free + 1]
    patches = one_peace.FULL.patches
    reach = 2 * patches - 1
    theirs = image.make_image_bucket_position(patches, reach**2 + 3)
    assert torch.equal(patch_buckets(patches), theirs)


def write_weights(folder: Path, shapes: Shapes, name: str = _PRETRAINED) -> Path:
    """A file as fairseq writes it: the weights beside what its training noted."""
    state = seeded_state(shapes if name == _PRETRAINED else _tuned(shapes))
    saved = {"args": None, "cfg": {"task": {"head_type": "val"}}, "model": state}
    torch.save(saved, folder / name)
    return folder / name


def write_vocabulary(folder: Path) -> None:
    """Bytes and a few pairs of them, in another order than the dictionary's."""
    alphabet = [*_byte_letters(), *("".join(merge.split()) for merge in _MERGES)]
    numbers = {letter: number for number, letter in enumerate(alphabet)}
    order = sorted(numbers.values(), key=lambda number: number * 7 % len(numbers))
    # One word is not in the dictionary, and the last symbols are made up.
    symbols = [*map(str, order[:-1]), "madeupword0000", "madeupword0001"]
    (folder / "encoder.json").write_text(json.dumps(numbers), encoding="utf-8")
    merges = "\n".join(["#version: 0.2", *_MERGES, ""])
    (folder / "vocab.bpe").write_text(merges, encoding="utf-8")
    lines = "".join(f"{symbol} 1\n" for symbol in symbols)
    (folder / "dict.txt").write_text(lines, encoding="utf-8")


def sounds() -> list[Sound]:
    """One shorter than a second, a quiet one of two channels, one longer than is heard."""
    rng = np.random.default_rng(11)
    sizes = ((1, 6_400), (2, 48_000), (1, 336_000))
    loud = [0.2, 0.003, 0.5]
    return [
        Sound((scale * rng.standard_normal(size) + 0.01).astype(np.float32), 16_000)
        for scale, size in zip(loud, sizes, strict=True)
    ]


def _picture() -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (37, 53, 3), dtype=np.uint8)


def _ours(folder: Path, shapes: Shapes) -> dict[str, FloatArray]:
    outputs = {}
    for name in (_PRETRAINED, _TUNED):
        located = releases.locate(str(write_weights(folder, shapes, name)), one_peace.RELEASE)
        items, texts, dim = one_peace.open_towers(located, "small", Placement("cpu"))
        heard = [Item(f"sound-{row}", "audio", one) for row, one in enumerate(sounds())]
        seen = [Item("picture", "image", _picture())] if name == _PRETRAINED else []
        vectors = _unit(items.encode([*seen, *heard]))
        read = _unit(texts.encode(_TEXTS))
        assert read.shape == (len(_TEXTS), dim)
        outputs |= _named(name, vectors, read)
    return outputs


def _named(name: str, items: FloatArray, texts: FloatArray) -> dict[str, FloatArray]:
    found = {"items": items, "texts": texts, "scores": texts @ items.T}
    return {f"{name}: {what}": array for what, array in found.items()}


def _unit(vectors: FloatArray) -> FloatArray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _tuned(shapes: Shapes) -> Shapes:
    """Without the part for pictures, and with a table of positions for each layer."""
    first = "rel_pos_table_list.0."
    kept = {name: shape for name, shape in shapes.items() if "image_" not in name}
    more = {
        name.replace(first, f"rel_pos_table_list.{layer}."): shape
        for name, shape in kept.items()
        if first in name
        for layer in range(_LAYERS)
    }
    return {**kept, **more}


def _floats(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without the buffers, which hold whole numbers or a version."""
    whole = (".rp_bucket", ".position_idx", ".version")
    return {name: one for name, one in state.items() if not name.endswith(whole)}


def _byte_letters() -> list[str]:
    """The letter of each byte, as GPT-2 writes them."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [*map(chr, shown), *(chr(256 + place) for place in range(len(hidden)))]


class _Published:
    """Upstream's classes. The few parts of fairseq that they call are told anew here."""

    def __init__(self, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [one for one in sys.modules if one.startswith("one_peace.")]:
            monkeypatch.delitem(sys.modules, name)
        for name, stand_in in _stand_ins(source):
            monkeypatch.setitem(sys.modules, name, stand_in)
        ensure_torchvision()
        retrieval = importlib.import_module("one_peace.models.one_peace.one_peace_retrieval")
        data = importlib.import_module("one_peace.data.base_dataset")
        pairs = importlib.import_module("fairseq_source.data.encoders.gpt2_bpe_utils")
        self._model = retrieval.OnePeaceRetrievalModel
        self._dataset = data.BaseDataset
        self._encoder = pairs.get_encoder
        self._words = 4 + 256 + len(_MERGES) - 1 + 2

    def network(self, head: str, copied: bool) -> Any:
        config = SimpleNamespace(encoder=_encoder_config(), copy_rel_pos_table=copied)
        return self._model(config, _Dictionary(["x"] * (self._words - 4)), head).eval()

    def tokens(self, folder: Path, texts: list[str]) -> list[torch.Tensor]:
        """As the published retrieval data sets make them."""
        data = self._data(folder)
        return [data.encode_text(f" {data.process_text(text)}", 70) for text in texts]

    def outputs(self, folder: Path, shapes: Shapes) -> dict[str, FloatArray]:
        found = {}
        for name, head, seconds in ((_PRETRAINED, "val", 15), (_TUNED, "al", 20)):
            tuned = name == _TUNED
            network = self.network(head, copied=tuned)
            state = seeded_state(_tuned(shapes) if tuned else shapes)
            left = network.load_state_dict(state, strict=False)
            assert not left.unexpected_keys
            assert not _floats(dict.fromkeys(left.missing_keys, torch.zeros(0)))
            vectors = [] if tuned else [self._seen(network)]
            vectors += [self._heard(network, folder, one, seconds) for one in sounds()]
            tokens = nn.utils.rnn.pad_sequence(self.tokens(folder, _TEXTS), True, 1)
            with torch.no_grad():
                read = network(src_tokens=tokens.long(), encoder_type="text")
            found |= _named(name, torch.cat(vectors).numpy(), read.numpy())
        return found

    def _seen(self, network: Any) -> torch.Tensor:
        from torchvision import transforms

        side = (16 * _PATCHES, 16 * _PATCHES)
        mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
        prepare = transforms.Compose(
            [
                transforms.Resize(side, interpolation=transforms.InterpolationMode.BICUBIC),
                transforms.ToTensor(),
                transforms.Normalize(mean=mean, std=std),
            ]
        )
        pixels = prepare(Image.fromarray(_picture()))[None]
        with torch.no_grad():
            return network(src_images=pixels, encoder_type="image")

    def _heard(self, network: Any, folder: Path, sound: Sound, seconds: int) -> torch.Tensor:
        data = self._data(folder)
        samples = torch.from_numpy(sound.samples.T.squeeze())
        prepared = data.audio_postprocess(samples, sound.rate, seconds)
        layers = [(512, 10, 5), *[(512, 3, 2)] * 4, (512, 2, 2), (512, 2, 2)]
        steps = data._get_mask_indices_dims(prepared.size(-1), layers)
        padding = torch.zeros(1, steps + 1).bool()
        with torch.no_grad():
            return network(
                src_audios=prepared[None], audio_padding_masks=padding, encoder_type="audio"
            )

    def _data(self, folder: Path) -> Any:
        lines = (folder / "dict.txt").read_text(encoding="utf-8").splitlines()
        encoder = self._encoder(folder / "encoder.json", folder / "vocab.bpe")
        # fairseq's wrapper of it: numbers joined by spaces.
        pairs = SimpleNamespace(encode=lambda text: " ".join(map(str, encoder.encode(text))))
        dictionary = _Dictionary([line.rsplit(" ", 1)[0] for line in lines])
        return self._dataset("test", [], pairs, dictionary)


class _Dictionary:
    """fairseq's: four symbols of its own, then those of the file."""

    def __init__(self, symbols: list[str]) -> None:
        self._numbers = {symbol: 4 + row for row, symbol in enumerate(symbols)}
        self._count = 4 + len(symbols)

    def __len__(self) -> int:
        return self._count

    def bos(self) -> int:
        return 0

    def pad(self) -> int:
        return 1

    def eos(self) -> int:
        return 2

    def encode_line(self, line: str, **_: Any) -> torch.Tensor:
        return torch.tensor([self._numbers.get(word, 3) for word in line.split()]).int()


def _encoder_config() -> SimpleNamespace:
    """That of ``run_scripts/finetune_3B.yaml``, at small sizes."""
    usual: dict[str, Any] = {
        "layernorm_embedding": False,
        "add_type_embedding": False,
        "shrink_alpha": 1.0,
        "dropout": 0.0,
        "use_attn_bias": True,
    }
    return SimpleNamespace(
        text_adapter=SimpleNamespace(**usual, bucket_size=24),
        image_adapter=SimpleNamespace(
            **usual, bucket_size=_PATCHES, rel_bucket_size=_PATCHES, vision_encoder_type="hmlp"
        ),
        audio_adapter=SimpleNamespace(
            **usual,
            bucket_size=40,
            feature_encoder_spec="[(12, 10, 5)] + [(12, 3, 2)] * 4 + [(12,2,2)] + [(12,2,2)]",
            abs_pos_type="conv",
            conv_pos_depth=2,
            conv_pos_width=38,
            conv_pos_groups=8,
            conv_pos_pre_ln=False,
            conv_bias=False,
        ),
        embed_dim=_WIDTH,
        ffn_embed_dim=_HIDDEN,
        layers=_LAYERS,
        attention_heads=_HEADS,
        drop_path_rate=0.4,
        attention_dropout=0.0,
        activation_dropout=0.0,
        dropout=0.0,
        layerdrop=0.0,
        max_positions=1024,
        magneto_scale_attn=True,
        scale_attn=False,
        scale_fc=True,
        scale_heads=False,
        use_layer_scale=True,
        layer_scale_init_value=1e-6,
        checkpoint_activations=False,
        fsdp_checkpoint_wrap_layer_preserve_frequency=1,
        fsdp_checkpoint_wrap_layer_skip_frequency=1000,
    )


def _stand_ins(source: Path) -> Iterator[tuple[str, ModuleType]]:
    """Packages whose own ``__init__`` would import all of fairseq, and what is called of it."""
    package = source / "one_peace"
    for name in ("models", "models.one_peace", "models.adapter", "models.transformer", "utils"):
        yield _module(f"one_peace.{name}", __path__=[str(package / name.replace(".", "/"))])
    yield _module("one_peace", __path__=[str(package)])
    fairseq = source / "fairseq" / "fairseq"
    yield _module("fairseq_source", __path__=[str(fairseq)])
    yield _module("fairseq_source.data", __path__=[str(fairseq / "data")])
    encoders = [str(fairseq / "data" / "encoders")]
    yield _module("fairseq_source.data.encoders", __path__=encoders)
    yield _module("one_peace.models.unify_model_config", UnifyModelConfig=object)

    class Encoder(nn.Module):
        def __init__(self, dictionary: Any) -> None:
            super().__init__()

    class Dropout(nn.Dropout):
        def __init__(self, p: float, module_name: str = "") -> None:
            super().__init__(p)

    utils = _module(
        "fairseq.utils",
        softmax=lambda x, dim: torch.softmax(x, dim, dtype=torch.float32),
        new_arange=lambda x: torch.arange(x.shape[-1]).expand(*x.shape).contiguous(),
    )
    yield utils
    yield _module("fairseq", utils=utils[1], __path__=[])
    yield _module(
        "fairseq.models",
        register_model=lambda name, dataclass: lambda cls: cls,
        BaseFairseqModel=nn.Module,
        FairseqEncoder=Encoder,
    )
    yield _module("fairseq.distributed", fsdp_wrap=lambda layer: layer)
    yield _module("fairseq.modules", FairseqDropout=Dropout, LayerDropModuleList=None, __path__=[])
    yield _module("fairseq.modules.fairseq_dropout", FairseqDropout=Dropout)
    yield _module("fairseq.modules.checkpoint_activations", checkpoint_wrapper=partial)
    yield _module("fairseq.data", FairseqDataset=object)


def _module(name: str, **holds: Any) -> tuple[str, ModuleType]:
    return name, module(name, **holds)
