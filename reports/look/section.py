"""The section in which queries can be looked at, and what it says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.looks import DRAWN
from bench.media_samples import HEARD, SEEN
from reports.look.albums import Album
from reports.look.fitting import fitted
from reports.look.media import Inline

# How long what can be played lasts at most.
SECONDS = {"video": SEEN.seconds, "audio": HEARD.seconds}


def context(albums: Sequence[Album], inline: Inline, room: int) -> dict[str, Any]:
    """What the templates of the section want.

    inline  gives the data URI of a stored picture, sound or clip
    room    bytes that the section's data may take
    """
    if not albums:
        return {"look": None}
    data, queries, playable = fitted(albums, inline, room)
    drawn = [len(album.queries) for album in albums]
    heard_or_seen = [len(album.queries) for album in albums if album.modality in SECONDS]
    shown = sum(min(queries, each) for each in drawn)
    plays = sum(min(playable, each) for each in heard_or_seen)
    return {
        "look": {
            "data": data,
            "most": DRAWN,
            "drawn": sum(drawn),
            "shown": shown,
            "can_play": sum(heard_or_seen),
            "plays": plays,
            "shortened": shown < sum(drawn) or plays < sum(heard_or_seen),
            "seconds": {
                modality: seconds
                for modality, seconds in SECONDS.items()
                if any(album.modality == modality for album in albums)
            },
        }
    }
