"""Makes torchvision importable where its compiled part does not fit the torch that is installed.

The package registry's torchvision needs CUDA libraries. Over a processor-only torch its compiled
operators do not load, and torchvision's own import then ends with ``operator torchvision::nms does
not exist``, which takes open_clip, timm and the image processors of transformers down with it.
None of them needs those operators to prepare an image, so their declarations are enough.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from functools import cache

import torch

_SYMPTOM = "operator torchvision::nms does not exist"
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@cache
def ensure_torchvision() -> None:
    """Import torchvision, declaring the operators that its import needs where they are missing.

    To be called before anything that imports torchvision. Does nothing where torchvision is not
    installed; an import that fails for any other reason raises what it raised.
    """
    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if _SYMPTOM not in str(error):
            raise
        _forget("torchvision")
        _declare()
        importlib.import_module("torchvision")


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{package}.")]:
        del sys.modules[name]


@cache
def _declare() -> torch.library.Library:
    # The declarations last as long as the library object: the cache keeps it.
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    return library
