"""Find media that look or sound nearly the same, by signatures of 64 bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Of 64 bits, those in which near duplicates may differ. Among 239 photos of COCO, 11 clips of MSVD
# and 8 sounds of Clotho no two differ in fewer than 10, 20 and 23; a photo halved in size and
# saved as a poor JPEG differs from itself in 3 or fewer in 234 cases.
DISTANCE = 3
_BLOCK = 1 << 22


def near_duplicates(
    signatures: npt.NDArray[np.uint64], distance: int = DISTANCE
) -> npt.NDArray[np.bool_]:
    """Whether another signature lies within a Hamming distance of each: bool [n].

    signatures  uint64 [n]

    Every pair is compared once, in blocks of 32 MiB.
    """
    near = np.zeros(len(signatures), np.bool_)
    rows = max(1, _BLOCK // max(1, len(signatures)))
    for start in range(0, len(signatures), rows):
        here = signatures[start : start + rows, None]
        close = np.bitwise_count(here ^ signatures[None, start:]) <= distance
        # A signature is not its own neighbour.
        close[np.arange(len(here)), np.arange(len(here))] = False
        near[start : start + len(here)] |= close.any(axis=1)
        near[start:] |= close.any(axis=0)
    return near
