"""Reads files of weights without running what is in them, and fills a model with all of it."""

from __future__ import annotations

import logging
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from retrievers.weights.report import CheckpointError, LoadReport, listed

_LOG = logging.getLogger(__name__)

State = dict[str, Tensor]
# A type, or what else a pickle may call with the name that it goes by there.
Harmless = type | tuple[Any, str]

# What torch's restricted reader says of the first thing in a pickle that it does not build.
_FOREIGN = re.compile(r"GLOBAL (\S+)")


def read_state(files: Sequence[Path], under: str = "", harmless: Iterable[Harmless] = ()) -> State:
    """The tensors by name of one checkpoint, which may be parted over several files.

    under     the entry that holds them, as "model" or "state_dict.net", where the file holds
              more than weights
    harmless  types besides tensors and plain containers that its pickle may hold

    Files are mapped, but for pickles older than torch 1.6. Pickles are read by torch's restricted
    reader, which builds tensors and plain containers alone. Raises CheckpointError.
    """
    state: State = {}
    for path in files:
        state |= _inside(_opened(path, harmless), under, path)
    return state


def load_strictly(
    model: nn.Module,
    state: Mapping[str, Tensor],
    source: str,
    *,
    renamed: Callable[[str], str | None] = lambda name: name,
    unneeded: Iterable[str] = (),
) -> LoadReport:
    """Put every tensor of ``state`` into ``model``; nothing may be missing, left over or misfit.

    model     may be built on the meta device: the tensors are taken, not copied
    renamed   a name in the checkpoint -> the name in the model, None for what the model leaves
              out knowingly (a decoder, a loss's temperature)
    unneeded  prefixes of the model's names that its output does not depend on

    Raises CheckpointError where a parameter would stay random, or a tensor had no place.
    """
    given = {new: tensor for name, tensor in state.items() if (new := renamed(name)) is not None}
    places = model.state_dict()
    spared = tuple(unneeded)
    missing = [name for name in places if name not in given and not name.startswith(spared)]
    report = LoadReport(
        source,
        missing=tuple(missing),
        unexpected=tuple(name for name in given if name not in places),
        misfits=tuple(
            name for name in places if name in given and given[name].shape != places[name].shape
        ),
    )
    _LOG.info("%s", report)
    if report.missing or report.unexpected or report.misfits:
        raise CheckpointError(
            f"{report}. It is not a checkpoint of this model, or its download is incomplete."
        )
    model.load_state_dict(given, strict=False, assign=True)
    _check_filled(model, source, spared)
    return report


def checked_load(source: str, info: Mapping[str, Any], unneeded: Iterable[str] = ()) -> LoadReport:
    """Turn what ``from_pretrained(..., output_loading_info=True)`` found into a report, logged.

    ``unneeded`` are prefixes of parameters that the output in use does not depend on.
    Raises CheckpointError when a parameter in use was not in the checkpoint or did not fit:
    it would hold random numbers.
    """
    spared = tuple(unneeded)
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(spared))
    misfits = sorted(str(key) for key in info.get("mismatched_keys", ()))
    report = LoadReport(
        source, tuple(missing), tuple(sorted(info["unexpected_keys"])), tuple(misfits)
    )
    _LOG.info("%s", report)
    if missing:
        raise CheckpointError(
            f"{source} lacks {listed(missing)} of the weights of its own model; "
            "they would be random. The download may be incomplete: fetch it again."
        )
    if misfits:
        raise CheckpointError(f"{source}: the shapes of {listed(misfits)} do not fit config.json")
    return report


def _opened(path: Path, harmless: Iterable[Harmless]) -> Any:
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{path} cannot be read as safetensors ({error}): fetch it again."
            ) from error
    try:
        mapped = zipfile.is_zipfile(path)
        with torch.serialization.safe_globals(list(harmless)):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {error}") from error
    # A file that is damaged, or is none, leads its reader into errors of any class.
    except Exception as error:
        raise CheckpointError(_unread(path, error)) from error


def _unread(path: Path, error: Exception) -> str:
    foreign = _FOREIGN.search(str(error))
    if not foreign:
        return (
            f"{path} cannot be read as a checkpoint of torch: it is damaged or something else. "
            "Fetch it again."
        )
    return (
        f"{path} holds more than weights ({foreign[1]}), and reading it could run a program. "
        "Convert it to safetensors where you trust it."
    )


def _inside(found: Any, under: str, path: Path) -> State:
    for name in filter(None, under.split(".")):
        if not isinstance(found, Mapping) or name not in found:
            raise CheckpointError(f"{path} holds no {under!r}: it is not a checkpoint of this kind")
        found = found[name]
    if not isinstance(found, Mapping):
        raise CheckpointError(f"{path} holds a {type(found).__name__}, not weights by name")
    strange = [name for name, value in found.items() if not isinstance(value, Tensor)]
    if strange:
        raise CheckpointError(f"{path}: {listed(map(str, strange))} of its entries are no tensors")
    return dict(found)


def _check_filled(model: nn.Module, source: str, spared: tuple[str, ...]) -> None:
    tensors = [*model.named_parameters(), *model.named_buffers()]
    empty = [name for name, one in tensors if one.is_meta and not name.startswith(spared)]
    if empty:
        raise CheckpointError(f"{source}: {listed(empty)} of the model were left without numbers")
