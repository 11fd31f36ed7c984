"""The settings that a release keeps in JSON beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retrievers.weights.report import CheckpointError

_MOST_BYTES = 1 << 24
# Of the systems here none has half as many. A network is built before its weights are looked at,
# layer by layer, so a file that claims millions would be answered after hours.
_MOST_LAYERS = 1000


def read_settings(path: Path) -> Mapping[str, Any]:
    """What a file of JSON holds by name.

    Raises CheckpointError where it cannot be read, is no JSON, is larger than 16 MiB, holds
    something else, or asks for more than 1,000 layers.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise CheckpointError(f"{path} is too large for a file of settings")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(found, Mapping):
        raise CheckpointError(f"{path} holds no settings by name")
    _check_layers(path, found)
    return found


def _check_layers(path: Path, settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            _check_layers(path, value)
        elif name == "num_hidden_layers" and isinstance(value, int) and value > _MOST_LAYERS:
            raise CheckpointError(f"{path} asks for {value} layers: no network here has so many")
