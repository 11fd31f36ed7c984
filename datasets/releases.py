"""Tell which release of a dataset a copy is when its file names do not say."""

from __future__ import annotations

from collections.abc import Sequence

from datasets.annotations import AnnotatedItem, count
from datasets.protocol_card import Protocol, achieved


def fitting(protocols: Sequence[Protocol], items: Sequence[AnnotatedItem]) -> Protocol:
    """The first protocol whose every count the annotations meet, else the first of all."""
    for protocol in protocols:
        found = count(items, protocol.max_captions_per_item)
        if achieved(protocol, found)[0] == protocol.name:
            return protocol
    return protocols[0]
