"""A model folder ready to hand on: fp16 weights, a sheet of samples and a model card from the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from medgan.errors import DataError
from medgan.evaluation.table import cell
from medgan.files import write_bytes, write_folder
from medgan.generation.sampling import sample
from medgan.images import grid, png
from medgan.runs.checkpoint import halved, load_generator, save_model
from medgan.runs.discriminator import ALONE, discriminator_state
from medgan.runs.info import CARD, ModelInfo, model_sha256, read_info

SAMPLES = "samples.png"
SHEET = range(16)


def pack(model: Path, out: Path, *, discriminator: bool = False) -> Path:
    """Write the new model folder `out` from the model folder `model` (a checkpoint of a run): fp16 weights,
    samples and a card without figures; with `discriminator` that too, as a file of its own from which others
    can train on. DataError if `out` exists, CheckpointError if there is no discriminator."""
    if out.exists():
        raise DataError(f"{out} exists already; choose another folder.")
    generator, info = load_generator(model)
    info = ModelInfo(info.model, info.about | {"name": out.name})

    def fill(folder: Path) -> None:
        save_model(folder, generator, info, half=True)
        if discriminator:
            save_file(halved(discriminator_state(model)), folder / ALONE)
        packed, _ = load_generator(folder)  # the sheet shows the fp16 weights that others will load
        (folder / SAMPLES).write_bytes(png(grid(sample(packed, SHEET), columns=8)))
        (folder / CARD).write_text(card(info, None), "utf-8")

    write_folder(out, fill)
    return out


def write_card(model: Path, *, report: dict[str, Any] | None = None, note: str = "") -> Path:
    """Write the model card of a model folder anew. `report` is its evaluation, `note` a sentence on the
    training images and their licence. DataError if the report is of another model."""
    if report and report["model"]["sha256"] != model_sha256(model):
        raise DataError("The report is not of this model; evaluate this model and give that report.")
    write_bytes(model / CARD, card(read_info(model), report, note).encode())
    return model / CARD


def card(info: ModelInfo, report: dict[str, Any] | None, note: str = "") -> str:
    """The text of a model card: data, settings, figures, faults, uses, loading."""
    about = info.about
    dataset = about.get("dataset", {})
    name = about.get("name", "model")
    train = about.get("train", {})
    channels = "grey" if info.model.channels == 1 else "colour"
    classes = ", ".join(f"{label} {count['train']}" for label, count in dataset.get("classes", {}).items())
    return f"""---
library_name: medgan
pipeline_tag: unconditional-image-generation
tags: [medical, gan, sngan, synthetic-data]
---
# {name}

An unconditional GAN generator of MedGAN: {channels} images of {info.model.size} x {info.model.size} pixels.

![Samples of seeds 0 to 15]({SAMPLES})

## Trained on
{dataset.get("train", "?")} images of the data set "{dataset.get("name", "?")}" ({classes});
{dataset.get("heldout", "?")} more were held out. Hash of the prepared set:
`{dataset.get("content_sha256", "?")}`.
{note}

## How
Preset `{about.get("preset", "?")}`, step {about.get("step", 0):,},
{about.get("images_seen", 0):,} images seen, batch size {train.get("batch_size", "?")},
seed {train.get("seed", "?")}; latent {info.model.latent}, ngf {info.model.ngf}, ndf {info.model.ndf}.
Weights are fp16 safetensors.

## Figures
{_figures(report)}

## Known faults
The network's transposed convolutions leave a faint grid. Whether it repeats training images has not been
measured: do not treat its images as anonymous.

## What it is for
Trying MedGAN, teaching, and research on generative models. **Not** for diagnosis, not as the only data that a
clinical model is trained or tested on, and not to pass synthetic images off as real ones.

## Loading
```
python -m medgan generate {name} --seeds 0-63 --out samples.zip
```
"""


def _figures(report: dict[str, Any] | None) -> str:
    if report is None:
        return "Not evaluated."
    lines = ["| | PSNR ↑ | MS-GMSD ↓ | LPIPS ↓ |", "|---|---|---|---|"]
    rows = [f for f in report["rows"] if f["pairing"] == "random"]
    for row in dict.fromkeys(figure["row"] for figure in rows):
        cells = {f["name"]: cell(f) for f in rows if f["row"] == row}
        lines.append(f"| {row} | {cells['PSNR']} | {cells['MS-GMSD']} | {cells['LPIPS']} |")
    settings = report["settings"]
    head = (
        f"{settings['count']} images (seeds from 0) against the held-out ones in random pairs, "
        f"95 % intervals, LPIPS network {settings['lpips_net']}. These figures cannot rank generators: "
        "compare the rows.\n"
    )
    return "\n".join([head, *lines])
