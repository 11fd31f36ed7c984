"""What the authors' LanguageBind gives, run by a Python with the transformers that they pinned.

``python languagebind_upstream.py MODALITY SOURCE FOLDER`` reads ``FOLDER/inputs.npz`` and writes a
release as the authors save it (``pytorch_model.bin``, ``config.json``) and ``outputs.npz``. The
environment holds transformers 4.30.2, tokenizers 0.13.3, torchvision 0.15.2, pytorchvideo 0.1.5,
torchaudio 2.0.2, peft 0.4.0, ftfy, einops and any torch. The layers of transformers 5 would ignore
the causal mask that this source gives them. Packages that only open files are stood in for, and
what is drawn at random is fixed.
"""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import json
import sys
import types
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from tests.parity.seeded import seeded_state


def main(modality: str, source: Path, folder: Path) -> None:
    inputs = np.load(folder / "inputs.npz")
    names = [name for name in inputs.files if name.startswith("item")]
    # Both look at which packages there are: before some of them are stood in for.
    importlib.import_module("peft")
    _stand_in({name: inputs[name] for name in names})
    package = types.ModuleType("languagebind")
    package.__path__ = [str(source / "languagebind")]
    sys.modules["languagebind"] = package
    title = f"LanguageBind{modality.title()}"
    modeling, configuration, processing, tokenization = (
        importlib.import_module(f"languagebind.{modality}.{part}_{modality}")
        for part in ("modeling", "configuration", "processing", "tokenization")
    )
    told = json.loads((folder / "told.json").read_text())
    config = getattr(configuration, f"{title}Config")(**told)
    model = getattr(modeling, title)(config).eval()
    state = model.state_dict()
    model.load_state_dict(_seeded(state))
    config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    tokenizer = getattr(tokenization, f"{title}Tokenizer")(*_vocabulary(source, folder))
    process = getattr(processing, f"{title}Processor")(config, tokenizer)
    if modality == "video":
        process.transform.transforms[-1].p = 0.0
    media = [BytesIO(_png(inputs[name])) if modality == "image" else name for name in names]
    data = process(media, [str(text) for text in inputs["texts"]], return_tensors="pt")
    with torch.no_grad():
        out = model(**data)
    np.savez(
        folder / "outputs.npz",
        items=out.image_embeds.numpy(),
        texts=out.text_embeds.numpy(),
        scores=(out.text_embeds @ out.image_embeds.T).numpy(),
    )
    shapes = {name: list(tensor.shape) for name, tensor in state.items()}
    (folder / "shapes.json").write_text(json.dumps(shapes))


def _seeded(state: Any) -> Any:
    """Seeded weights; whole numbers, which say where positions are, stay."""
    floats = {name: list(one.shape) for name, one in state.items() if one.is_floating_point()}
    return {**state, **seeded_state(floats)}


def _vocabulary(source: Path, folder: Path) -> tuple[str, str]:
    """CLIP's word pieces, which come with the source, as files of transformers."""
    from transformers.models.clip.tokenization_clip import bytes_to_unicode

    packed = (source / "data/bpe_simple_vocab_16e6.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode("utf-8").split("\n")[: 49152 - 256 - 2 + 1]
    letters = list(bytes_to_unicode().values())
    words = [*letters, *(f"{one}</w>" for one in letters)]
    words += ["".join(merge.split()) for merge in lines[1:]]
    words += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({word: row for row, word in enumerate(words)}))
    merges.write_text("\n".join(lines))
    return str(vocabulary), str(merges)


def _png(pixels: Any) -> bytes:
    written = BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


def _stand_in(items: dict[str, Any]) -> None:
    class VideoReader:
        def __init__(self, name: str, ctx: object) -> None:
            self._frames = torch.from_numpy(items[name])

        def __len__(self) -> int:
            return len(self._frames)

        def get_batch(self, rows: Any) -> torch.Tensor:
            return self._frames[torch.from_numpy(rows)]

    _module("cv2")
    _module("decord", VideoReader=VideoReader, cpu=lambda number: number)
    _module("decord.bridge", set_bridge=lambda name: None)
    sys.modules["decord"].bridge = sys.modules["decord.bridge"]  # type: ignore[attr-defined]
    _module("pytorchvideo.data.encoded_video", EncodedVideo=object)
    sound = _module(
        "torchaudio",
        set_audio_backend=lambda name: None,
        load=lambda name: (torch.from_numpy(items[name]).clone(), 16_000),
    )
    # The compiled part of torchaudio does not fit every torch; this file of it is plain Python.
    found = _kaldi_spec()
    kaldi = importlib.util.module_from_spec(found)
    assert found.loader is not None
    found.loader.exec_module(kaldi)
    sound.compliance = types.SimpleNamespace(kaldi=kaldi)  # type: ignore[attr-defined]
    np.random.choice = lambda options: options[0]  # type: ignore[assignment]


def _kaldi_spec() -> Any:
    for entry in map(Path, sys.path):
        path = entry / "torchaudio/compliance/kaldi.py"
        if path.is_file():
            return importlib.util.spec_from_file_location("torchaudio_kaldi", path)
    raise FileNotFoundError("the environment has no torchaudio")


def _module(name: str, **holds: object) -> types.ModuleType:
    module = types.ModuleType(name)
    vars(module).update(holds)
    sys.modules[name] = module
    return module


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
