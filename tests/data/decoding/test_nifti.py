"""NIfTI volumes: which way is up, which values, which slices, and what is refused."""

from __future__ import annotations

import gzip
import io
import itertools
from typing import Any

import numpy as np
import pytest

from medgan.data.decoding import Decoding, decode, parse_slices
from medgan.data.limits import Limits
from medgan.data.window import parse_window
from medgan.errors import DataError
from tests.data.decoding.files import all_pixels, nifti, ramp

FULL = parse_window("0,255")


def body(shape: tuple[int, int, int] = (16, 20, 12)) -> np.ndarray:
    """x to the patient's right, y to the front, z up (as NIfTI's axes are): right, front and top marked."""
    values = np.full(shape, 50, np.uint8)
    values[-3:, 8:12, :] = 100  # right side
    values[6:10, -3:, :] = 200  # front
    values[:, :, -1] += 5  # top slice
    return values


def stored_as(
    values: np.ndarray, axes: tuple[int, ...], flips: tuple[bool, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The same body stored with other axes and directions, and the affine that says so."""
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    turned = values.transpose(axes)
    for new, (old, flip) in enumerate(zip(axes, flips, strict=True)):
        affine[old, new] = -1 if flip else 1
        if flip:
            turned = np.flip(turned, new)
            affine[old, 3] = values.shape[old] - 1
    return np.ascontiguousarray(turned), affine


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", [(False,) * 3, (True,) * 3, (True, False, False), (False, True, True)])
def test_right_is_left_front_is_up_and_slices_rise_however_it_is_stored(
    axes: tuple[int, ...], flips: tuple[bool, ...]
) -> None:
    values, affine = stored_as(body(), axes, flips)
    slices = all_pixels(nifti(values, affine), window=FULL)
    assert list(slices) == list(range(12))
    for number, picture in slices.items():
        assert picture.shape == (20, 16)
        top = 5 if number == 11 else 0
        assert picture[10, 1] == 100 + top  # the patient's right, on the left
        assert picture[10, 14] == 50 + top
        assert picture[1, 8] == 200 + top  # the front, on top
        assert picture[18, 8] == 50 + top


def test_an_affine_that_says_nothing_leaves_the_volume_readable() -> None:
    for header in (
        {"sform_code": 0, "qform_code": 0},
        {"sform_code": 1, "srow_x": 0, "srow_y": 0, "srow_z": 0},
    ):
        assert len(all_pixels(nifti(body(), **header), window=FULL)) == 12


def test_oblong_voxels_are_made_square() -> None:
    picture = all_pixels(nifti(body(), np.diag([1.0, 3.0, 1.0, 1])), window=FULL)[0]
    assert picture.shape == (60, 16)
    picture = all_pixels(nifti(body(), np.diag([1.0, 1.0, 9.0, 1])), window=FULL)[0]
    assert picture.shape == (20, 16)


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "u2", "i4", "u4", "f4", "f8", ">i2", ">f4"])
@pytest.mark.parametrize("packed", [True, False])
def test_every_kind_of_number_keeps_its_values(kind: str, packed: bool) -> None:
    values = (ramp((10, 12, 9), "i8") % 100).astype(kind)
    got = all_pixels(nifti(values, packed=packed), window=parse_window("0,255"))
    for number, picture in got.items():
        assert np.array_equal(picture, values[::-1, ::-1, number].T)


def test_slope_and_intercept_are_applied() -> None:
    data = bytearray(nifti(ramp((10, 12, 9), "i2")))
    data[112:120] = np.array([2.0, -100.0], "<f4").tobytes()
    got = all_pixels(bytes(data), window=parse_window("-100,410"))[0]
    expected = ramp((10, 12, 9), "i8")[::-1, ::-1, 0].T * 2 - 100
    assert np.array_equal(got, np.rint((np.clip(expected, -100, 410) + 100) / 2))


def test_of_a_series_over_time_the_first_volume_is_used() -> None:
    values = np.stack([body(), np.zeros_like(body()), body() * 0 + 9], axis=3)
    assert np.array_equal(
        all_pixels(nifti(values), window=FULL)[3], all_pixels(nifti(body()), window=FULL)[3]
    )


def test_the_number_of_volumes_is_told() -> None:
    assert decode(nifti(np.stack([body()] * 3, axis=3)), "x").volumes == 3
    assert decode(nifti(body()), "x").volumes == 1


def test_of_a_packed_series_only_the_first_volume_is_unpacked() -> None:
    values = np.stack([body()] + [np.zeros_like(body())] * 50, axis=3)
    data = nifti(values, packed=True)
    whole = all_pixels(data, window=FULL)
    assert len(whole) == 12
    assert all_pixels(data[:-20], window=FULL).keys() == whole.keys()


def test_slices_are_chosen_and_blank_ones_noted() -> None:
    values = body()
    values[:, :, :4] = 0
    decoded = decode(nifti(values), "x", Decoding(window=FULL, slices=parse_slices("25%:75%")))
    assert [p.number for p in decoded.pictures] == [4, 5, 6, 7, 8]
    assert decoded.skipped == [3]


def test_a_flat_file_is_one_picture() -> None:
    assert list(all_pixels(nifti(body()[:, :, :1]), window=FULL)) == [None]
    assert list(all_pixels(nifti(body()[:, :, 0]), window=FULL)) == [None]


def test_the_files_own_range_is_its_window() -> None:
    decoded = decode(nifti(body(), cal_min=20, cal_max=120), "x")
    assert decoded.window == "file 20,120"
    assert decode(nifti(body()), "x").window == "percentiles 0.5%,99.5%"


def test_air_below_water_means_hounsfield_units() -> None:
    lung = Decoding(window=parse_window("lung"))
    values = body().astype("i2") * 10 - 1000
    decoded = decode(nifti(values), "x", lung)
    assert (decoded.hu, decoded.window) == (True, "lung -1350,150")
    picture = next(decoded.pictures).image
    assert picture.getpixel((14, 10)) == round((-500 + 1350) / 1500 * 255)
    with pytest.raises(DataError, match="has no Hounsfield units, so the lung window does not apply"):
        decode(nifti(body()), "x", lung)


def test_names_in_the_header_are_counted_and_label_maps_flagged() -> None:
    decoded = decode(nifti(body(), descrip=b"Jane Doe", intent_code=1002), "x")
    assert decoded.dropped == ("text comments",)
    assert decoded.flags == ("a map of labels, not a picture",)
    assert decode(nifti(body()), "x").dropped == ()


def test_nifti_2_is_read() -> None:
    import nibabel

    data: bytes = nibabel.Nifti2Image(body(), np.eye(4)).to_bytes()
    assert np.array_equal(all_pixels(data, window=FULL)[2], all_pixels(nifti(body()), window=FULL)[2])


# what cannot be used


def test_colours_and_complex_numbers_are_refused_by_name() -> None:
    import nibabel

    colour = np.zeros((10, 10, 10), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    for values, name in ((colour, "RGB"), (np.zeros((10, 10, 10), "c8"), "complex64")):
        data = nibabel.Nifti1Image(values, np.eye(4)).to_bytes()
        with pytest.raises(DataError, match=rf"of a kind that is not read \({name}\); grey volumes are"):
            decode(data, "x")


def test_half_of_a_pair_is_refused() -> None:
    data = bytearray(nifti(body()))
    data[344:348] = b"ni1\0"
    with pytest.raises(
        DataError, match=r"one half of a NIfTI pair \(\.hdr and \.img\); save it as one \.nii"
    ):
        decode(bytes(data), "x")


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_volume_that_is_cut_short_says_so(packed: bool, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, 20, 20), np.uint8)
    data = nifti(noise, packed=packed)
    with pytest.raises(DataError, match="is damaged or cut short"):
        decode(data[: int(share * len(data))], "x")


def test_a_damaged_gzip_says_so() -> None:
    data = bytearray(nifti(np.random.default_rng(0).integers(0, 255, (20, 20, 20), np.uint8), packed=True))
    data[3000:3010] = b"0123456789"
    try:
        got = len(list(decode(bytes(data), "x").pictures))
    except DataError as error:
        assert str(error) == "is damaged or cut short"
    else:
        assert got == 20  # stored blocks carry no check of their own before the end of the file


def test_gzip_that_holds_something_else_is_refused() -> None:
    for content in (b"hello" * 1000, b"\0" * 5000):
        with pytest.raises(DataError, match="is packed with gzip but holds no NIfTI volume"):
            decode(gzip.compress(content), "x")
    with pytest.raises(DataError, match=r"gzip but holds no NIfTI|is damaged or cut short"):
        decode(gzip.compress(b""), "x")


def header_only(shape: tuple[int, ...], kind: str = "i2") -> bytes:
    """A header that claims a volume, and nothing of it."""
    import nibabel

    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(kind)
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    buffer = io.BytesIO()
    header.write_to(buffer)
    return buffer.getvalue() + b"\0" * 4


@pytest.mark.parametrize("packed", [True, False])
def test_a_header_that_claims_terabytes_is_refused_before_anything_is_unpacked(packed: bool) -> None:
    data = header_only((30_000, 30_000, 30_000))
    with pytest.raises(
        DataError, match=r"holds a volume of 54000000 MB; at most 200 are read \(--limit-file-mb\)"
    ):
        decode(gzip.compress(data) if packed else data, "x")


def test_a_gzip_that_grows_beyond_measure_is_not_unpacked_to_its_end() -> None:
    data = gzip.compress(header_only((300, 300, 300)) + b"\0" * 60_000_000, 9)
    with pytest.raises(DataError, match=r"unpacks to more than 200 times its size \(--limit-ratio\)"):
        decode(data, "x")


@pytest.mark.parametrize(
    "shape, limits, reason",
    [
        ((2000, 2000, 2), {"megapixels": 1}, r"is 2000 x 2000 pixels; .*--limit-megapixels"),
        ((3, 30, 30), {}, r"is 3 x 30 pixels; .*--limit-side"),
        ((10, 10, 30), {"frames": 20}, r"holds 30 pictures; .*--limit-frames"),
    ],
)
def test_shapes_that_are_not_read_name_the_limit(
    shape: tuple[int, int, int], limits: dict[str, Any], reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        decode(nifti(np.zeros(shape, "u1")), "x", Decoding(limits=Limits(**limits)))


def test_random_damage_gives_slices_or_a_reason_but_never_a_traceback() -> None:
    whole, chance = nifti(body()), np.random.default_rng(0)
    for _ in range(150):
        data = bytearray(whole)
        for at in chance.integers(0, 352, 3):
            data[at] = int(chance.integers(256))
        try:
            list(decode(bytes(data), "x").pictures)
        except DataError as error:
            assert str(error)
