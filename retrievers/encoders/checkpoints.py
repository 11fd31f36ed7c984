"""Pretrained weights: where they are, what they are, and whether they were read whole."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from retrievers.base import Availability, WeightsAbsent

_LOG = logging.getLogger(__name__)

# Everything a loader reads; weights in pickle form are never fetched nor opened.
_READ = ("*.json", "*.txt", "*.model", "model*.safetensors")
_CHUNK = 1 << 22


class CheckpointError(Exception):
    """Weights that are there but cannot be used as they stand; the message says why."""


@dataclass(frozen=True)
class LoadReport:
    """How the names in a checkpoint met the names in the model.

    missing     parameters of the model that the checkpoint lacks, and that its output needs
    unexpected  parameters of the checkpoint that the model has no place for
    """

    source: str
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.source}: {_listed(self.missing)} missing, {_listed(self.unexpected)} not used"
        )


def availability(role: str, source: str | None) -> Availability:
    """Whether the weights for a role can be had; nothing is fetched to find out."""
    if not source:
        return Availability(False, f"name the {role} tower: --checkpoint {role}=HUB_ID_OR_FOLDER")
    if not _looks_like_path(source):
        here = _cached_snapshot(source) is not None
        where = "already fetched" if here else "will be fetched from the Hugging Face hub"
        return Availability(True, f"the {role} tower {source} {where}")
    try:
        _local(source)
    except WeightsAbsent as error:
        return Availability(False, str(error))
    return Availability(True, f"the {role} tower is read from {source}")


def locate(source: str) -> Path:
    """The folder of a checkpoint given as a folder or a hub id; a hub id is fetched once.

    Raises WeightsAbsent where there is no such folder, or the hub cannot give it.
    """
    if _looks_like_path(source):
        return _local(source)
    return _cached_snapshot(source) or _fetched_snapshot(source)


def fingerprint(folder: Path) -> str:
    """32 hexadecimal digits over the names and bytes of all that a loader reads."""
    files = sorted({path for pattern in _READ for path in folder.rglob(pattern)})
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        state = path.stat()
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name}\0{_file_digest(path, state.st_size, state.st_mtime_ns)}\0".encode())
    return digest.hexdigest()


def checked_load(source: str, info: Mapping[str, Any], unneeded: Iterable[str] = ()) -> LoadReport:
    """Turn what ``from_pretrained(..., output_loading_info=True)`` found into a report, logged.

    ``unneeded`` are prefixes of parameters that the output in use does not depend on.
    Raises CheckpointError when a parameter in use was not in the checkpoint or did not fit:
    it would hold random numbers.
    """
    spared = tuple(unneeded)
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(spared))
    misfits = sorted(str(key) for key in info.get("mismatched_keys", ()))
    report = LoadReport(source, tuple(missing), tuple(sorted(info["unexpected_keys"])))
    _LOG.info("%s", report)
    if missing:
        raise CheckpointError(
            f"{source} lacks {_listed(missing)} of the weights of its own model; "
            "they would be random. The download may be incomplete: fetch it again."
        )
    if misfits:
        raise CheckpointError(f"{source}: the shapes of {_listed(misfits)} do not fit config.json")
    return report


def _looks_like_path(source: str) -> bool:
    return source.startswith(("/", ".", "~")) or source.count("/") != 1 or Path(source).exists()


def _local(source: str) -> Path:
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise WeightsAbsent(
            f"There is no folder {source!r}. Give a folder that holds config.json and "
            "model.safetensors, or a hub id of the form owner/name."
        )
    _check_complete(folder, source)
    return folder


def _check_complete(folder: Path, source: str) -> None:
    if not (folder / "config.json").is_file():
        raise WeightsAbsent(
            f"{source!r} holds no config.json: it is not a transformers checkpoint."
        )
    if not any(folder.glob("model*.safetensors")):
        raise WeightsAbsent(
            f"{source!r} holds no model.safetensors. Weights in pickle form (pytorch_model.bin) "
            "are not read: convert them to safetensors."
        )


def _cached_snapshot(source: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(source, local_files_only=True, allow_patterns=list(_READ)))
        _check_complete(folder, source)
    except (LocalEntryNotFoundError, WeightsAbsent):
        return None
    return folder


def _fetched_snapshot(source: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
    )

    try:
        folder = Path(snapshot_download(source, allow_patterns=list(_READ)))
    except (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        OSError,
    ) as error:
        raise WeightsAbsent(
            f"{source!r} could not be fetched from the Hugging Face hub ({error}). "
            "Check the name and the network, or give a folder that holds it."
        ) from error
    _check_complete(folder, source)
    return folder


@lru_cache(maxsize=256)
def _file_digest(path: Path, size: int, mtime_ns: int) -> str:
    """Digest of a file's bytes; size and time of change are there to keep the cache honest."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    if not found:
        return "none"
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return f"{len(found)} ({', '.join(found[:3])}{more})"
