"""Networks of transformers that caption a picture without being told what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from datasets.base import ByteArray
from retrievers.captioners.seeded_draw import SeededDraw
from retrievers.encoders.frozen_towers import check_tokenizer
from retrievers.encoders.towers import Placement
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights.releases import Located
from retrievers.weights.report import CheckpointError
from retrievers.weights.settings import read_settings
from retrievers.weights.states import checked_load

# model_type of config.json -> the class of transformers. Others want a prompt in a form of
# their own.
NETWORKS = {
    "blip": "BlipForConditionalGeneration",
    "blip-2": "Blip2ForConditionalGeneration",
    "git": "GitForCausalLM",
    "vision-encoder-decoder": "VisionEncoderDecoderModel",
}
_BEAMS = 5


class CaptioningNetwork:
    """Pictures to captions. ``network`` was put in its place by ``placement``."""

    def __init__(self, network: Any, processor: Any, tokenizer: Any, placement: Placement) -> None:
        self._network, self._processor, self._tokenizer = network, processor, tokenizer
        self._placement = placement

    def drawn(
        self,
        pictures: Sequence[ByteArray],
        each: int,
        tokens: int,
        top_p: float,
        seeds: Sequence[bytes],
    ) -> list[list[str]]:
        """``each`` captions of every picture, drawn by the numbers that its seed gives."""
        from transformers import LogitsProcessorList, TopPLogitsWarper

        draw = LogitsProcessorList([TopPLogitsWarper(top_p), SeededDraw(seeds, each)])
        how = {"do_sample": True, "num_beams": 1, "top_k": 0, "logits_processor": draw}
        return self._captions(pictures, each, tokens, how)

    def likeliest(self, pictures: Sequence[ByteArray], each: int, tokens: int) -> list[list[str]]:
        """The ``each`` captions of every picture that beam search finds, the likeliest first."""
        how = {"do_sample": False, "num_beams": max(_BEAMS, each)}
        return self._captions(pictures, each, tokens, how)

    def _captions(
        self, pictures: Sequence[ByteArray], each: int, tokens: int, how: dict[str, Any]
    ) -> list[list[str]]:
        pixels = self._prepared(pictures)
        devices = [pixels.device] if pixels.device.type == "cuda" else []
        # Drawing moves torch's generator, and what was kept needs no drawing: a training that
        # follows must not see the difference.
        with torch.inference_mode(), torch.random.fork_rng(devices=devices):
            written = self._network.generate(
                pixel_values=pixels, max_new_tokens=tokens, num_return_sequences=each, **how
            )
        texts = self._tokenizer.batch_decode(written, skip_special_tokens=True)
        clean = [" ".join(text.split()) for text in texts]
        return [clean[row : row + each] for row in range(0, len(clean), each)]

    def _prepared(self, pictures: Sequence[ByteArray]) -> Tensor:
        # Torch wants arrays that may be written to, which a decoded picture is not.
        inputs = self._processor(
            images=[picture.copy() for picture in pictures],
            return_tensors="pt",
            input_data_format="channels_last",
        )
        return self._placement.take(inputs["pixel_values"])


def open_network(located: Located, placement: Placement) -> CaptioningNetwork:
    """A captioner from a folder as transformers writes it; no code in it is run.

    Raises CheckpointError where it is of another kind, incomplete or damaged.
    """
    kind = read_settings(located.folder / "config.json").get("model_type")
    if kind not in NETWORKS:
        raise CheckpointError(
            f"{located.source} is of the kind {kind!r}. What captions pictures here is "
            f"{', '.join(NETWORKS)}."
        )
    ensure_torchvision()
    import transformers

    transformers.utils.logging.disable_progress_bar()
    here = {"local_files_only": True, "trust_remote_code": False}
    try:
        network, info = getattr(transformers, NETWORKS[kind]).from_pretrained(
            located.folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(located.folder, **here)
        processor = transformers.AutoImageProcessor.from_pretrained(located.folder, **here)
    # Files that are damaged lead their readers into errors of any class.
    except Exception as error:
        raise CheckpointError(f"{located.source} cannot be opened as {kind}: {error}") from error
    checked_load(located.source, info)
    places = network.config.get_text_config(decoder=True).vocab_size
    check_tokenizer(located.source, len(tokenizer), len(tokenizer.all_special_ids), places)
    return CaptioningNetwork(placement.put(network), processor, tokenizer, placement)
