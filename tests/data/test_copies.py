"""The same picture is found again after what happens to pictures on their way; other pictures are not it."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from medgan.data.copies import Choices, Pair, exact_copies, near_copies, perceptual_hashes, resolve
from medgan.data.phantom import draw_set
from medgan.data.survey import thumbnail
from medgan.errors import DataError
from medgan.images import fit, to_pil

Change = Callable[[Image.Image], Image.Image]
KINDS = ("chest-ct", "dermoscopy")
kinds = pytest.mark.parametrize("kind", KINDS)


def jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=30)
    return Image.open(io.BytesIO(buffer.getvalue()))


def smaller(image: Image.Image) -> Image.Image:
    return image.resize((77, 77), Image.Resampling.LANCZOS)


CHANGES: dict[str, tuple[Change, str]] = {
    "jpeg": (jpeg, ""),
    "smaller": (smaller, ""),
    "cropped": (lambda image: image.crop((2, 0, 127, 126)), ""),
    "brighter": (lambda image: ImageEnhance.Brightness(image).enhance(1.05), ""),
    "mirrored": (ImageOps.mirror, "mirrored"),
    "upside down": (ImageOps.flip, "upside down"),
    "turned": (lambda image: image.rotate(180), "turned by 180 degrees"),
    "a quarter": (lambda image: image.rotate(-90), "turned by 90 degrees"),
    "three quarters": (lambda image: image.rotate(90), "turned by 270 degrees"),
    "mirrored, a quarter": (
        lambda image: ImageOps.mirror(image).rotate(-90),
        "mirrored and turned by 90 degrees",
    ),
    "mirrored, three quarters": (
        lambda image: jpeg(ImageOps.mirror(image).rotate(90)),
        "mirrored and turned by 270 degrees",
    ),
    "several": (lambda image: ImageOps.mirror(jpeg(image.crop((1, 1, 127, 127)))), "mirrored"),
}


@pytest.fixture(scope="module")
def pictures() -> dict[str, list[Image.Image]]:
    return {kind: [to_pil(image) for image in draw_set(kind, 12, size=128)[0]] for kind in KINDS}


def found(pictures: list[np.ndarray], exact: list[Pair] | None = None) -> list[Pair]:
    return near_copies(np.stack([thumbnail(p) for p in pictures]), pictures.__getitem__, exact or [])


def prepared(pictures: list[Image.Image]) -> list[np.ndarray]:
    return [fit(picture, 64, 3) for picture in pictures]


def members(pairs: list[Pair]) -> list[tuple[int, int]]:
    return [(pair.first, pair.second) for pair in pairs]


# near copies


@kinds
@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_copy_of_each_picture_is_found_and_nothing_else(
    kind: str, name: str, pictures: dict[str, list[Image.Image]]
) -> None:
    change, turned = CHANGES[name]
    originals = pictures[kind]
    pairs = found(prepared(originals + [change(picture) for picture in originals]))
    assert members(pairs) == [(k, k + 12) for k in range(12)]
    assert {pair.turned for pair in pairs} == {turned}


@pytest.mark.parametrize("mode", ["crop", "pad", "squash"])
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_copy_of_a_wide_original_is_found(
    mode: str, degrees: int, pictures: dict[str, list[Image.Image]]
) -> None:
    """As files are turned, whose width and height change places."""
    originals = [picture.crop((0, 15, 128, 111)) for picture in pictures["dermoscopy"][:6]]
    turned = [picture.rotate(-degrees, expand=True) for picture in originals]
    pairs = found([fit(picture, 64, 3, mode) for picture in originals + turned])
    assert members(pairs) == [(k, k + 6) for k in range(6)]
    assert {pair.turned for pair in pairs} == {f"turned by {degrees} degrees"}


def test_a_picture_with_a_line_drawn_on_it_is_still_the_same(pictures: dict[str, list[Image.Image]]) -> None:
    images = prepared(pictures["chest-ct"])
    marked = images[0].copy()
    marked[20, 5:30] = 230
    assert members(found([*images, marked])) == [(0, 12)]


def test_a_large_dark_frame_does_not_make_different_pictures_the_same(
    pictures: dict[str, list[Image.Image]],
) -> None:
    """Dermatoscopes show a disc before black, which is most of the contrast of every picture."""
    y, x = np.mgrid[:64, :64]
    disc = ((y - 31.5) ** 2 + (x - 31.5) ** 2 < 29**2)[..., None]
    framed = [picture * disc for picture in prepared(pictures["dermoscopy"])]
    assert found(framed) == []
    noisy = np.random.default_rng(0).integers(-3, 4, (64, 64, 3))
    assert members(found([*framed, np.clip(framed[4] + noisy * disc, 0, 255).astype(np.uint8)])) == [(4, 12)]


def test_slices_of_one_body_are_not_the_same_picture(pictures: dict[str, list[Image.Image]]) -> None:
    a, b = (picture.astype(float) for picture in prepared(pictures["chest-ct"])[:2])
    slices = [np.round(a + (b - a) * t).astype(np.uint8) for t in np.linspace(0, 1, 6)]
    assert found(slices) == []


def test_noise_stripes_and_flat_pictures_are_not_copies_of_each_other() -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(4)]
    flat = [np.full((64, 64, 3), value, np.uint8) for value in (0, 1, 128, 255)]
    x = np.arange(64)
    stripes = [
        np.broadcast_to((x // w % 2 * 200)[None, :, None], (64, 64, 3)).astype(np.uint8) for w in (3, 8)
    ]
    assert found(noise + flat + stripes) == []


@kinds
def test_many_copies_of_one_picture_are_all_joined(kind: str, pictures: dict[str, list[Image.Image]]) -> None:
    rng = np.random.default_rng(0)
    first = prepared(pictures[kind][:1])[0].astype(int)
    copies = [np.clip(first + rng.integers(-3, 4, first.shape), 0, 255).astype(np.uint8) for _ in range(60)]
    resolution = resolve([], found(copies), ["a"] * 60, [str(k) for k in range(60)], Choices())
    assert set(resolution.clusters) == {0}


def test_the_seconds_of_exact_copies_are_passed_over(pictures: dict[str, list[Image.Image]]) -> None:
    a, b = prepared(pictures["chest-ct"][:2])
    asked: list[int] = []
    images = [a, b, a, a[:, ::-1]]

    def pixels(k: int) -> np.ndarray:
        asked.append(k)
        return images[k]

    pairs = near_copies(np.stack([thumbnail(p) for p in images]), pixels, [Pair(0, 2)])
    assert pairs == [Pair(0, 3, 0.0, "mirrored")]
    assert 2 not in asked


@pytest.mark.parametrize("count", [0, 1])
def test_a_set_of_no_or_one_picture_has_no_copies(count: int) -> None:
    assert (
        near_copies(np.zeros((count, 32, 32, 3), np.uint8), lambda k: np.zeros((64, 64, 3), np.uint8)) == []
    )


def test_pixels_are_asked_for_candidates_only(pictures: dict[str, list[Image.Image]]) -> None:
    images = prepared(pictures["dermoscopy"])
    asked: set[int] = set()

    def pixels(k: int) -> np.ndarray:
        asked.add(k)
        return images[k]

    near_copies(np.stack([thumbnail(p) for p in images]), pixels)
    assert len(asked) < len(images)


@kinds
def test_hashes_are_those_of_imagehash(kind: str, pictures: dict[str, list[Image.Image]]) -> None:
    imagehash = pytest.importorskip("imagehash")
    for picture in pictures[kind]:
        small = picture.convert("L").resize((32, 32), Image.Resampling.BOX)
        ways = (small, small.transpose(Image.Transpose.TRANSPOSE))
        turns = [t for way in ways for t in (way, ImageOps.mirror(way), ImageOps.flip(way), way.rotate(180))]
        hashes = perceptual_hashes(np.asarray(small)[None])[:, 0].tolist()
        for ours, turned in zip(hashes, turns, strict=True):
            theirs = sum(1 << k for k, bit in enumerate(imagehash.phash(turned).hash.ravel()) if bit)
            assert (ours ^ theirs).bit_count() <= 2  # coefficients next to the median round either way


# exact copies, and what stays


def test_exact_copies_are_paired_with_the_first() -> None:
    assert members(exact_copies(["x", "y", "x", "z", "x", "y"])) == [(0, 2), (0, 4), (1, 5)]


NAMES = ["a.png", "b.png", "c.png", "d.png"]


def test_of_exact_copies_the_first_stays_and_near_copies_stay_together() -> None:
    resolution = resolve([Pair(0, 2)], [Pair(0, 3, 2.0)], ["x"] * 4, NAMES, Choices())
    assert resolution.dropped == {2: "is an exact copy of a.png"}
    assert resolution.kept == [0, 1, 3]
    assert members(resolution.together()) == [(0, 2)]
    assert (members(resolution.duplicates), members(resolution.near_duplicates)) == ([(0, 2)], [(0, 3)])


def test_copies_in_two_classes_are_all_left_out() -> None:
    resolution = resolve([Pair(0, 2)], [Pair(2, 3)], ["x", "x", "x", "y"], NAMES, Choices())
    assert resolution.kept == [1]
    assert resolution.dropped[0] == "is a copy of d.png, though their classes are x and y"
    assert resolution.dropped[3] == "is a copy of a.png, though their classes are y and x"
    assert members(resolution.conflicts) == [(2, 3)]


def test_conflicts_that_are_kept_keep_one_of_each_class_and_stand_together() -> None:
    labels = ["x", "y", "y", "x"]
    exact = [Pair(0, 1), Pair(0, 2), Pair(0, 3)]
    resolution = resolve(exact, [], labels, NAMES, Choices(conflicts="keep"))
    assert resolution.kept == [0, 1]
    assert resolution.dropped == {2: "is an exact copy of b.png", 3: "is an exact copy of a.png"}
    assert members(resolution.together()) == [(0, 1)]
    assert members(resolution.conflicts) == [(0, 1), (0, 2)]


def test_everything_can_be_kept_and_stands_together() -> None:
    keep = Choices(duplicates="keep", near="keep", conflicts="keep")
    resolution = resolve([Pair(0, 2)], [Pair(0, 3)], ["x", "x", "x", "y"], NAMES, keep)
    assert resolution.kept == [0, 1, 2, 3] and not resolution.dropped
    assert members(resolution.together()) == [(0, 2), (0, 3)]


def test_near_copies_can_be_dropped() -> None:
    resolution = resolve([], [Pair(1, 3)], ["x"] * 4, NAMES, Choices(near="drop"))
    assert resolution.dropped == {3: "is a near copy of b.png"}


def test_another_word_than_drop_or_keep_is_refused() -> None:
    with pytest.raises(DataError, match="--conflicts maybe is not known; choose drop or keep"):
        Choices(conflicts="maybe")


pairs_of_12 = st.lists(
    st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda p: p[0] < p[1]).map(lambda p: Pair(*p)),
    max_size=12,
)
choice = st.sampled_from(["drop", "keep"])


@settings(deadline=None, max_examples=200, database=None, derandomize=True)
@given(st.lists(st.sampled_from("xyz"), min_size=12, max_size=12), pairs_of_12, pairs_of_12, choice, choice)
def test_what_stays_holds_no_conflict_and_a_picture_of_every_undisputed_copy(
    labels: list[str], exact: list[Pair], near: list[Pair], duplicates: str, nearly: str
) -> None:
    names = [f"{k}.png" for k in range(12)]
    resolution = resolve(exact, near, labels, names, Choices(duplicates=duplicates, near=nearly))
    assert sorted([*resolution.kept, *resolution.dropped]) == list(range(12))
    kept = set(resolution.kept)
    clusters: dict[int, set[int]] = {}
    for k, cluster in enumerate(resolution.clusters):
        clusters.setdefault(cluster, set()).add(k)
    for cluster in clusters.values():
        torn = len({labels[k] for k in cluster}) > 1
        assert bool(cluster & kept) != torn
    joined = {frozenset(pair) for pair in members(resolution.together())}
    for cluster in clusters.values():
        standing = [resolution.kept.index(k) for k in sorted(cluster & kept)]
        assert all(frozenset((standing[0], k)) in joined for k in standing[1:])
