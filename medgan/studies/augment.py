"""Classical augmentation that leaves the meaning of a medical image alone.

Small turns, shifts and changes of brightness, edges continued by their mirror image so that no black
corner tells an augmented image. Colour images (dermoscopy, histology, fundus) are also flipped, both ways:
they have no up and down. Grey ones are not: in a CT or X-ray a mirrored heart is a finding.
"""

from __future__ import annotations

import numpy as np

TURN, SHIFT, BRIGHTNESS = 10.0, 0.05, 0.1
"""At most: degrees, share of the side, share of the range of grey levels."""


def augmented(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A varied copy of uint8 `(H, W, C)`; the same `random` state gives the same copy."""
    from scipy.ndimage import affine_transform

    angle = np.deg2rad(random.uniform(-TURN, TURN))
    shift = random.uniform(-SHIFT, SHIFT, size=2) * image.shape[:2]
    brightness = random.uniform(-BRIGHTNESS, BRIGHTNESS) * 255
    flips = random.random(2) < 0.5
    if image.shape[2] == 3:
        image = np.flip(image, axis=tuple(np.flatnonzero(flips)))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = (np.array(image.shape[:2]) - 1) / 2
    planes = [
        affine_transform(
            image[:, :, c].astype(np.float32), turn, middle - turn @ middle + shift, order=1, mode="reflect"
        )
        for c in range(image.shape[2])
    ]
    moved = np.stack(planes, axis=-1) + brightness
    varied: np.ndarray = np.rint(np.clip(moved, 0, 255)).astype(np.uint8)
    return varied
