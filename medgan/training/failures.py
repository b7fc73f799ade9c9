"""What ended a training, in one sentence that says what to do."""

from __future__ import annotations

import errno
import shutil

import torch

from medgan.config import ModelConfig, TrainConfig
from medgan.runs.record import Run, step_of
from medgan.training.saving import NotFinite
from medgan.training.together import PartnerLost
from medgan.training.trial import smaller_batch_that_fits

FULL = (errno.ENOSPC, errno.EDQUOT)


def is_disk_full(error: BaseException) -> bool:
    """Whether a disk or quota is full."""
    return isinstance(error, OSError) and error.errno in FULL


def sentence(error: BaseException, run: Run) -> str:
    """The sentence for an error that is none of our own, and `NotFinite`; empty for a bug."""
    if isinstance(error, NotFinite):
        return (
            f"The losses or weights are no longer numbers ({error}). {kept(run)} Going on would end the same "
            "way: start a new one with a lower learning rate (--set learning_rate=1e-4) or another seed."
        )
    if isinstance(error, PartnerLost):
        return f"{error} {kept(run)} Add --resume to go on, with as many devices or with --devices 1."
    if isinstance(error, OSError) and not run.exists():
        return f"{run.folder} was deleted while it trained; there is nothing to go on from."
    if is_disk_full(error):
        return f"The disk of {run.folder} is full ({_free(run)}). {kept(run)} Make room, then add --resume."
    if isinstance(error, OSError):
        return (
            f"{error.filename or run.folder} cannot be read or written ({error.strerror or error}). "
            f"{kept(run)} Mend that, then add --resume."
        )
    if isinstance(error, torch.AcceleratorError) or "CUDA error" in str(error):
        what = str(error).splitlines()[0]
        return f"The device failed ({what}). {kept(run)} Add --resume, and --device cpu to do without it."
    return ""


def out_of_memory(
    model: ModelConfig, train: TrainConfig, device: torch.device, precision: torch.dtype, run: Run
) -> str:
    """The sentence for too little memory, with the batch size that was tried and fits."""
    fits = smaller_batch_that_fits(model, train, device, precision)
    if fits:
        advice = f"batch size {fits} fits: start a new run with --batch-size {fits}"
    else:
        advice = "not even batch size 2 fits: start a new run with a smaller preset"
    again = " If something else took the memory, end that and add --resume." if run.latest() else ""
    return f"Out of memory on {device} at batch size {train.batch_size}; {advice}. {kept(run)}{again}"


def kept(run: Run) -> str:
    """What a failed run has."""
    latest = run.latest()
    return f"Everything up to step {step_of(latest):,} is saved." if latest else "Nothing was saved yet."


def _free(run: Run) -> str:
    try:
        return f"{shutil.disk_usage(run.folder).free / 1e6:,.0f} MB are free"
    except OSError:
        return "it cannot even be asked"
