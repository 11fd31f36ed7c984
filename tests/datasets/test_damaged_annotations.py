"""Annotation files of sounds and videos, damaged at random: a result, or a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.base import DatasetError
from datasets.layouts import (
    audiocaps_csv,
    clotho_csv,
    msrvtt_json,
    msrvtt_lists,
    msvd_captions,
)

CLOTHO = (
    b"file_name,caption_1,caption_2,caption_3,caption_4,caption_5\r\n"
    b'A b.wav,v,"w, x",y,z,\xc3\xa9\r\n'
)
METADATA = b"file_name,keywords,license\nA b.wav,dog;bark,http://by/3.0/\nc.wav,,caf\xe9\n"
AUDIOCAPS = b'audiocap_id,youtube_id,start_time,caption\n1,-ab_C,30,"a dog, a cat"\n2,xyz,0,rain\n'
MSRVTT = json.dumps(
    {
        "videos": [{"video_id": "video0", "split": "train", "start time": 1.5}],
        "sentences": [{"caption": "a dog", "video_id": "video0", "sen_id": 0}],
    }
).encode()
QUERIES = b"key,vid_key,video_id,sentence\nret0,msr1,video1,a dog\nret1,msr2,video2,a cat\n"
IDS = b"video_id\nvideo0\nvideo7\n"
MSVD = json.dumps({"-aB_1_5": ["a man sings"], "xyz_2_8": ["cars", "a car"]}).encode()
DESCRIPTIONS = b"# a comment\r\n\r\n-aB_1_5 a man sings\r\nxyz_2_8 cars\r\n"
CORPUS = (
    b"VideoID,Start,End,WorkerID,Source,AnnotationTime,Language,Description\n"
    b'-aB,1,5,9,clean,55,English,"a man, singing"\nxyz,2,8,9,clean,55,Hindi,\xe0\xa4\x95\n'
)
SENTENCES = b"vid1\ta man sings\nvid2\tcars\n"
MAPPING = b"-aB_1_5 vid1\nxyz_2_8 vid2\n"


def _sentences(path: Path) -> object:
    mapping = path.with_name("mapping.txt")
    mapping.write_bytes(MAPPING)
    return msvd_captions.from_sentences([path], mapping)


def _mapping(path: Path) -> object:
    sentences = path.with_name("sentences.txt")
    sentences.write_bytes(SENTENCES)
    return msvd_captions.from_sentences([sentences], path)


PARSERS: list[tuple[Callable[[Path], object], bytes]] = [
    (lambda path: clotho_csv.parse(path, "test", "evaluation"), CLOTHO),
    (clotho_csv.licences, METADATA),
    (audiocaps_csv.parse, AUDIOCAPS),
    (msrvtt_json.parse, MSRVTT),
    (msrvtt_lists.queries, QUERIES),
    (msrvtt_lists.video_ids, IDS),
    (msvd_captions.from_json, MSVD),
    (msvd_captions.from_descriptions, DESCRIPTIONS),
    (msvd_captions.from_corpus, CORPUS),
    (_sentences, SENTENCES),
    (_mapping, MAPPING),
]
every_parser = pytest.mark.parametrize(("parse", "content"), PARSERS)


@every_parser
def test_whole_files_are_read(
    tmp_path: Path, parse: Callable[[Path], object], content: bytes
) -> None:
    path = tmp_path / "whole"
    path.write_bytes(content)
    assert parse(path)


@every_parser
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files_give_a_result_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory,
    parse: Callable[[Path], object],
    content: bytes,
    data: st.DataObject,
) -> None:
    """Up to three cuts, each putting other bytes in the place of some."""
    path = tmp_path_factory.getbasetemp() / "damaged"
    damaged = content
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(damaged)))
        end = data.draw(st.integers(start, min(start + 40, len(damaged))))
        other = data.draw(
            st.binary(max_size=6) | st.sampled_from([b",", b'"', b"\n", b"\0", b"../"])
        )
        damaged = damaged[:start] + other + damaged[end:]
    path.write_bytes(damaged)
    try:
        parse(path)
    except DatasetError as error:
        assert str(path.parent) in str(error)
