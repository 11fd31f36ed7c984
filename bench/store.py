"""Results on disk: one folder a cell, written whole or not at all.

results/<key>/cell.json      the cell, and the digests of the files beside it
results/<key>/ranks.parquet  a row a query (RANK_COLUMNS); a failed cell has none
results/<key>/reverse.parquet  a row an item that asks for its text (REVERSE_COLUMNS), where the
                             retriever ranks texts
results/<key>/looks.json     what can be looked at of it (``bench.looks``), an attachment
results/<key>/inside.json    identifiers and beams (``bench.inside.record``), where the retriever
                             can show them, an attachment
results/media/<digest>.<ext>   pictures, sounds and clips that the looks name
results/skipped.json         what the last run left out, and why
results/quarantine/          cells that were found broken
"""

from __future__ import annotations

import fcntl
import io
import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from bench.cell_json import UnknownSchema, cell_from_json, cell_to_json
from bench.cells import Cell
from bench.files import digest_of, json_bytes, replace_file, sync_folder, write_synced

RANK_COLUMNS = {
    "query": "the query's id",
    "item": "the id of its (first) right item, the cluster of the bootstrap",
    "text": "the query",
    "best": "rank of the first right item if ties went its way, 0 if not in the top k",
    "worst": "rank of the first right item if ties went against it, 0 if not in the top k",
    "right": "how many right items share its score, 0 if none is in the top k",
    "ids": "ids of the top k items, best first",
    "scores": "their scores",
}
REVERSE_COLUMNS = {
    "query": "the id of the item that asks",
    "item": "the same, the cluster of the bootstrap",
    "best": "rank of its first right text (or caption set) if ties went its way, 0 if not found",
    "worst": "the same if ties went against it",
    "right": "how many right texts share its score, 0 if none was found",
    "ids": "ids of the top k texts, best first; of the items whose caption sets are ranked",
    "scores": "their scores",
}

ABANDONED_SECONDS = 24 * 3600

log = logging.getLogger("bench.store")


class _Broken(Exception):
    """A cell's folder that does not hold what was written."""


@dataclass(frozen=True)
class Skipped:
    """A retriever that was not run on a dataset, and the sentence that says why.

    retriever  "" where the dataset itself could not be loaded
    protocol   "" then too
    """

    dataset: str
    retriever: str
    reason: str
    protocol: str = ""


class ResultStore:
    """Reads and writes the results under ``root``. Several processes may share one."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(
        self,
        cell: Cell,
        ranks: pd.DataFrame | None = None,
        reverse: pd.DataFrame | None = None,
        attachments: Mapping[str, bytes] | None = None,
    ) -> None:
        """Store a cell with its ranks in both directions, all at once.

        attachments  file name -> content of what else is shown of the cell; by ``attachment`` it
                     is read again

        A result that is there stays: only a failed cell is replaced.

        Raises ValueError when a done cell comes without ranks, when figures of the reverse
        direction come without theirs, when a column is missing, or where an attachment has the
        name of another of the cell's files.
        """
        if cell.status == "done" and ranks is None:
            raise ValueError("a done cell needs its ranks")
        if bool(cell.reverse) != (reverse is not None):
            raise ValueError("figures and ranks of the reverse direction come together")
        files: dict[str, bytes] = {}
        if ranks is not None:
            files["ranks.parquet"] = _parquet_bytes(ranks, RANK_COLUMNS)
        if reverse is not None:
            files["reverse.parquet"] = _parquet_bytes(reverse, REVERSE_COLUMNS)
        for name, content in (attachments or {}).items():
            if not name or name in (*files, "cell.json") or name != Path(name).name:
                raise ValueError(f"{name!r} cannot be the name of an attachment")
            files[name] = content
        digests = {name: digest_of(content) for name, content in files.items()}
        files["cell.json"] = json_bytes({**cell_to_json(cell), "files": digests})
        self.root.mkdir(parents=True, exist_ok=True)
        self._remove_abandoned()
        folder = Path(tempfile.mkdtemp(prefix=f".writing-{cell.spec.key}-", dir=self.root))
        try:
            for name, content in files.items():
                write_synced(folder / name, content)
            sync_folder(folder)
            folder.chmod(0o755)
            self._put(folder, cell.spec.key)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def get(self, key: str) -> Cell | None:
        """The cell, failed or done; None where there is none. A broken one is put aside."""
        if not self._folder(key).is_dir():
            return None
        try:
            return self._read(key)
        except UnknownSchema as problem:
            log.warning("The result %s is left out: %s.", key, problem)
        except _Broken:
            return self._read_again_or_quarantine(key)
        return None

    def cells(self) -> list[Cell]:
        """Every readable cell, oldest first."""
        if not self.root.is_dir():
            return []
        names = sorted(path.parent.name for path in self.root.glob("[0-9a-f]*/cell.json"))
        found = [cell for name in names if (cell := self.get(name)) is not None]
        return sorted(found, key=lambda cell: (cell.created, cell.spec.key))

    def ranks(self, key: str) -> pd.DataFrame:
        """RANK_COLUMNS, a row a query. Raises FileNotFoundError where there are none."""
        return pd.read_parquet(self._folder(key) / "ranks.parquet")

    def reverse(self, key: str) -> pd.DataFrame:
        """REVERSE_COLUMNS, a row an item. Raises FileNotFoundError where there are none."""
        return pd.read_parquet(self._folder(key) / "reverse.parquet")

    def attachment(self, key: str, name: str) -> bytes | None:
        """What was stored beside a cell under that name; None where nothing was."""
        path = self._folder(key) / name
        return path.read_bytes() if path.is_file() else None

    @property
    def media(self) -> Path:
        """The folder of what a page can show and play."""
        return self.root / "media"

    def keep_medium(self, name: str, make: Callable[[], bytes]) -> None:
        """Store what ``make`` gives under a name that stands for it, unless it is there.

        Raises ValueError where the name is not one of a file, and what ``make`` raises.
        """
        if not name or name != Path(name).name:
            raise ValueError(f"{name!r} cannot be the name of a medium")
        if not (self.media / name).is_file():
            content = make()
            self.media.mkdir(parents=True, exist_ok=True)
            replace_file(self.media / name, content)

    def write_skipped(self, skipped: Sequence[Skipped]) -> None:
        """Remember what the last run left out, in place of what was remembered before."""
        self.root.mkdir(parents=True, exist_ok=True)
        replace_file(self.root / "skipped.json", json_bytes([asdict(each) for each in skipped]))

    def skipped(self) -> list[Skipped]:
        """What the last run left out; empty where nothing readable is remembered."""
        path = self.root / "skipped.json"
        if not path.is_file():
            return []
        try:
            return [Skipped(**each) for each in json.loads(path.read_text(encoding="utf-8"))]
        except (ValueError, TypeError) as problem:
            log.warning("%s cannot be read (%s); run the benchmark again.", path, problem)
            return []

    def _folder(self, key: str) -> Path:
        return self.root / key

    def _read(self, key: str) -> Cell:
        """Raises UnknownSchema or _Broken."""
        folder = self._folder(key)
        try:
            found = json.loads((folder / "cell.json").read_text(encoding="utf-8"))
            cell = cell_from_json(found)
            _check_files(folder, found["files"])
        except UnknownSchema:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
            raise _Broken(f"{type(problem).__name__}: {problem}") from problem
        if cell.spec.key != key:
            raise _Broken(f"it describes the result {cell.spec.key}")
        return cell

    def _read_again_or_quarantine(self, key: str) -> Cell | None:
        """Read while nobody writes: what looked broken may have been in replacement."""
        try:
            with self._lock():
                try:
                    return self._read(key) if self._folder(key).is_dir() else None
                except _Broken as problem:
                    target = self.root / "quarantine" / f"{key}-{time.time_ns()}"
                    target.parent.mkdir(exist_ok=True)
                    self._folder(key).rename(target)
                    log.warning(
                        "The result %s is broken (%s). It was moved to %s; run the benchmark "
                        "again to replace it.",
                        key,
                        problem,
                        target,
                    )
        except OSError as problem:
            log.warning("The result %s is broken and cannot be moved aside: %s.", key, problem)
        return None

    def _put(self, folder: Path, key: str) -> None:
        with self._lock():
            target = self._folder(key)
            if target.is_dir():
                if self._is_done(key):
                    return
                shutil.rmtree(target)
            folder.rename(target)
            sync_folder(self.root)

    def _is_done(self, key: str) -> bool:
        try:
            return self._read(key).status == "done"
        except (UnknownSchema, _Broken):
            return False

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.root / ".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _remove_abandoned(self) -> None:
        for folder in self.root.glob(".writing-*"):
            try:
                age = time.time() - folder.stat().st_mtime
            except FileNotFoundError:
                continue
            if age > ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _parquet_bytes(ranks: pd.DataFrame, columns: Mapping[str, str]) -> bytes:
    missing = [name for name in columns if name not in ranks.columns]
    if missing:
        raise ValueError(f"the ranks lack the columns {', '.join(missing)}")
    buffer = io.BytesIO()
    ranks[list(columns)].to_parquet(buffer, index=False)
    return buffer.getvalue()


def _check_files(folder: Path, digests: Mapping[str, str]) -> None:
    for name, digest in digests.items():
        if digest_of((folder / name).read_bytes()) != digest:
            raise ValueError(f"{name} is not what was written")
