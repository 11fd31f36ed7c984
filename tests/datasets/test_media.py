"""Decoding: what is read, what is refused, and in which order."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from datasets.base import Item
from datasets.media.files import MediaError
from datasets.media.images import decode_image, decode_images, load_image
from tests.datasets.tiny_files import image_item, pixels, write_picture


def refusal(path: Path) -> str:
    with pytest.raises(MediaError) as caught:
        load_image(image_item(path))
    assert caught.value.item.id == path.stem
    return caught.value.reason


def test_rgb_is_read_as_stored(tmp_path: Path) -> None:
    read = load_image(image_item(write_picture(tmp_path / "a.png", seed=3)))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, pixels(3))


def test_array_item_is_its_own_picture() -> None:
    array = pixels(1)
    np.testing.assert_array_equal(load_image(Item("a", "image", array)), array)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_array_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(MediaError, match=r"uint8 \[height, width, 3\]"):
        load_image(Item("a", "image", np.zeros(shape, np.uint8)))


def test_cmyk_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("CMYK", (8, 6), (0, 255, 255, 0)).save(path)
    read = load_image(image_item(path)).astype(int)
    assert read.shape == (6, 8, 3)
    assert np.abs(read - [255, 0, 0]).max() <= 3


def test_sixteen_bit_grey_is_scaled(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.array([[0, 128, 129, 257, 32896, 65535]], np.uint16)).save(path)
    read = load_image(image_item(path))
    assert read[0].tolist() == [[v] * 3 for v in (0, 0, 1, 1, 128, 255)]


@pytest.mark.parametrize(
    ("pixels_", "said"),
    [(np.full((2, 2), 70_000, np.int32), "32-bit"), (np.ones((2, 2), np.float32), "floating")],
)
def test_pixels_without_a_known_range_are_refused(
    tmp_path: Path, pixels_: np.ndarray, said: str
) -> None:
    path = tmp_path / "a.tiff"
    Image.fromarray(pixels_).save(path)
    assert said in refusal(path)


def test_palette(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putdata([0, 1])
    picture.save(path)
    assert load_image(image_item(path)).tolist() == [[[10, 20, 30], [200, 100, 50]]]


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture = Image.new("RGBA", (3, 1))
    picture.putdata([(0, 0, 0, 0), (255, 0, 0, 255), (0, 0, 0, 51)])
    picture.save(path)
    assert load_image(image_item(path)).tolist() == [[[255] * 3, [255, 0, 0], [204] * 3]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_agrees_with_pillow(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels(0)).save(path, exif=exif)
    with Image.open(path) as picture:
        upright = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(load_image(image_item(path)), upright)
    assert upright.shape == ((12, 16, 3) if orientation < 5 else (16, 12, 3))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_does_not_hide_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(pixels(0)).save(path, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\0\0")
    np.testing.assert_array_equal(load_image(image_item(path)), pixels(0))


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    assert refusal(tmp_path / "missing.jpg") == "is missing"
    (tmp_path / "empty.jpg").touch()
    assert refusal(tmp_path / "empty.jpg") == "is empty (0 bytes)"
    (tmp_path / "text.jpg").write_text("A dog runs.")
    assert refusal(tmp_path / "text.jpg") == "is not a picture in a known format"
    (tmp_path / "folder.jpg").mkdir()
    assert refusal(tmp_path / "folder.jpg") == "is not a regular file"
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refusal(tmp_path / "pipe.jpg") == "is not a regular file"


def test_postscript_is_not_run(tmp_path: Path) -> None:
    Image.fromarray(pixels(0)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.jpg")
    assert refusal(tmp_path / "a.jpg") == "is not a picture in a known format"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".gif"])
def test_truncated_file(tmp_path: Path, suffix: str) -> None:
    path = write_picture(tmp_path / f"a{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size - 60])
    assert "damaged or cut short" in refusal(path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("height", [3_000, 6_000])
def test_decompression_bomb(tmp_path: Path, height: int) -> None:
    path = tmp_path / "a.png"
    Image.new("1", (30_000, height)).save(path)
    assert path.stat().st_size < 1_000_000
    assert "89,478,485 pixels" in refusal(path)


def test_other_modalities_are_refused(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png")
    with pytest.raises(MediaError, match="only images"):
        load_image(Item("a", "audio", path))


def test_error_names_item_and_file_and_crosses_processes(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    error = MediaError(image_item(path), "is missing")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert str(again) == str(error) == f"a ({path}): is missing"


def encoded(form: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels(0)).save(stream, form)
    return stream.getvalue()


SEEDS = [encoded(form) for form in ("JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP")]


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
)
def test_any_damage_gives_a_picture_or_a_media_error(
    content: bytes, damage: list[tuple[float, int]]
) -> None:
    damaged = bytearray(content)
    for place, value in damage:
        damaged[int(place * len(damaged))] = value
    try:
        read = decode_image(Item("a", "image", Path("a.jpg")), bytes(damaged))
    except MediaError:
        return
    assert read.dtype == np.uint8 and read.ndim == 3 and read.shape[2] == 3


@pytest.mark.parametrize("workers", [1, 3])
def test_decode_images_keeps_order_and_shape(tmp_path: Path, workers: int) -> None:
    items = [image_item(write_picture(tmp_path / f"{i}.png", seed=i)) for i in range(9)]
    for read, seed in zip(decode_images(items, workers=workers), range(9), strict=True):
        np.testing.assert_array_equal(read, pixels(seed))


def test_decode_images_resizes_files_and_arrays_alike(tmp_path: Path) -> None:
    item = image_item(write_picture(tmp_path / "a.png"))
    array = Item("b", "image", pixels(0))
    from_file, from_array = decode_images([item, array], (5, 7))
    assert from_file.shape == (5, 7, 3)
    np.testing.assert_array_equal(from_file, from_array)
    reference = Image.fromarray(pixels(0)).resize((7, 5), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(from_file, np.asarray(reference))


def test_a_large_jpeg_shrunk_while_decoding_stays_close(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    ramp = np.linspace(0, 255, 640).astype(np.uint8)
    Image.fromarray(np.stack([np.tile(ramp, (480, 1))] * 3, axis=2)).save(path, quality=95)
    (read,) = decode_images([image_item(path)], (24, 32))
    whole = Image.fromarray(load_image(image_item(path))).resize((32, 24), Image.Resampling.BICUBIC)
    assert np.abs(read.astype(int) - np.asarray(whole).astype(int)).max() <= 6


def test_decode_images_looks_ahead_a_bounded_way(tmp_path: Path) -> None:
    item = image_item(write_picture(tmp_path / "a.png"))
    taken = []

    def source() -> Iterator[Item]:
        for number in range(100):
            taken.append(number)
            yield item

    decoded = decode_images(source(), workers=2)
    next(decoded)
    assert len(taken) <= 4
    decoded.close()  # type: ignore[attr-defined]
    assert len(taken) <= 4


def test_decode_images_raises_at_the_bad_item(tmp_path: Path) -> None:
    good = image_item(write_picture(tmp_path / "a.png"))
    decoded = decode_images([good, image_item(tmp_path / "gone.png"), good], workers=2)
    next(decoded)
    with pytest.raises(MediaError, match="gone"):
        next(decoded)


def test_workers_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="workers"):
        list(decode_images([], workers=-1))
