"""Pictures as the published networks want them: resized, cropped and normalised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from PIL import Image
from torch import Tensor

from datasets.base import ByteArray, Item
from datasets.media.images import decode_images
from retrievers.torchvision_guard import ensure_torchvision

Rgb = tuple[float, float, float]

CLIP_MEAN: Rgb = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Rgb = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN: Rgb = (0.485, 0.456, 0.406)
IMAGENET_STD: Rgb = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class PictureRecipe:
    """How a picture becomes the input of a network.

    side           height and width of the result
    resize         "shortest": the short side becomes ``side``, then the centre is cut out;
                   "squash": both sides become ``side``, whatever the proportions were
    interpolation  over 8-bit pixels with antialiasing, as Pillow does it
    mean, std      of each channel of pixels in 0 to 1
    """

    side: int
    mean: Rgb = CLIP_MEAN
    std: Rgb = CLIP_STD
    resize: Literal["shortest", "squash"] = "shortest"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"

    @property
    def told(self) -> str:
        """The same in words, for the options of a row."""
        return f"{self.side} px, {self.resize}, {self.interpolation}"

    def picture(self, pixels: ByteArray) -> Tensor:
        """float32 [3, side, side] of uint8 [height, width, 3]."""
        prepared: Tensor = self._steps(Image.fromarray(pixels))
        return prepared

    def pictures(self, items: Sequence[Item]) -> Iterator[Tensor]:
        """Each item decoded and prepared, in order. Raises MediaError."""
        return (self.picture(pixels) for pixels in decode_images(items))

    @cached_property
    def _steps(self) -> Any:
        ensure_torchvision()
        from torchvision import transforms

        mode = transforms.InterpolationMode(self.interpolation)
        size = self.side if self.resize == "shortest" else (self.side, self.side)
        return transforms.Compose(
            [
                transforms.Resize(size, interpolation=mode),
                transforms.CenterCrop(self.side),
                transforms.ToTensor(),
                transforms.Normalize(self.mean, self.std),
            ]
        )
