"""The authors' own UMT with seeded weights: run as a program by an environment that it fits.

``python -m tests.parity.umt_upstream SOURCE FOLDER K_TEST``, by the Python of ``blip2_upstream``:
it wants a transformers 4 and a timm 0.4. Given a folder with ``vocab.txt``, it writes there a
checkpoint as the public code does, ``shapes.json`` and its answers.
"""

from __future__ import annotations

import collections.abc
import importlib
import json
import runpy
import sys
import types
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from retrievers.torchvision_guard import ensure_torchvision
from tests.parity.seeded import seeded_state, shapes_of
from tests.parity.umt_small import SHOWN, SIZES, TEXTS

_SETTINGS = "exp/finetuning/ret_msrvtt/b16_25m.py"


def main(source: Path, folder: Path, k_test: int) -> None:
    ensure_torchvision()
    # It looks at which packages there are: before some of them are stood in for.
    importlib.import_module("transformers")
    sys.path.insert(0, str(source))
    _stand_in()
    _without_antialiasing()
    config = _config(source, folder)
    model, tokenizer = _model(config, folder)
    shapes = shapes_of(model.state_dict())
    counted = {name: one for name, one in model.state_dict().items() if name.endswith("_ids")}
    drawn = {name: shape for name, shape in shapes.items() if name not in counted}
    model.load_state_dict({**seeded_state(drawn), **counted}, strict=True)
    kept = {"model": model.state_dict(), "optimizer": {}, "config": config, "epoch": 3}
    torch.save(kept, folder / "ckpt_best.pth")
    (folder / "shapes.json").write_text(json.dumps(drawn))
    np.savez(folder / "theirs.npz", **_answers(model, tokenizer, config, k_test))


@torch.no_grad()
def _answers(model: Any, tokenizer: Any, config: Any, k_test: int) -> dict[str, np.ndarray]:
    from dataset import create_dataset
    from tasks.retrieval_utils import evaluation, extract_text_feats, extract_vision_feats

    (data,), _ = create_dataset("ret_eval", config)
    loader = _Loader(data)
    model.eval()
    read, _ = extract_text_feats(data.text, config.inputs.max_txt_l.video, tokenizer, model, "cpu")
    _, seen = extract_vision_feats(loader, model, "cpu", config)
    unit = partial(torch.nn.functional.normalize, dim=-1)
    config.evaluation.k_test = len(SHOWN) + len(TEXTS)
    _, logits, _, cosines = evaluation(model, loader, tokenizer, "cpu", config)
    config.evaluation.k_test = k_test
    to_texts, to_videos, _, _ = evaluation(model, loader, tokenizer, "cpu", config)
    return {
        "videos": unit(model.vision_proj(seen)).mean(1).numpy(),
        "texts": unit(model.text_proj(read[:, 0])).numpy(),
        "first stage": cosines,
        "logits": logits,
        "videos for a text": to_videos,
        "texts for a video": to_texts,
    }


class _Loader:
    """Its batches: two videos at once."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return -(-len(self.dataset) // 2)

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self.dataset), 2):
            rows = range(start, min(start + 2, len(self.dataset)))
            yield torch.stack([self.dataset[row][0] for row in rows]), list(rows)


def _config(source: Path, folder: Path) -> Any:
    """Its settings for MSR-VTT at the small sizes."""
    from utils.easydict import EasyDict

    told = runpy.run_path(str(source / _SETTINGS))
    told = {name: one for name, one in told.items() if not name.startswith("_")}
    config = EasyDict(_filled({name: one for name, one in told.items() if _plain(one)}, told))
    texts = [TEXTS[row] if row < len(TEXTS) else "" for row in range(len(SHOWN))]
    listed = [{"video": f"{row}", "caption": [text]} for row, text in enumerate(texts)]
    # A video may have several.
    listed[-1]["caption"] += TEXTS[len(SHOWN) :]
    (folder / "videos.json").write_text(json.dumps(listed))
    config.test_file = {"test": [str(folder / "videos.json"), "", "video"]}
    text = SIZES.text
    bert = json.loads((source / "configs/config_bert.json").read_text()) | {
        "vocab_size": text.vocabulary,
        "hidden_size": text.width,
        "intermediate_size": text.hidden,
        "num_hidden_layers": text.layers,
        "num_attention_heads": text.heads,
        "max_position_embeddings": text.positions,
    }
    (folder / "bert.json").write_text(json.dumps(bert))
    config.inputs.image_res = SIZES.side
    config.distributed = False
    config.gradient_checkpointing = False
    config.model.embed_dim = SIZES.dim
    config.model.text_encoder.update(
        config=str(folder / "bert.json"),
        d_model=text.width,
        fusion_layer=text.layers - SIZES.fusing,
    )
    config.model.vision_encoder.update(
        img_size=SIZES.side,
        patch_size=SIZES.patch,
        d_model=SIZES.width,
        encoder_embed_dim=SIZES.width,
        encoder_depth=SIZES.layers,
        encoder_num_heads=SIZES.heads,
        use_checkpoint=False,
        clip_decoder_embed_dim=SIZES.width,
        pretrained=None,
    )
    return config


def _filled(value: Any, told: dict[str, Any]) -> Any:
    """What a setting refers to: ``"${num_frames}"``."""
    if isinstance(value, dict):
        return {name: _filled(one, told) for name, one in value.items()}
    if value == "${TextEncoders[${text_enc}]}":
        return dict(told["TextEncoders"][told["text_enc"]])
    if isinstance(value, str) and value.startswith("${"):
        return told[value[2:-1]]
    return value


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str, list, dict))


def _model(config: Any, folder: Path) -> tuple[Any, Any]:
    from models.backbones.bert import builder
    from models.backbones.bert.tokenization_bert import BertTokenizer
    from models.umt import UMT

    def without_weights(name: str, config: Any, **more: Any) -> Any:
        del name, more["output_loading_info"]
        return builder_model(config, **more), {}

    builder_model = builder.BertModel
    builder.BertModel = SimpleNamespace(from_pretrained=without_weights)
    tokenizer = BertTokenizer(str(folder / "vocab.txt"))
    return UMT(config, tokenizer, is_pretrain=False), tokenizer


def _without_antialiasing() -> None:
    """Tensors were resized without it by the torchvision 0.13 that the authors pinned."""
    from torchvision import transforms

    transforms.Resize = partial(transforms.Resize, antialias=False)


def _stand_in() -> None:
    class VideoReader:
        def __init__(self, name: str, num_threads: int) -> None:
            self._frames = torch.from_numpy(SHOWN[int(name)])

        def __len__(self) -> int:
            return len(self._frames)

        def get_avg_fps(self) -> float:
            return 3.0

        def get_batch(self, rows: Any) -> torch.Tensor:
            return self._frames[[int(row) for row in rows]]

    bridge = types.SimpleNamespace(set_bridge=lambda name: None)
    _module("decord", VideoReader=VideoReader, bridge=bridge)
    _module("einops", rearrange=None)
    for name in ("av", "cv2", "imageio"):
        _module(name)
    _module("torch._six", container_abcs=collections.abc)


def _module(name: str, **holds: object) -> None:
    module = types.ModuleType(name)
    vars(module).update(holds)
    sys.modules[name] = module


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
