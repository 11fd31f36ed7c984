"""Whether a release was trained with the activation that it is about to be run with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retrievers.encoders.openclip_models import Config
from retrievers.weights.releases import Located
from retrievers.weights.report import CheckpointError
from retrievers.weights.settings import read_settings

# CLIP's own activation as transformers calls it, and what it takes where none is named.
_QUICK = "quick_gelu"


def check_activation(config: Config, located: Located) -> None:
    """Raises CheckpointError where a release says that its activation is another.

    OpenAI's CLIP and later ones differ in it alone: the weights of each fit the other, and only
    the vectors are wrong.
    """
    told = _quick_gelu(located.folder)
    if told is not None and told != config.get("quick_gelu", False):
        raise CheckpointError(
            f"{located.source} was trained {'with' if told else 'without'} QuickGELU and would "
            f"run {'without' if told else 'with'} it here: it is of another system."
        )


def _quick_gelu(folder: Path) -> bool | None:
    """What the configuration beside the weights says; None where there is none."""
    model = _read(folder / "open_clip_config.json").get("model_cfg")
    if isinstance(model, Mapping):
        return bool(model.get("quick_gelu", False))
    vision = _read(folder / "config.json").get("vision_config")
    return vision.get("hidden_act", _QUICK) == _QUICK if isinstance(vision, Mapping) else None


def _read(path: Path) -> Mapping[str, Any]:
    return read_settings(path) if path.is_file() else {}
