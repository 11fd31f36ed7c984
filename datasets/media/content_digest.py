"""What an item holds, as a hash that stands for it wherever it lies."""

from __future__ import annotations

import hashlib
from pathlib import Path

from datasets.base import Clip, Item, Sound
from datasets.media.files import open_file

PART = 1 << 20


def content_digest(item: Item) -> str:
    """32 hexadecimal digits over the bytes of a file, or over what an item holds in memory.

    A file is read in parts of a MiB. Raises MediaError where there is none to read.
    """
    state = hashlib.blake2b(digest_size=16)
    match item.media:
        case Path():
            with open_file(item) as stream:
                while part := stream.read(PART):
                    state.update(part)
        case Sound(samples, rate):
            state.update(f"{samples.shape} {rate}".encode() + samples.tobytes())
        case Clip(frames, seconds):
            state.update(f"{frames.shape}".encode() + frames.tobytes() + seconds.tobytes())
        case pixels:
            state.update(f"{pixels.shape}".encode() + pixels.tobytes())
    return state.hexdigest()
