"""Pictures resized as OpenCV does it by default, for networks that were trained on that.

Two pixels are mixed along each side whatever the scale, without antialiasing, with weights of
11 bits. The result is that of ``cv2.resize`` to the last bit.
"""

from __future__ import annotations

import numpy as np

from datasets.base import ByteArray, IntArray

_ONE = np.float32(1 << 11)
_WHOLE = (slice(None), slice(None))


def resized(
    pixels: ByteArray, height: int, width: int, part: tuple[slice, slice] = _WHOLE
) -> ByteArray:
    """uint8 [height, width, 3] of uint8 [any, any, 3].

    part  the rows and columns of the result that are wanted: nothing else of it is made
    """
    top, bottom, top_weight, bottom_weight = _pairs(pixels.shape[0], height, part[0])
    left, right, left_weight, right_weight = _pairs(pixels.shape[1], width, part[1])
    of_left = pixels[:, left].astype(np.int64) * left_weight[:, None]
    of_right = pixels[:, right].astype(np.int64) * right_weight[:, None]
    rows = (of_left + of_right) >> 4
    above = (rows[top] * top_weight[:, None, None]) >> 16
    below = (rows[bottom] * bottom_weight[:, None, None]) >> 16
    return ((above + below + 2) >> 2).astype(np.uint8)


def _pairs(size: int, new_size: int, part: slice) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """The two pixels that each new one of a part is mixed of, and their weights."""
    places = ((np.arange(new_size)[part] + 0.5) * (size / new_size) - 0.5).astype(np.float32)
    first = np.floor(places).astype(np.int64)
    rest = places - first.astype(np.float32)
    weights = np.rint((1 - rest) * _ONE).astype(np.int64), np.rint(rest * _ONE).astype(np.int64)
    return np.clip(first, 0, size - 1), np.clip(first + 1, 0, size - 1), *weights
