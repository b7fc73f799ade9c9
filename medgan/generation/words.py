"""What is said about an export: how it went, and README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medgan.generation.gate import COPY, PASSED, REPEAT, UNCHECKED
from medgan.generation.licence import NOBODY_CHOSE


@dataclass
class Summary:
    """How many images were wanted, released, and kept back as copies or repeats; `unchecked` says why none
    was checked, where none was, and `caveat` what the check could not see."""

    wanted: int
    released: int = 0
    copies: int = 0
    repeats: int = 0
    unchecked: str = ""
    caveat: str = ""

    def add(self, verdict: str) -> None:
        """Count one more seed."""
        self.copies += verdict == COPY
        self.repeats += verdict == REPEAT
        self.released += verdict in (PASSED, UNCHECKED)

    def sentence(self) -> str:
        """What the gate found, in words."""
        if self.unchecked:
            return f"None of the {self.released:,} images was checked. {self.unchecked}"
        kept = self.copies + self.repeats
        return (
            f"{self.released:,} images passed the check. {kept:,} others were kept back and replaced: "
            f"{self.copies:,} like a training image, {self.repeats:,} like another generated one."
            f"{f' {self.caveat}' if self.caveat else ''}"
        )


def readme(
    model: str,
    sha256: str,
    about: Mapping[str, Any],
    settings: Mapping[str, Any],
    check: str,
    labels: Sequence[str],
) -> str:
    """The text of an export's README, which is a data set card of the Hub at once. `check` says in words what
    the release gate found; `settings` are those of the export."""
    dataset = about.get("dataset") or {}
    licence = settings.get("licence") or ""
    return f"""---
{f"license: {licence}{chr(10)}" if licence else ""}task_categories: [unconditional-image-generation]
tags: [medical, synthetic, medgan]
---
# Synthetic images of {model}

**None of these images shows a patient.** A generative adversarial network made them (MedGAN).

- Model: {model}, sha256 `{sha256}`
- Trained on: {dataset.get("train", "?")} images of the data set "{dataset.get("name", "?")}"
  (content sha256 `{dataset.get("content_sha256", "?")}`)
- Classes: {", ".join(labels) or "none"}
- Truncation: {settings.get("truncation", 1.0):g}
- Licence: {licence or NOBODY_CHOSE}

## Were they checked?
{check}

Checked are whole images: brightness, contrast, flips and quarter turns do not hide a copy, a part of an image
that was learned by heart would not be found. That no copy was found does not make images anonymous.

## What is here
{_layout(str(settings.get("form", "png")), bool(labels))}

Columns: `seed` (the same seed of the same model gives the same image), `label`, `truncation`, `nearest_train`
(distance to the most similar training image: 0 the same, about 1.4 as unlike as noise; empty where it was not
checked), `gate` (passed or unchecked), `model`, `model_sha256`.

## What they are for
Research, teaching, and trying whether synthetic images help a classifier that is tested on real ones. **Not**
for diagnosis, not as the only images that a clinical model is trained or tested on, and not to be passed off
as real ones.
"""


def _layout(form: str, classes: bool) -> str:
    if form == "parquet":
        return '`data/*.parquet`, read by `datasets.load_dataset("parquet", data_files="data/*.parquet")`.'
    kind = "DICOM secondary captures, marked as synthetic" if form == "dicom" else "PNG"
    if not classes:
        return f"`images/seed-000017.png` and so on ({kind}), and `metadata.csv`, a row an image.".replace(
            ".png", ".dcm" if form == "dicom" else ".png"
        )
    read = "" if form == "dicom" else ', read by `torchvision.datasets.ImageFolder("images")`'
    return f"`images/CLASS/`: a folder for each class ({kind}){read}; `metadata.csv`, a row an image."
