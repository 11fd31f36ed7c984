"""What the command line asks for: names, seeds and checkpoints, checked before anything runs."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from datasets.larger_gallery import FULL, GallerySize
from retrievers import registry, variants
from retrievers.base import Adapter, Depth
from retrievers.entry import Entry
from retrievers.imported import MARK

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class UsageError(Exception):
    """A command line that cannot be followed; the message says what to change."""


def known_entry(name: str) -> Entry:
    """Raises UnknownRetriever, and UsageError where the code of a retriever cannot be loaded."""
    return _loaded(registry.entry, name)


def known_name(name: str) -> str:
    """The name that a retriever is run under: of a variant, its canonical one.

    Raises as ``known_entry``; UnknownRetriever too where a variant's changes cannot be made.
    """
    known_entry(name)
    return _loaded(registry.canonical, name)


def known_adapter(name: str) -> Adapter:
    """Raises as ``known_name``."""
    return _loaded(registry.adapter, name)


def _loaded(ask: Callable[[str], T], name: str) -> T:
    try:
        return ask(name)
    except registry.UnknownRetriever:
        raise
    except Exception as problem:
        raise UsageError(
            f"The retriever {name} cannot be loaded. {type(problem).__name__}: {problem}"
        ) from problem


def split_names(text: str) -> list[str]:
    """The names of a comma-separated list, each once, in their order."""
    return list(dict.fromkeys(name for part in variants.split(text) if (name := part.strip())))


def parse_seeds(text: str) -> list[int]:
    """Raises UsageError unless ``text`` lists whole numbers from 0 on."""
    names = split_names(text)
    if not names or not all(name.isdecimal() for name in names):
        raise UsageError(f"--seeds {text}: give whole numbers separated by commas, e.g. 0,1,2.")
    return [int(name) for name in names]


def parse_galleries(text: str) -> list[GallerySize | None]:
    """The galleries of a comma-separated list: "test" (None), "full", or numbers of items.

    Empty text is the test items alone. Raises UsageError.
    """
    named: dict[str, GallerySize | None] = {"test": None, FULL: FULL}
    found = [named[name] if name in named else _items(name) for name in split_names(text)]
    return list(dict.fromkeys(found)) or [None]


def _items(text: str) -> int:
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not (size >= 1 and size.is_integer()):
        raise UsageError(
            f"--gallery {text}: give sizes as 1e3 or 50000, test for the test items alone, or "
            "full for the whole corpus, separated by commas."
        )
    return int(size)


def parse_depth(text: str) -> Depth:
    """Raises UsageError unless ``text`` is "published", "all" or a whole number from 1 on."""
    named: dict[str, Depth] = {"published": "published", "all": "all"}
    if text in named:
        return named[text]
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    raise UsageError(f"--depth {text}: give a whole number from 1 on, published, or all.")


def parse_imports(text: str) -> Mapping[str, str]:
    """The retriever that stands for each import -> its folder, from "NAME=FOLDER,...".

    Raises UsageError.
    """
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, folder = part.partition("=")
        if not equals or not folder or not _NAME.fullmatch(name):
            raise UsageError(f"--imported {part}: write NAME=FOLDER, e.g. cap4video=my/scores.")
        found[f"{name.removesuffix(MARK)}{MARK}"] = folder
    return found


def parse_checkpoints(text: str, retrievers: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """retriever -> role -> value, from "role=VALUE,retriever.role=VALUE,retriever=VALUE".

    A role without a retriever goes to every retriever of the run that has it; a retriever without
    a role means its model, or the one role that it has. A retriever stands for its variants too.
    Raises UsageError where no retriever of the run has the role.
    """
    found: dict[str, dict[str, str]] = {name: {} for name in retrievers}
    for part in filter(None, (part.strip() for part in text.split(","))):
        target, equals, value = part.partition("=")
        if not equals or not value:
            raise UsageError(f"--checkpoint {part}: write role=VALUE, e.g. clip.model=default.")
        for name, role in _takers(target, retrievers):
            found[name][role] = value
    return found


def _takers(target: str, retrievers: Sequence[str]) -> list[tuple[str, str]]:
    roles = {name: tuple(known_entry(name).checkpoint_roles) for name in retrievers}
    known = sorted(
        {role for each in roles.values() for role in each}
        | {f"{name}.{role}" for name, each in roles.items() for role in each}
    )
    takers = [
        (name, role)
        for name, each in roles.items()
        for role in each
        for own in (name, name.partition("[")[0])
        if target in (role, f"{own}.{role}") or (target == own and role == _own_role(each))
    ]
    if not takers:
        raise UsageError(
            f"--checkpoint {target}=...: no retriever of this run has that role. "
            f"{_did_you_mean(target, known)}"
        )
    return takers


def _own_role(roles: Sequence[str]) -> str:
    """The role that a retriever's name alone stands for, "" where it has several alike."""
    return "model" if "model" in roles else roles[0] if len(roles) == 1 else ""


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    if not known:
        return "None of them takes a checkpoint."
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Roles are {', '.join(known)}."
