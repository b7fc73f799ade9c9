"""MedMNIST: which sets there are, where they lie, and what their labels mean.

All of it stands in the table of the `medmnist` package, which is read as data: importing the package would
import torch and make a folder in the user's home.
"""

from __future__ import annotations

import ast
import difflib
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from medgan.errors import HubError
from medgan.modalities import OTHER

PREFIX = "medmnist:"
VARIABLE = "MEDMNIST_ENDPOINT"
"""The environment's name for another folder of the files (`https://mirror/medmnist`)."""
SIZES = (64, 128, 224)
COUNT = 1000
"""Images drawn if nobody says how many: the sets hold up to 236,386."""
NO_FINDING = "no finding"
MEDMNIST = {
    "pathmnist": "PathMNIST: colon pathology, 107,180 images, 9 classes",
    "chestmnist": "ChestMNIST: chest X-rays, 112,120 images, 14 findings",
    "dermamnist": "DermaMNIST: dermatoscopy, 10,015 images, 7 classes",
    "octmnist": "OCTMNIST: retinal OCT, 109,309 images, 4 classes",
    "pneumoniamnist": "PneumoniaMNIST: children's chest X-rays, 5,856 images, 2 classes",
    "retinamnist": "RetinaMNIST: fundus photographs, 1,600 images, 5 grades",
    "breastmnist": "BreastMNIST: breast ultrasound, 780 images, 2 classes",
    "bloodmnist": "BloodMNIST: blood cells, 17,092 images, 8 classes",
    "tissuemnist": "TissueMNIST: kidney cortex cells, 236,386 images, 8 classes",
    "organamnist": "OrganAMNIST: abdominal CT, axial, 58,830 images, 11 organs",
    "organcmnist": "OrganCMNIST: abdominal CT, coronal, 23,583 images, 11 organs",
    "organsmnist": "OrganSMNIST: abdominal CT, sagittal, 25,211 images, 11 organs",
}
"""The sets that can be fetched, with a line for people."""
SHOWS = {
    "pathmnist": "histology",
    "chestmnist": "chest-x-ray",
    "dermamnist": "dermoscopy",
    "octmnist": "oct",
    "pneumoniamnist": "chest-x-ray",
    "retinamnist": "fundus",
    "breastmnist": "ultrasound",
    "bloodmnist": "histology",
    "tissuemnist": "histology",
}
"""Their modalities. Not of the organ sets: these are single organs cut out, left and right kidneys among
them, and no axial chest."""


@dataclass(frozen=True)
class MedMnist:
    """One set at one size: `labels` are class names by number, `counts` the images of each part."""

    name: str
    title: str
    size: int
    channels: int
    several: bool  # an image may have more than one label
    labels: tuple[str, ...]
    counts: Mapping[str, int]
    url: str
    md5: str
    licence: str

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}_{self.size}.npz"

    @property
    def address(self) -> str:
        """The folder that its file is downloaded from: Zenodo's, or the one that the environment names."""
        return (os.environ.get(VARIABLE) or self.url.rsplit("/", 1)[0]).rstrip("/")

    @property
    def image_bytes(self) -> int:
        """Bytes of one image, unpacked."""
        return self.size * self.size * self.channels

    @property
    def total_bytes(self) -> int:
        """Bytes of all images, unpacked; its file is never larger but for a few headers."""
        return self.image_bytes * sum(self.counts.values())

    @property
    def labelling(self) -> str:
        """A sentence where the labels are not simply classes; else ""."""
        if self.several:
            return (
                f"the class is an image's only finding, or {NO_FINDING!r}; images with several are left out"
            )
        return "the grades are taken as classes" if all(map(str.isdigit, self.labels)) else ""


def modality_of(spec: str) -> str:
    """The modality of the set that `medmnist:NAME` means; `other` where it is not known, or `spec` is of
    another kind."""
    prefix, _, name = spec.rpartition(":")
    return SHOWS.get(name.strip().casefold(), OTHER) if f"{prefix}:" == PREFIX else OTHER


def find_set(spec: str, size: int) -> MedMnist:
    """The set that `medmnist:NAME` means, at the smallest stored size that is not below `size` (the largest
    if all are). HubError listing the names if there is none, or if it holds volumes."""
    name = spec.removeprefix(PREFIX).strip().casefold()
    if name.endswith("3d"):
        raise HubError(
            f"{PREFIX}{name} holds volumes of 64 pixels a side, too coarse to take slices from; "
            f"choose one of {', '.join(MEDMNIST)}."
        )
    if name not in MEDMNIST:
        close = difflib.get_close_matches(name, MEDMNIST, 1)
        hint = f" Did you mean {PREFIX}{close[0]}?" if close else ""
        raise HubError(f"There is no MedMNIST set {name!r}; there are {', '.join(MEDMNIST)}.{hint}")
    return _set(name, _table()[name], next((stored for stored in SIZES if stored >= size), SIZES[-1]))


def _set(name: str, row: dict[str, Any], size: int) -> MedMnist:
    return MedMnist(
        name,
        row["python_class"],
        size,
        row["n_channels"],
        row["task"].startswith("multi-label"),
        tuple(row["label"][str(number)] for number in range(len(row["label"]))),
        row["n_samples"],
        row[f"url_{size}"].split("?")[0],
        row[f"MD5_{size}"],
        row["license"],
    )


@cache
def _table() -> dict[str, dict[str, Any]]:
    """`INFO` of the package, without running any of its code."""
    package = importlib.util.find_spec("medmnist")
    if package is None or package.origin is None:
        raise HubError("The package medmnist is not installed; install it with `pip install medmnist`.")
    tree = ast.parse((Path(package.origin).parent / "info.py").read_text("utf-8"))
    tables = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "INFO" for t in node.targets)
    ]
    if not tables:
        raise HubError("This version of the package medmnist has no table of its sets; install version 3.")
    return cast("dict[str, dict[str, Any]]", ast.literal_eval(tables[0]))
