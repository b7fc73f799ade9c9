"""PNG, JPEG, BMP, WebP, GIF, TIFF: files that are damaged, blank, too large or not what they seem."""

from __future__ import annotations

import random
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from medgan.data.decoding import Decoding, decode
from medgan.data.limits import Limits
from medgan.data.window import parse_window
from medgan.errors import DataError
from tests.data.decoding.files import pixels, ramp
from tests.data.samples import encoded, picture

KINDS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF")
RED = (200, 30, 40)


# what cannot be used


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_that_is_cut_short_says_so(kind: str, share: float) -> None:
    data = encoded(picture(0, (120, 90)), kind)
    with pytest.raises(DataError, match="is damaged or cut short"):
        decode(data[: int(share * len(data))], "x")


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_with_random_damage_is_read_or_refused_but_never_a_traceback(kind: str) -> None:
    whole, chance = encoded(picture(0), kind), random.Random(1)
    for _ in range(80):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 5, 50])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            assert all(p.image.mode in ("L", "RGB") for p in decode(bytes(data), "x").pictures)
        except DataError as error:
            assert str(error)


@pytest.mark.parametrize(
    "mode, colour", [("L", 0), ("RGB", RED), ("RGBA", (*RED, 0)), ("I;16", 700), ("1", 1)]
)
def test_a_picture_of_one_colour_is_blank(mode: str, colour: int) -> None:
    with pytest.raises(DataError, match="is blank"):
        decode(encoded(Image.new(mode, (30, 30), colour)), "x")


def test_a_window_beside_all_values_is_named_as_the_reason() -> None:
    data = encoded(Image.fromarray(ramp((30, 40))))
    with pytest.raises(DataError, match=r"is blank in the window 9000,9001 \(one single value\)"):
        decode(data, "x", Decoding(window=parse_window("9000,9001")))


@pytest.mark.parametrize(
    "size, reason",
    [
        ((3, 3), r"is 3 x 3 pixels; each side must have at least 8 \(--limit-side\)"),
        ((9, 200), r"is 9 x 200 pixels; the longer side may be at most 20 times .* \(--limit-elongation\)"),
        ((1001, 1000), r"is 1001 x 1000 pixels; at most 1 megapixels are read \(--limit-megapixels\)"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_shapes_that_are_not_read_name_the_limit(kind: str, size: tuple[int, int], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        decode(encoded(picture(0, size), kind), "x", Decoding(limits=Limits(megapixels=1)))


def test_a_header_that_claims_gigapixels_is_refused_before_any_pixel_is_read() -> None:
    data = bytearray(encoded(picture(0)))
    at = data.index(b"IHDR") + 4
    data[at : at + 8] = (60_000).to_bytes(4, "big") * 2
    data[at + 13 : at + 17] = zlib.crc32(data[at - 4 : at + 13]).to_bytes(4, "big")
    with pytest.raises(DataError, match="is 60000 x 60000 pixels; at most 100 megapixels"):
        decode(bytes(data), "x")


def test_the_limit_may_be_raised_above_pillows_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert pixels(decode(encoded(picture(0, (90, 80))), "x")).shape == (80, 90, 3)
    assert Image.MAX_IMAGE_PIXELS == 1000


@pytest.mark.parametrize("kind", ["EPS", "PDF", "PPM", "ICO", "JPEG2000"])
def test_other_formats_are_refused_even_under_an_image_name(kind: str) -> None:
    with pytest.raises(DataError, match=r"^is (none of PNG|a PDF|a JPEG 2000)"):
        decode(encoded(picture(0), kind), "scan.png")


def test_nothing_that_decoders_complain_about_reaches_the_terminal() -> None:
    program = (
        "import random\n"
        "import numpy as np\n"
        "from medgan.data.decoding import decode\n"
        "from medgan.errors import DataError\n"
        "from tests.data.decoding.files import nifti, ramp, shipped, tiff\n"
        "from tests.data.samples import encoded, picture\n"
        "packings = ('tiff_lzw', 'jpeg', 'tiff_adobe_deflate')\n"
        "files = [encoded(picture(0), 'TIFF', compression=packing) for packing in packings]\n"
        "files += [encoded(picture(0), kind) for kind in ('PNG', 'JPEG')]\n"
        "files += [shipped('MR_small_RLE.dcm'), shipped('CT_small.dcm'), shipped('badVR.dcm')]\n"
        "files += [tiff(ramp((20, 30))), nifti(ramp((9, 9, 9), 'u1'))]\n"
        "chance = random.Random(0)\n"
        "for k in range(400):\n"
        "    data = bytearray(files[k % len(files)])\n"
        "    for _ in range(5):\n"
        "        data[chance.randrange(min(len(data), 3000))] = chance.randrange(256)\n"
        "    try:\n"
        "        list(decode(bytes(data), 'x').pictures)\n"
        "    except DataError:\n"
        "        pass\n"
    )
    command = [sys.executable, "-W", "always", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
