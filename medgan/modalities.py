"""Kinds of medical images, and how the discriminator may see them changed: rows of data.

A training of a hundred images needs augmentation, and which one is harmless depends on what an image shows:
a skin lesion has no top, a chest has a heart on its left. `symmetry` is a change that real images could have
come with, so that it may show in what is generated; everything else is for the discriminator alone, on real
and generated images alike, and must not show (`tests/training/test_leak.py`)."""

from __future__ import annotations

from dataclasses import dataclass

from medgan.errors import ConfigError

NONE, MIRROR, ALL = "none", "mirror", "all"
AUTO, OFF, OTHER = "auto", "none", "other"
BLACK, EDGE = "black", "edge"


@dataclass(frozen=True)
class Modality:
    """A kind of image. `shift` and `cutout` are shares of the side, `scale`, `brightness`, `contrast` and
    `hue` shares of the range, `rotation` degrees; each change is drawn up to this much either way. What
    comes in from outside of an image is `background`: black, or its own edge mirrored. `why` it is never
    mirrored, where it is not."""

    name: str
    title: str
    symmetry: str = NONE
    shift: float = 0.08
    scale: float = 0.10
    rotation: float = 0.0
    cutout: float = 0.25
    brightness: float = 0.05
    contrast: float = 0.05
    hue: float = 0.0
    background: str = BLACK
    why: str = ""

    def words(self) -> str:
        """In two sentences for people, what the discriminator may see of such images."""
        symmetries = {
            NONE: f"Never mirrored: {self.why}.",
            MIRROR: "May be mirrored, left and right.",
            ALL: "May be mirrored and turned by quarters.",
        }
        placed = {
            "shifted": self.shift,
            "scaled": self.scale,
            f"turned by up to {self.rotation:g}°": self.rotation,
            "covered in part": self.cutout,
        }
        tinted = {"brightness": self.brightness, "contrast": self.contrast, "hue": self.hue}
        changes = [word for word, most in placed.items() if most]
        changes += [f"changed a little in {_listed([w for w, most in tinted.items() if most])}"]
        more = _listed(changes)
        return f"{symmetries[self.symmetry]} {more[:1].upper()}{more[1:]}."


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


HEART = "the heart would change sides"

MODALITIES: dict[str, Modality] = {
    modality.name: modality
    for modality in (
        Modality("dermoscopy", "Skin, dermoscopy", ALL, 0.12, 0.20, 0, 0.25, 0.10, 0.10, 0.02, EDGE),
        Modality("chest-ct", "Chest CT, axial", rotation=7, why=HEART),
        Modality("chest-x-ray", "Chest X-ray", rotation=5, why=HEART),
        Modality("brain-mri", "Brain MRI, axial", MIRROR, rotation=10, scale=0.05),
        Modality("fundus", "Eye fundus", MIRROR, rotation=15, hue=0.01),
        Modality("histology", "Histology", ALL, hue=0.03, brightness=0.10, contrast=0.10, background=EDGE),
        Modality("ultrasound", "Ultrasound", MIRROR),
        Modality("oct", "Optical coherence tomography", MIRROR),
        Modality(
            OTHER,
            "Something else",
            shift=0.08,
            scale=0.05,
            background=EDGE,
            why="nobody said that this is harmless",
        ),
    )
}
"""What each kind allows. `other`, for a kind nobody named, keeps to what hardly any image minds: no
mirroring, no turning, no change of hue."""


def modality(name: str) -> Modality:
    """The row called `name`; ConfigError listing the valid names."""
    if name not in MODALITIES:
        raise ConfigError(f"There is no modality {name!r}; valid are: {', '.join(MODALITIES)}.")
    return MODALITIES[name]
