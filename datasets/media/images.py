"""Decode pictures into arrays. The files are not trusted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from datasets.base import ByteArray, Clip, Item, Sound
from datasets.media.files import MediaError, read_bytes
from datasets.ordered_pool import ordered_map

MAX_PIXELS = 89_478_485

# Pillow can also read formats that start other programs (EPS starts Ghostscript).
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
# A format named to Image.open must be loaded before, and threads must not load it at once.
Image.init()
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def load_image(item: Item) -> ByteArray:
    """Decode an item: uint8 [height, width, 3], upright as its EXIF orientation says.

    Grey, palette, CMYK and 16-bit pictures become 8-bit RGB; transparent ones are laid on
    white. Raises MediaError.
    """
    if not isinstance(item.media, Path):
        return _checked(item, item.media)
    return decode_image(item, read_bytes(item))


def decode_image(item: Item, content: bytes) -> ByteArray:
    """As ``load_image``, from the bytes of the item's file."""
    return np.asarray(_open(item, content, None))


def decode_images(
    items: Iterable[Item], size: tuple[int, int] | None = None, *, workers: int | None = None
) -> Iterator[ByteArray]:
    """Decode items in order in ``workers`` threads (default: one a processor).

    size  (height, width) to which each whole picture is resized, bicubic with antialiasing;
          None keeps each picture's own size. A JPEG is then decoded at a fraction of its size
          that is still at least twice as large.

    Memory holds at most ``2 * workers`` pictures. Raises MediaError at the item's place.
    """
    return ordered_map(partial(_decode, size=size), items, workers)


def _decode(item: Item, size: tuple[int, int] | None) -> ByteArray:
    if size is None:
        return load_image(item)
    if isinstance(item.media, Path):
        picture = _open(item, read_bytes(item), size)
    else:
        picture = Image.fromarray(_checked(item, item.media))
    height, width = size
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))


def _checked(item: Item, pixels: ByteArray | Sound | Clip) -> ByteArray:
    if isinstance(pixels, Sound | Clip):
        raise MediaError(item, f"holds a {type(pixels).__name__.lower()}, not a picture")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise MediaError(
            item, f"is {pixels.dtype} {list(pixels.shape)}; an image is uint8 [height, width, 3]"
        )
    return pixels


def _open(item: Item, content: bytes, least: tuple[int, int] | None) -> Image.Image:
    if item.modality != "image":
        raise MediaError(item, f"is {item.modality}; only images can be decoded")
    # A decoder may raise anything on hostile bytes (struct.error, IndexError, SyntaxError ...).
    try:
        picture = Image.open(BytesIO(content), formats=_FORMATS)
        if picture.width * picture.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        if least is not None:
            picture.draft(None, (2 * max(least), 2 * max(least)))
        picture.load()
        return _upright(_rgb(item, picture), _orientation(picture))
    except MediaError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MediaError(item, f"has more than {MAX_PIXELS:,} pixels, the limit") from error
    except UnidentifiedImageError as error:
        raise MediaError(item, "is not a picture in a known format") from error
    except Exception as error:
        raise MediaError(item, f"is damaged or cut short: {error}") from error


def _orientation(picture: Image.Image) -> int:
    # Broken EXIF does not make a picture unreadable: it is shown as it is stored.
    try:
        return int(picture.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        return 1


def _upright(picture: Image.Image, orientation: int) -> Image.Image:
    turn = _UPRIGHT.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _rgb(item: Item, picture: Image.Image) -> Image.Image:
    if picture.mode == "RGB":
        return picture
    if picture.mode.startswith("I"):
        return _from_16_bit(item, np.asarray(picture))
    if picture.mode == "F":
        raise MediaError(item, "holds floating-point pixels, whose range is not known")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return picture.convert("RGB")


def _from_16_bit(item: Item, grey: npt.NDArray[np.generic]) -> Image.Image:
    """Scale to 8 bits: Pillow's own conversion cuts everything above 255 to white."""
    wide = grey.astype(np.int64)
    if wide.min() < 0 or wide.max() > 0xFFFF:
        raise MediaError(item, "holds 32-bit pixels, whose range is not known")
    return Image.fromarray(((wide + 128) // 257).astype(np.uint8)).convert("RGB")
