"""Kinds of images: what each allows is said in words, and the sets that have a name have one."""

from __future__ import annotations

import pytest

from medgan.data.phantom import PHANTOMS
from medgan.errors import ConfigError
from medgan.hub.medmnist import MEDMNIST, SHOWS, modality_of
from medgan.modalities import MODALITIES, NONE, OTHER, modality


@pytest.mark.parametrize("name", MODALITIES)
def test_the_words_say_whether_it_is_mirrored_and_why_not(name: str) -> None:
    row = modality(name)
    words = row.words()
    assert words.startswith("Never mirrored: ") == (row.symmetry == NONE)
    assert bool(row.why) == (row.symmetry == NONE)
    assert ("turned by up to" in words) == bool(row.rotation)
    assert ("hue" in words) == bool(row.hue)


def test_a_chest_is_never_mirrored_and_says_why() -> None:
    assert modality("chest-ct").words() == (
        "Never mirrored: the heart would change sides. Shifted, scaled, turned by up to 7°, covered in part "
        "and changed a little in brightness and contrast."
    )


def test_an_unknown_modality_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match=r"no modality 'ct'; valid are: dermoscopy, chest-ct"):
        modality("ct")


def test_every_phantom_and_every_named_set_has_a_modality() -> None:
    assert PHANTOMS.keys() <= MODALITIES.keys()
    assert SHOWS.keys() <= MEDMNIST.keys()
    assert set(SHOWS.values()) <= MODALITIES.keys()


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ("medmnist:dermamnist", "dermoscopy"),
        ("medmnist: BreastMNIST ", "ultrasound"),
        ("medmnist:organamnist", OTHER),
        ("medmnist:nothing", OTHER),
        ("dermamnist", OTHER),
        ("hub:datasets/owner/dermamnist", OTHER),
    ],
)
def test_what_a_set_of_medmnist_shows_is_known_by_its_name(spec: str, shown: str) -> None:
    assert modality_of(spec) == shown
