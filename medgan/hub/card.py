"""A model folder ready to hand on: fp16 weights, a sheet of samples and a model card from the record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from medgan.config import ModelConfig
from medgan.errors import CheckpointError, DataError
from medgan.evaluation.table import markdown_table
from medgan.files import write_bytes, write_folder
from medgan.generation.sampling import sample
from medgan.images import grid, png
from medgan.runs.checkpoint import halved, load_generator, save_model
from medgan.runs.discriminator import discriminator_state
from medgan.runs.info import ALONE, CARD, WEIGHTS, ModelInfo, has_discriminator, model_sha256, read_info

SAMPLES = "samples.png"
SHEET = range(16)


def pack(model: Path, out: Path, *, discriminator: bool = False) -> Path:
    """Write the new model folder `out` from the model folder `model` (a checkpoint of a run): fp16 weights,
    samples and a card without figures; with `discriminator` that too, as a file of its own from which others
    can train on. DataError if `out` exists, CheckpointError if there is no discriminator."""
    if out.exists():
        raise DataError(f"{out} exists already; choose another folder.")
    if discriminator and not has_discriminator(model):
        raise CheckpointError(f"{model.name} comes without a discriminator; leave --with-discriminator away.")
    generator, info = load_generator(model)
    info = ModelInfo(info.model, info.about | {"name": out.name})

    def fill(folder: Path) -> None:
        save_model(folder, generator, info, half=True)
        if discriminator:
            save_file(halved(discriminator_state(model)), folder / ALONE)
        packed, _ = load_generator(folder)  # the sheet shows the fp16 weights that others will load
        (folder / SAMPLES).write_bytes(png(grid(sample(packed, SHEET), columns=8)))
        (folder / CARD).write_text(card(info, weights=folder / WEIGHTS), "utf-8")

    write_folder(out, fill)
    return out


def write_card(
    model: Path,
    *,
    reports: Sequence[dict[str, Any]] = (),
    note: str = "",
    licence: str = "",
    faults: str = "",
) -> Path:
    """Write the model card of a model folder anew. `reports` are its evaluations, one a feature network;
    `note` is a sentence on the training images and their licence, `licence` the model's own, as the Hub
    names it, `faults` what somebody saw in its images. DataError if a report is of another model."""
    sha256 = model_sha256(model)
    if any(report.get("model", {}).get("sha256") != sha256 for report in reports):
        raise DataError("The report is not of this model; evaluate this model and give that report.")
    text = card(read_info(model), reports, note, licence, faults, weights=model / WEIGHTS)
    write_bytes(model / CARD, text.encode())
    return model / CARD


def card(
    info: ModelInfo,
    reports: Sequence[dict[str, Any]] = (),
    note: str = "",
    licence: str = "",
    faults: str = "",
    *,
    repo: str = "",
    warning: str = "",
    weights: Path | None = None,
) -> str:
    """The text of a model card: data, settings, figures, faults, uses, loading. `repo` is where on the Hub it
    will be, `warning` what must be read before all else, `weights` the file that the card speaks of."""
    about, model = info.about, info.model
    dataset = about.get("dataset", {})
    name = repo.partition("/")[2] or about.get("name", "model")
    counts = dataset.get("classes", {})
    classes = ", ".join(f"{label} {count.get('train', '?')}" for label, count in counts.items())
    what = ("class-conditional" if model.classes else "unconditional", _kind(model))
    return f"""---
library_name: medgan
pipeline_tag: unconditional-image-generation
{f"license: {licence}{chr(10)}" if licence else ""}tags: [medical, gan, {model.architecture}, synthetic-data]
---
# {name}
{f"{chr(10)}> {warning}{chr(10)}" if warning else ""}
A GAN generator of MedGAN, {what[0]}: {what[1]}.

![Samples of seeds 0 to 15]({SAMPLES})

## Trained on
{dataset.get("train", "?")} images of the data set "{dataset.get("name", "?")}" ({classes});
{dataset.get("heldout", "?")} more were held out. Hash of the prepared set:
`{dataset.get("content_sha256", "?")}`.
{note}

## How
{_how(info, weights)}

## Does it repeat its training images?
{_repeats(reports)}

## Figures
{_figures(reports)}

## Known faults
{faults or "Nobody has written down yet what is wrong with its images: look at them."}
Figures on copying are of so many images and these networks; they do not make an image anonymous.

## What it is for
Trying MedGAN, teaching, and research on generative models. **Not** for diagnosis, not as the only data that a
clinical model is trained or tested on, and not to pass synthetic images off as real ones.

## Loading
{_loading(name, repo, [label for label, _ in model.classes])}
"""


def _loading(name: str, repo: str, classes: Sequence[str]) -> str:
    spec = f"hub:{repo}" if repo else name
    one = f' --class "{classes[0]}"' if classes else ""
    label = f", label={json.dumps(classes[0], ensure_ascii=False)}" if classes else ""
    return f"""```
python -m medgan generate {spec} --seeds 0-63{one} --out samples.zip
```
```python
import medgan

generator = medgan.load("{spec}")
images = generator.sample(seeds=range(16){label})  # uint8 (16, H, W, C)
```"""


def _repeats(reports: Sequence[dict[str, Any]]) -> str:
    verdicts = [report["verdicts"].get("memorisation", {}) for report in reports]
    said = [f"**{v.get('level')}**: {v.get('reason', '')}" for v in verdicts if v.get("level") != "unknown"]
    if not said:
        return "Nobody has judged that: it may show images of its training set."
    return "\n".join(f"- {line}" for line in dict.fromkeys(said))


def _precision(weights: Path) -> str:
    """Of the largest tensors of a safetensors file, by its header: `fp16` or `fp32`."""
    with weights.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    kinds = {entry["dtype"] for key, entry in header.items() if key != "__metadata__"}
    return "fp16" if "F16" in kinds else "fp32"


def _kind(model: ModelConfig) -> str:
    colour = "grey" if model.channels == 1 else "colour"
    return f"{colour} images of {model.size} x {model.size} pixels"


def _how(info: ModelInfo, weights: Path | None) -> str:
    about, model = info.about, info.model
    train, origin = about.get("train", {}), about.get("init") or {}
    judge = f", a judge on frozen {model.frozen} features" if model.frozen else ""
    lines = [
        f"Preset `{about.get('preset', '?')}`, step {about.get('step', 0):,},",
        f"{about.get('images_seen', 0):,} images seen, batch size {train.get('batch_size', '?')},",
        f"augmentation `{train.get('augment', 'none')}`, seed {train.get('seed', '?')}; networks",
        f"`{model.architecture}`, latent {model.latent}, ngf {model.ngf}, ndf {model.ndf}{judge}.",
        f"It began with the weights of {origin['name']} ({origin['sha256'][:12]})." if origin else "",
        f"Weights are {_precision(weights) if weights else 'fp16'} safetensors.",
    ]
    return "\n".join(filter(None, lines))


def _figures(reports: Sequence[dict[str, Any]]) -> str:
    if not reports:
        return "Not evaluated."
    return "\n\n".join(_judged_by(report) for report in reports)


def _judged_by(report: dict[str, Any]) -> str:
    settings = report["settings"]
    network = (settings.get("features") or {}).get("label", "no network")
    verdicts = ", ".join(f"{part} **{verdict['level']}**" for part, verdict in report["verdicts"].items())
    seeds, heldout = settings["count"] - 1, report["dataset"]["heldout"]
    return (
        f"Seeds 0 to {seeds} against {heldout} held-out images, judged by {network}: "
        f"{verdicts}. 95 % intervals over images.\n\n{markdown_table(report)}"
    )
