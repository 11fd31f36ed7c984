"""The retrievers by name, each loaded only when it is asked for.

A third party adds its own by an entry point of the group ``retrieval_paradigms.retrievers``
that names an ``Entry``, in a module that imports nothing heavy. A retriever that is not
registered can be named in full, as ``package.module:Object``, where the object is an ``Entry``,
an adapter or a class that makes an adapter without arguments. ``NAME[field=value;...]`` is either
with some of its settings changed, where its adapter is ``Variable``.
"""

from __future__ import annotations

import difflib
import importlib
import warnings
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from retrievers import variants
from retrievers.base import Adapter, Settings, Variable
from retrievers.entry import Entry
from retrievers.imported import MARK as IMPORTED
from retrievers.imported import Imported, known_as
from retrievers.published_only import PublishedOnly
from retrievers.systems import ENTRIES
from retrievers.untrained import MARK as UNTRAINED
from retrievers.untrained import Untrained

GROUP = "retrieval_paradigms.retrievers"


class UnknownRetriever(LookupError):
    """No retriever has this name; the message lists those that come near."""


def names() -> tuple[str, ...]:
    """Every registered name: ours first, then those of third parties in alphabetical order."""
    return tuple(_entries())


def entry(name: str) -> Entry:
    """What is known of a retriever. Raises UnknownRetriever.

    Of a variant that is what is known of the retriever that it changes, less the published row,
    which is of other settings; ``adapter`` says whether its changes can be made.
    """
    if name.endswith(UNTRAINED):
        whole = entry(name.removesuffix(UNTRAINED))
        return replace(whole, name=name, checkpoint_roles={}, restriction="", published=None)
    if name.endswith(IMPORTED):
        return known_as(name, _entries().get(name.removesuffix(IMPORTED)))
    base, changes = _parsed(name)
    if base != name:
        whole = entry(base)
        return replace(whole, name=name, published=None) if changes else whole
    found = _find(name)
    return found if isinstance(found, Entry) else _describe(name, _as_adapter(found))


def adapter(name: str) -> Adapter:
    """The adapter that builds a retriever. Raises UnknownRetriever.

    That of ``NAME@untrained`` builds its tiny form, that of ``NAME@imported`` reads what was
    computed elsewhere, that of ``NAME[field=value]`` has other settings.
    """
    if name.endswith(UNTRAINED):
        return Untrained(adapter(name.removesuffix(UNTRAINED)))
    if name.endswith(IMPORTED):
        return Imported(entry(name))
    base, changes = _parsed(name)
    if base != name:
        return _variant(adapter(base), name, changes)
    found = _find(name)
    if not isinstance(found, Entry):
        return _as_adapter(found)
    return _as_adapter(_load(found.target)) if found.target else PublishedOnly(found)


def canonical(name: str) -> str:
    """The one name of a variant: sorted, without what changes nothing. Others stay as they are.

    Raises UnknownRetriever.
    """
    for mark in (UNTRAINED, IMPORTED):
        if name.endswith(mark):
            return f"{canonical(name.removesuffix(mark))}{mark}" if "[" in name else name
    base, _ = _parsed(name)
    if base == name:
        return name
    before, after = adapter(base), adapter(name)
    if not isinstance(before, Variable) or not isinstance(after, Variable):
        return name
    return variants.named(base, variants.differences(before.fields, after.fields))


def _parsed(name: str) -> tuple[str, Mapping[str, str]]:
    try:
        return variants.parse(name)
    except variants.BadVariantName as problem:
        raise UnknownRetriever(str(problem)) from problem


def _variant(base: Adapter, name: str, changes: Mapping[str, str]) -> Adapter:
    if not changes:
        return base
    if not isinstance(base, Variable):
        raise UnknownRetriever(f"{name!r}: this retriever has no fields that can be changed.")
    try:
        return base.variant(changes)
    except ValueError as problem:
        raise UnknownRetriever(f"{name!r}: {problem}") from problem


def _find(name: str) -> object:
    """The entry of a registered name, or whatever a full name leads to."""
    known = _entries()
    if name in known:
        return known[name]
    if ":" in name:
        return _load(name)
    raise UnknownRetriever(_unknown(name, tuple(known)))


def _entries() -> dict[str, Entry]:
    found = {one.name: one for one in ENTRIES}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if point.name in found:
            warnings.warn(
                f"the entry point {point.value!r} is left out: "
                f"a retriever named {point.name!r} is already registered",
                stacklevel=3,
            )
            continue
        try:
            theirs = _load(point.value)
        except UnknownRetriever as error:
            warnings.warn(f"the retriever {point.name!r} is left out: {error}", stacklevel=3)
            continue
        if not isinstance(theirs, Entry):
            warnings.warn(
                f"the entry point {point.value!r} is left out: "
                f"it must name a retrievers.entry.Entry, not {type(theirs).__name__}",
                stacklevel=3,
            )
            continue
        found[point.name] = theirs
    return found


def _describe(target: str, found: Adapter) -> Entry:
    spec = found.describe(Settings(seed=0, device="cpu", cache=Path()))
    return Entry(
        name=target,
        target=target,
        paradigm=spec.paradigm,
        modalities=spec.modalities,
        summary=spec.name,
        licence=spec.licence,
    )


def _load(target: str) -> object:
    module_name, _, path = target.partition(":")
    try:
        loaded: object = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise UnknownRetriever(f"{target!r} names no module: {error}") from error
    for part in filter(None, path.split(".")):
        if not hasattr(loaded, part):
            raise UnknownRetriever(f"{target!r}: the module {module_name!r} has no {path!r}")
        loaded = getattr(loaded, part)
    return loaded


def _as_adapter(loaded: object) -> Adapter:
    return cast(Adapter, loaded() if isinstance(loaded, type) else loaded)


def _unknown(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return f"There is no retriever named {name!r}. {hint}Registered: {', '.join(known)}."
