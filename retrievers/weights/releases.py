"""Where released weights are: a file, a folder, or a repository of the Hugging Face hub."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from retrievers.base import Availability, WeightsAbsent

# What a user writes to allow the download of a system's own release.
DEFAULT = "default"
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Release:
    """Weights as their authors give them away.

    needs   patterns that some file must match each, that of the weights first; "A|B" asks for
            files that match A, or where there are none, B
    reads   patterns of what a loader reads besides, where it is there
    hub     hub id of the release, "" where its authors publish it elsewhere
    obtain  a sentence on where the weights are and how large, for a user who has none
    """

    needs: tuple[str, ...]
    reads: tuple[str, ...] = ()
    hub: str = ""
    obtain: str = ""

    @property
    def patterns(self) -> list[str]:
        return [*_either(self.needs[0]), *self.beside]

    @property
    def beside(self) -> list[str]:
        """Patterns of all but the weights."""
        return [*(one for need in self.needs[1:] for one in _either(need)), *self.reads]


# A folder as transformers writes it. Weights in pickle form are never fetched nor opened.
TRANSFORMERS = Release(
    needs=("model*.safetensors", "config.json"), reads=("*.json", "*.txt", "*.model")
)


@dataclass(frozen=True)
class Located:
    """Weights that are here.

    source   as the user named them
    files    the files of weights, in the order of their names
    folder   where the other files of the release are
    """

    source: str
    files: tuple[Path, ...]
    folder: Path

    def fingerprint(self, release: Release) -> str:
        """32 hexadecimal digits over the names and bytes of all that a loader reads."""
        beside = {path for pattern in release.beside for path in self.folder.rglob(pattern)}
        return _digest_of(self.folder, {*self.files, *beside})


def availability(label: str, source: str | None, release: Release, option: str) -> Availability:
    """Whether weights can be had; nothing is fetched to find out.

    label   what they are, for the sentence: "the image tower"
    option  the command-line word that names them: "aligned.image"
    """
    if not source:
        kept = release.hub and _cached(release.hub, release)
        if kept:
            return Availability(True, f"{label} {release.hub} was fetched before")
        return Availability(False, _how_to_name(label, release, option))
    if source == DEFAULT and not release.hub:
        return Availability(False, _how_to_name(label, release, option))
    if _is_hub_id(source):
        repository = named(source, release)
        here = _cached(repository, release) is not None
        where = "was fetched before" if here else "will be fetched from the Hugging Face hub"
        return Availability(True, f"{label} {repository} {where}")
    try:
        _local(source, release)
    except WeightsAbsent as error:
        return Availability(False, str(error))
    return Availability(True, f"{label} is read from {source}")


def named(source: str | None, release: Release) -> str:
    """What the weights are called in results: the user's word, or the hub id that it stands for.

    Raises WeightsAbsent where nothing was named and nothing can stand for it.
    """
    if source and source != DEFAULT:
        return source
    if not release.hub:
        raise WeightsAbsent(release.obtain or "no weights are named")
    return release.hub


def locate(source: str, release: Release) -> Located:
    """The weights that ``source`` names: a file, a folder or a hub id, which is fetched once.

    Raises WeightsAbsent where there is no such thing, or the hub cannot give it.
    """
    if not _is_hub_id(source):
        return _local(source, release)
    repository = named(source, release)
    return _cached(repository, release) or _fetched(repository, release)


def _how_to_name(label: str, release: Release, option: str) -> str:
    way = f"--checkpoint {option}=HUB_ID_OR_PATH"
    if release.hub:
        way = f"{way}, where {option}={DEFAULT} fetches {release.hub}"
    told = f". {release.obtain}" if release.obtain else ""
    return f"name {label}: {way}{told}".rstrip(".")


def _is_hub_id(source: str) -> bool:
    if source == DEFAULT:
        return True
    is_path = source.startswith(("/", ".", "~")) or source.count("/") != 1
    return not is_path and not Path(source).exists()


def _local(source: str, release: Release) -> Located:
    path = Path(source).expanduser()
    if path.is_file():
        beside = release.needs[1:]
        _check_complete(path.parent, f"The folder of {source!r}", release, beside)
        return Located(source, (path,), path.parent)
    if not path.is_dir():
        raise WeightsAbsent(
            f"There is no file or folder {source!r}. Give one that holds "
            f"{_told(release.needs)}, or a hub id of the form owner/name."
        )
    return _in_folder(path, source, release)


def _in_folder(folder: Path, source: str, release: Release) -> Located:
    _check_complete(folder, repr(source), release, release.needs)
    return Located(source, _matching(folder, release.needs[0]), folder)


def _check_complete(folder: Path, called: str, release: Release, needs: Iterable[str]) -> None:
    lacking = [need for need in needs if not _matching(folder, need)]
    if not lacking:
        return
    weights_lack = any("safetensors" in need for need in lacking)
    pickled = (
        " Weights in pickle form (pytorch_model.bin) are not read here: convert them to "
        "safetensors."
        if weights_lack and any(folder.glob("pytorch_model*.bin"))
        else ""
    )
    told = f" {release.obtain}" if release.obtain else ""
    raise WeightsAbsent(f"{called} holds no {_told(lacking, ' and no ')}.{pickled}{told}")


def _either(need: str) -> list[str]:
    return need.split("|")


def _matching(folder: Path, need: str) -> tuple[Path, ...]:
    """The files of the first alternative that some file matches, in the order of their names."""
    found = (sorted(folder.glob(pattern)) for pattern in _either(need))
    return tuple(next(filter(None, found), ()))


def _told(needs: Iterable[str], between: str = " and ") -> str:
    return between.join(" or ".join(_either(need)) for need in needs)


def _cached(repository: str, release: Release) -> Located | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            repository, local_files_only=True, allow_patterns=release.patterns
        )
        return _in_folder(Path(folder), repository, release)
    except (LocalEntryNotFoundError, WeightsAbsent):
        return None


def _fetched(repository: str, release: Release) -> Located:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
    )

    try:
        for weights in _either(release.needs[0]):
            folder = snapshot_download(repository, allow_patterns=[weights, *release.beside])
            if any(Path(folder).glob(weights)):
                break
    except (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        OSError,
    ) as error:
        raise WeightsAbsent(
            f"{repository!r} could not be fetched from the Hugging Face hub ({error}). "
            "Check the name and the network, or give a file or folder that holds it."
        ) from error
    return _in_folder(Path(folder), repository, release)


def _digest_of(folder: Path, files: Iterable[Path]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(files):
        state = path.stat()
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name}\0{_file_digest(path, state.st_size, state.st_mtime_ns)}\0".encode())
    return digest.hexdigest()


@lru_cache(maxsize=256)
def _file_digest(path: Path, size: int, mtime_ns: int) -> str:
    """Digest of a file's bytes; size and time of change are there to keep the cache honest."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
