"""Pretrained image and text towers from transformers checkpoints, used as they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from datasets.base import Item
from datasets.media.images import decode_images
from retrievers.base import FloatArray
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights.releases import TRANSFORMERS, Located, locate
from retrievers.weights.report import CheckpointError
from retrievers.weights.states import checked_load

Pooling = Literal["mean", "cls", "max", "last"]

_POOLING_KEYS: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "last",
}
_LONGEST = 512


class ImageTower:
    """A frozen vision model: items to raw feature vectors, neither centred nor normalised.

    A CLIP model gives its projected embedding, any other its pooled output, or the first token
    where the checkpoint has no pooling weights.
    """

    def __init__(
        self, model: nn.Module, processor: Any, fingerprint: str, device: str, batch: int = 32
    ) -> None:
        self._model = model.to(device).eval()
        self._processor = processor
        self._device = device
        self._batch = batch
        self.fingerprint = fingerprint

    def encode(self, items: Sequence[Item]) -> FloatArray:
        """[items, width]; in memory is one batch of pictures. Raises MediaError."""
        # Torch wants arrays that may be written to, which a decoded picture is not.
        pictures = (picture.copy() for picture in decode_images(items))
        parts = []
        while batch := list(islice(pictures, self._batch)):
            inputs = self._processor(
                images=batch, return_tensors="pt", input_data_format="channels_last"
            )
            parts.append(self._forward(inputs["pixel_values"].to(self._device)))
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

    def _forward(self, pixels: torch.Tensor) -> FloatArray:
        with torch.inference_mode():
            output = self._model(pixel_values=pixels)
        features = getattr(output, "image_embeds", None)
        if features is None:
            features = getattr(output, "pooler_output", None)
        if features is None:
            features = output.last_hidden_state[:, 0]
        return _host(features.flatten(1))


class TextTower:
    """A frozen language model: texts to pooled token vectors, not normalised."""

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        fingerprint: str,
        device: str,
        pooling: Pooling = "mean",
        longest: int = 128,
        batch: int = 64,
    ) -> None:
        self._model = model.to(device).eval()
        self._tokenizer = tokenizer
        self._device = device
        self._pooling = pooling
        self._longest = longest
        self._batch = batch
        self.fingerprint = fingerprint

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """[texts, width]; a text beyond the model's length is cut."""
        # Texts of like length share a batch, so that little of it is padding.
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        out: FloatArray | None = None
        for start in range(0, len(order), self._batch):
            rows = order[start : start + self._batch]
            vectors = self._forward([texts[row] for row in rows])
            if out is None:
                out = np.empty((len(texts), vectors.shape[1]), np.float32)
            out[rows] = vectors
        return np.zeros((0, 0), np.float32) if out is None else out

    def _forward(self, texts: list[str]) -> FloatArray:
        inputs = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self._longest, return_tensors="pt"
        ).to(self._device)
        with torch.inference_mode():
            hidden = self._model(**inputs).last_hidden_state
        return _host(pool(hidden, inputs["attention_mask"], self._pooling))


def pool(hidden: torch.Tensor, mask: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """[texts, width] from token vectors [texts, tokens, width] where mask [texts, tokens] is 1.

    A text of no tokens gives zeros under "mean".
    """
    seen = mask.unsqueeze(-1).to(hidden.dtype)
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "max":
        return hidden.masked_fill(seen == 0, -torch.inf).amax(dim=1)
    if pooling == "last":
        last = (mask * torch.arange(mask.shape[1], device=mask.device)).argmax(dim=1)
        return hidden[torch.arange(len(hidden), device=hidden.device), last]
    return (hidden * seen).sum(dim=1) / seen.sum(dim=1).clamp(min=1)


def open_image_tower(source: str, device: str) -> ImageTower:
    """The image tower at a folder or hub id. Raises WeightsAbsent, CheckpointError."""
    transformers = _transformers()
    located = locate(source, TRANSFORMERS)
    folder = located.folder
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    loader = _image_loader(transformers, config.model_type)
    model, info = loader.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        output_loading_info=True,
    )
    spared: tuple[str, ...] = ()
    if any(key.startswith("pooler.") for key in info["missing_keys"]):
        model.pooler, spared = None, ("pooler.",)
    checked_load(source, info, unneeded=spared)
    processor = transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    return ImageTower(model, processor, _tower_fingerprint(located, "image"), device)


def open_text_tower(source: str, device: str) -> TextTower:
    """The text tower at a folder or hub id. Raises WeightsAbsent, CheckpointError."""
    transformers = _transformers()
    located = locate(source, TRANSFORMERS)
    folder = located.folder
    pooling = _pooling(folder)
    model, info = transformers.AutoModel.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        output_loading_info=True,
    )
    # Pooling takes the token vectors: what a masked-language checkpoint lacks here is not used.
    checked_load(source, info, unneeded=("pooler.",))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    check_tokenizer(source, len(tokenizer), len(tokenizer.all_special_ids), model.config.vocab_size)
    longest = min(_longest(folder), tokenizer.model_max_length)
    return TextTower(
        model, tokenizer, _tower_fingerprint(located, "text"), device, pooling, longest
    )


def check_tokenizer(source: str, words: int, special: int, places: int) -> None:
    """Raises CheckpointError unless a tokenizer of ``words`` tokens fits ``places`` embeddings.

    Without its vocabulary file a tokenizer can load empty, and every text then looks the same.
    """
    if words <= special:
        raise CheckpointError(
            f"{source}: the tokenizer is empty ({words} tokens, {special} of them special). "
            "Its vocabulary file (tokenizer.json, vocab.txt, ...) is missing."
        )
    if words > places:
        raise CheckpointError(
            f"{source}: the tokenizer knows {words} tokens but the model only {places}: "
            "they are not of the same model."
        )


def _image_loader(transformers: Any, model_type: str) -> Any:
    if model_type in ("clip", "clip_vision_model"):
        return transformers.CLIPVisionModelWithProjection
    if model_type in ("siglip", "siglip_vision_model"):
        return transformers.SiglipVisionModel
    if model_type in ("siglip2", "siglip2_vision_model"):
        return transformers.Siglip2VisionModel
    return transformers.AutoModel


def _pooling(folder: Path) -> Pooling:
    """How a sentence encoder pools, from its modules.json; the mean where nothing is said."""
    modules = folder / "modules.json"
    if not modules.is_file():
        return "mean"
    pooling: Pooling = "mean"
    for module in json.loads(modules.read_text(encoding="utf-8")):
        kind = str(module["type"]).rpartition(".")[2]
        if kind == "Pooling":
            pooling = _pooling_mode(folder / str(module["path"]) / "config.json")
        elif kind not in ("Transformer", "Normalize"):
            raise CheckpointError(
                f"{folder} ends in a module of type {kind}, which is not supported. "
                "Choose a sentence encoder that only pools and normalises."
            )
    return pooling


def _pooling_mode(config: Path) -> Pooling:
    if not config.is_file():
        return "mean"
    modes = json.loads(config.read_text(encoding="utf-8"))
    chosen = [mode for key, mode in _POOLING_KEYS.items() if modes.get(key)]
    if len(chosen) != 1:
        raise CheckpointError(
            f"{config} asks for {len(chosen)} of the poolings {', '.join(_POOLING_KEYS.values())}; "
            "exactly one is supported."
        )
    return chosen[0]


def _longest(folder: Path) -> int:
    path = folder / "sentence_bert_config.json"
    if not path.is_file():
        return _LONGEST
    return int(json.loads(path.read_text(encoding="utf-8")).get("max_seq_length") or _LONGEST)


def _tower_fingerprint(located: Located, role: str) -> str:
    # Another release of transformers may prepare a picture or split a text differently.
    return f"{role}-{located.fingerprint(TRANSFORMERS)}-{version('transformers')}"


def _transformers() -> Any:
    ensure_torchvision()
    import transformers

    transformers.utils.logging.disable_progress_bar()
    return transformers


def _host(features: torch.Tensor) -> FloatArray:
    vectors: FloatArray = features.float().cpu().numpy()
    if not np.isfinite(vectors).all():
        raise CheckpointError("the tower gave vectors that are not finite")
    return vectors
