"""Stored pictures, sounds and clips as data URIs. Their names come from files and are checked."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

Inline = Callable[[str], str]

_NAME = re.compile(r"[0-9a-f]{32}\.(jpg|mp3|webm)")
# How each kind of file begins, and what a browser calls it. An MP3 begins with tags or with the
# eleven set bits of a frame.
_KINDS = {
    "jpg": (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    "mp3": (re.compile(rb"ID3|\xff[\xe0-\xff]"), "audio/mpeg"),
    "webm": (re.compile(rb"\x1a\x45\xdf\xa3"), "video/webm"),
}


def inliner(folder: Path) -> Inline:
    """A function from the name of a file in ``folder`` to its data URI.

    It gives "" where the name is not one that the store gives, where there is no such file, and
    where it does not hold what its name says.
    """

    @cache
    def inline(name: str) -> str:
        named = _NAME.fullmatch(name)
        if named is None:
            return ""
        try:
            content = (folder / name).read_bytes()
        except OSError:
            return ""
        begins, kind = _KINDS[named[1]]
        if not begins.match(content):
            return ""
        return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"

    return inline
