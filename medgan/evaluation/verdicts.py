"""The four verdicts of a scorecard. The paper's three figures have no say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medgan.data.dataset import Dataset
from medgan.errors import DataError
from medgan.evaluation.figures import Figure
from medgan.evaluation.judged import Judged
from medgan.evaluation.kinds import MEMORISATION, PARTS, USEFULNESS
from medgan.evaluation.levels import GOOD, UNKNOWN, Verdict, verdict
from medgan.runs.info import trained_on

NOT_STUDIED = (
    "Whether the images help a classifier is measured by `python -m medgan study-usefulness`; give its "
    "result with --study."
)
NOT_THIS_ONE = "The study looked at models of its own, one a class, and not at what is judged here."


def verdicts(
    figures: Sequence[Figure],
    parts: Sequence[str],
    judged: Judged,
    dataset: Dataset,
    study: Mapping[str, Any] | None,
) -> dict[str, Verdict]:
    """Level and reason of each part and of `usefulness`, which `study` knows."""
    found = {part: verdict(part, figures) for part in PARTS}
    if MEMORISATION in parts:
        found[MEMORISATION] = _if_it_trained_here(found[MEMORISATION], judged, dataset)
    return found | {USEFULNESS: _usefulness(study, judged, dataset)}


def _if_it_trained_here(found: Verdict, judged: Judged, dataset: Dataset) -> Verdict:
    """Nobody copies images that it has not seen: a model of another data set is not cleared by this one."""
    content = trained_on(judged.info.about) if judged.info else ""
    if found["level"] != GOOD or content in ("", dataset.info["content_sha256"]):
        return found
    reason = (
        "The model was trained on another data set, or on another split of this one, so these training "
        f"images cannot tell whether it copies. Beside these: {found['reason']}"
    )
    return {"level": UNKNOWN, "reason": reason}


def _usefulness(study: Mapping[str, Any] | None, judged: Judged, dataset: Dataset) -> Verdict:
    if study is None:
        return {"level": UNKNOWN, "reason": NOT_STUDIED}
    try:
        found, content = study["verdicts"][USEFULNESS], study["dataset"]["content_sha256"]
        result = {"level": str(found["level"]), "reason": str(found["reason"])}
        studied = [model["sha256"] for model in study.get("models", [])]
    except (KeyError, TypeError) as error:
        raise DataError("--study is no result of study-usefulness; give the JSON that it wrote.") from error
    if content != dataset.info["content_sha256"]:
        raise DataError("--study is of another data set; give the study of this one.")
    if judged.facts.get("model", {}).get("sha256") not in studied:
        result["reason"] += f" {NOT_THIS_ONE}"
    return result
