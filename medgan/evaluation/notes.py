"""The sentences that stand under a report: what its figures can and cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medgan.evaluation.references import MEAN, NOISE, REAL
from medgan.runs.info import trained_on

FEW_HELDOUT = 50
"""Below this many held-out images a report says that it has few."""
NAMES = ("PSNR", "MS-GMSD", "LPIPS")
HIGHER = "higher is better"

Report = Mapping[str, Any]


def notes(report: Report, *, capped: int) -> list[str]:
    """The sentences of a report that is otherwise complete. `capped` pairs ended at PSNR's cap."""
    sentences = [_seen(report), *_counts(report)]
    if report["rows"]:
        sentences += [
            _cannot_rank(report),
            "The paper states neither which images it paired nor LPIPS's network and range, so its figures "
            "are shown beside these and prove nothing either way.",
            *_few_rows(report),
        ]
    if capped:
        sentences.append(
            f"{capped} pairs are copies or nearly so; their PSNR, infinite for a copy, is counted as 80 dB."
        )
    return sentences


def figure(report: Report, name: str, row: str, pairing: str) -> dict[str, Any]:
    """One entry of `report["rows"]`; KeyError if there is none."""
    for entry in report["rows"]:
        if (entry["name"], entry["row"], entry["pairing"]) == (name, row, pairing):
            return dict(entry)
    raise KeyError(f"{name} / {row} / {pairing}")


def _cannot_rank(report: Report) -> str:
    """The warning, with the proof from this very report where it is there."""
    proofs = []
    for row in (MEAN, NOISE):
        won = [name for name in NAMES if _beats(report, name, row)]
        if won:
            what = f"the {row}" if row == MEAN else row
            proofs.append(f"{what} beats real images on {' and '.join(won)}")
    proof = f" (here {', '.join(proofs)})" if proofs else ""
    return (
        "These three figures cannot rank generators: they compare an image with others that it is not "
        f"meant to equal, so what is grey and smooth can score better than a real image{proof}. Read them "
        "beside the reference rows and never claim a win by them alone."
    )


def _beats(report: Report, name: str, row: str) -> bool:
    """Whether a row scores better than real images do; False where either is absent."""
    other, real = figure(report, name, row, "random"), figure(report, name, REAL, "random")
    if other["value"] is None or real["value"] is None:
        return False
    if other["direction"] == HIGHER:
        return bool(other["value"] > real["value"])
    return bool(other["value"] < real["value"])


def _seen(report: Report) -> str:
    if "model" not in report:
        return (
            "Images of a folder do not say what they were learned from: the verdict on memorisation holds if "
            "it was the training part of this data set, and that on quality if it was not the held-out part."
        )
    about = report["model"]["about"]
    digest, begun, content = trained_on(about), about.get("init"), report["dataset"]["content_sha256"]
    if isinstance(begun, Mapping) and begun.get("content_sha256") != content:
        return (
            f"The model began with the weights of {begun.get('name', 'another model')}: the images that that "
            "one was trained on were not compared, and the held-out images may be among them."
        )
    if digest == content:
        return (
            "The model was trained on the training part of this very data set (its content hash is the "
            "same), so it has not seen the held-out images."
        )
    why = "was trained on another data set" if digest else "does not say what it was trained on"
    return f"The model {why}, so it cannot be known whether it has seen the held-out images."


def _counts(report: Report) -> list[str]:
    heldout = report["dataset"]["heldout"]
    if heldout >= FEW_HELDOUT:
        return []
    return [
        f"Only {heldout} images are held out: the intervals are wide, and they are themselves rough. "
        f"{FEW_HELDOUT} or more would say more."
    ]


def _few_rows(report: Report) -> list[str]:
    """What the rows of the paper's figures have less of."""
    count, shown = report["settings"]["count"], report["settings"]["row_images"]
    sentences = []
    if shown < count:
        sentences.append(f"PSNR, MS-GMSD and LPIPS are of the first {shown} images of {count:,}.")
    reals = figure(report, "PSNR", REAL, "random")["n"]["images"]
    if reals < shown:
        sentences.append(
            f"There are only {reals} training images, so the rows of real and of blurred images have "
            f"{reals} images instead of {shown}."
        )
    return sentences
