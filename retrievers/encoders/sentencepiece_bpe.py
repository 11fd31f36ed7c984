"""Splits texts as a SentencePiece model of the BPE kind does, from its ``tokenizer.model``.

Of two neighbours that can be joined, those whose joint piece has the highest score are joined
first, and the leftmost where scores are equal. A list of ranked merges, which is what the
``tokenizers`` package takes, cannot say the latter: vocabularies that were extended (Chinese LLaMA)
give thousands of pieces one score, among them "10" and "2016".
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from retrievers.weights.report import CheckpointError

_SPACE = "▁"
# Numbers of fields and kinds in sentencepiece_model.proto.
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_TEXT, _SCORE, _KIND = 1, 2, 3
_MODEL_KIND, _BPE = 3, 2
_CHARSMAP, _ADDS_PREFIX, _TRIMS = 2, 3, 4
_NORMAL, _BYTE = 1, 6


@dataclass(frozen=True)
class SentencePieceBpe:
    """Pieces with their scores; what no piece spells is written as bytes.

    numbers  every piece -> its token number
    scores   the pieces that neighbours may be joined to -> their score
    """

    numbers: Mapping[str, int]
    scores: Mapping[str, float]

    def __post_init__(self) -> None:
        """Raises ValueError where a byte has no piece: some text would have no spelling."""
        if lacking := [byte for byte in range(256) if _byte_piece(byte) not in self.numbers]:
            raise ValueError(f"it has no piece for {len(lacking)} of the 256 bytes")

    def encode(self, text: str) -> list[int]:
        """The token numbers of a text, with the space in front that such models are trained with.

        Control symbols spelt out in the text ("</s>") are read as the letters that they are.
        """
        if not text:
            return []
        spelt = text.encode("utf-8", "replace").decode("utf-8")
        pieces = self._joined([*f" {spelt}".replace(" ", _SPACE)])
        return [number for piece in pieces for number in self._written(piece)]

    def _written(self, piece: str) -> list[int]:
        if piece in self.scores:
            return [self.numbers[piece]]
        return [self.numbers[_byte_piece(byte)] for byte in piece.encode()]

    def _joined(self, symbols: list[str]) -> list[str]:
        """The symbols after all joins; one that was joined to its left neighbour becomes empty."""
        after = [*range(1, len(symbols) + 1)]
        before = [*range(-1, len(symbols) - 1)]
        waiting: list[tuple[float, int, int, str]] = []

        def offer(left: int, right: int) -> None:
            if left >= 0 and right < len(symbols):
                joint = symbols[left] + symbols[right]
                if joint in self.scores:
                    heapq.heappush(waiting, (-self.scores[joint], left, right, joint))

        for place in range(len(symbols) - 1):
            offer(place, place + 1)
        while waiting:
            _, left, right, joint = heapq.heappop(waiting)
            stale = not symbols[left] or not symbols[right]
            if stale or symbols[left] + symbols[right] != joint:
                continue
            symbols[left], symbols[right] = joint, ""
            after[left] = after[right]
            if after[left] < len(symbols):
                before[after[left]] = left
            offer(before[left], left)
            offer(left, after[left])
        return [symbol for symbol in symbols if symbol]


def read_sentencepiece(path: Path) -> SentencePieceBpe:
    """The model in a file. Raises CheckpointError where it is not one that can be followed here."""
    try:
        fields = [*_fields(path.read_bytes())]
        parts = [[*_fields(value)] for number, value in fields if number == _PIECES]
        _check_kind(fields)
        pieces = [_piece(dict(part)) for part in parts]
        return SentencePieceBpe(
            numbers={text: number for number, (text, _, _) in enumerate(pieces)},
            scores={text: score for text, score, kind in pieces if kind == _NORMAL},
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error) as error:
        raise CheckpointError(
            f"{path} is not a SentencePiece model of the BPE kind with bytes: {error}"
        ) from error


def _check_kind(fields: list[tuple[int, int | bytes]]) -> None:
    settings = {
        number: dict(_fields(value))
        for number, value in fields
        if number in (_TRAINER, _NORMALIZER)
    }
    if settings.get(_TRAINER, {}).get(_MODEL_KIND) != _BPE:
        raise ValueError("its pieces are not of the BPE kind")
    normalizer = settings.get(_NORMALIZER, {})
    if (
        normalizer.get(_CHARSMAP)
        or normalizer.get(_TRIMS, 1)
        or not normalizer.get(_ADDS_PREFIX, 1)
    ):
        raise ValueError("it rewrites texts before it splits them")


def _piece(fields: Mapping[int, int | bytes]) -> tuple[str, float, int]:
    text, score = fields[_TEXT], fields.get(_SCORE, bytes(4))
    kind = fields.get(_KIND, _NORMAL)
    if not isinstance(text, bytes) or not isinstance(score, bytes) or not isinstance(kind, int):
        raise ValueError("a piece is not of the known form")
    return text.decode("utf-8"), struct.unpack("<f", score)[0], kind


def _fields(message: int | bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a protocol buffer message."""
    if not isinstance(message, bytes):
        raise ValueError("a number stands where a message should")
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        match tag & 7:
            case 0:
                number, place = _varint(message, place)
                yield tag >> 3, number
                continue
            case 1:
                length = 8
            case 2:
                length, place = _varint(message, place)
            case 5:
                length = 4
            case other:
                raise ValueError(f"a field is of the unknown kind {other}")
        if place + length > len(message):
            raise ValueError("it is cut short")
        yield tag >> 3, message[place : place + length]
        place += length


def _varint(message: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place
        if shift > 63:
            raise ValueError("a number has too many digits")


def _byte_piece(byte: int) -> str:
    return f"<0x{byte:02X}>"
