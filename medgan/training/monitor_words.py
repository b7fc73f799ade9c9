"""The monitors in words: what a figure means for somebody who never trained a network, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from medgan.metrics.distribution import FEW
from medgan.training.monitors import (
    DIVERSITY_STOP,
    DIVERSITY_WARN,
    EARLY,
    EVALUATE_EVERY,
    GAP_WARN,
    MEMORY_FAIL,
    MEMORY_WARN,
    MS_SSIM_WARN,
    SIGN_TARGET,
    SIGN_WARN,
    Readings,
)

NOTE, WARN, FAIL = "note", "warn", "fail"
"""A note explains a figure; a warning wants a look; a failure wants an end."""


@dataclass(frozen=True)
class Circumstances:
    """What the words depend on besides the figures: numbers of images."""

    train_images: int
    heldout_images: int
    images_seen: int


@dataclass(frozen=True)
class Caution:
    """A sentence or three on one monitor. `level` is `note`, `warn` or `fail`."""

    monitor: str
    level: str
    text: str


def words(readings: Readings, about: Circumstances) -> list[Caution]:
    """All that is to be said now, the gravest first; empty where all is well.

    Before `EVALUATE_EVERY` images nothing is judged, since every run begins badly.
    """
    if about.images_seen < EVALUATE_EVERY:
        return []
    found = [
        _memory(readings),
        _variety(readings, about),
        _gap(readings, about),
        _sign(readings),
        *_notes(readings, about),
    ]
    known = [caution for caution in found if caution is not None]
    return sorted(known, key=lambda caution: (FAIL, WARN, NOTE).index(caution.level))


def _memory(readings: Readings) -> Caution | None:
    value = readings.memory
    if value is None or value >= MEMORY_WARN:
        return None
    if value < MEMORY_FAIL:
        text = (
            "The generated images are copies of your training images, or nearly so: their distance to them "
            f"is {value:.2f} of that of unseen real images (below {MEMORY_FAIL:.2f} is a copy). Do not pass "
            "them on, since they may show your patients. Stop, and use an earlier checkpoint, more images or "
            "stronger augmentation."
        )
        return Caution("memory", FAIL, text)
    text = (
        "The generated images come close to your training images: their distance to them is "
        f"{value:.2f} of that of unseen real images (below {MEMORY_WARN:.2f} is too close). Compare the "
        "closest pairs by eye; more images or an earlier stop help."
    )
    return Caution("memory", WARN, text)


def _variety(readings: Readings, about: Circumstances) -> Caution | None:
    value = readings.diversity
    if value is not None and value < DIVERSITY_WARN:
        if value < DIVERSITY_STOP and about.images_seen >= EARLY:
            return Caution("diversity", FAIL, _collapsed(value))
        text = (
            f"The generated images are too much alike: they differ {value:.2f} times as much as real ones do "
            f"(1.00 is as much). {_advice(about)}"
        )
        return Caution("diversity", WARN, text)
    excess = readings.ms_ssim_excess
    if excess is not None and excess > MS_SSIM_WARN:
        text = (
            f"The generated images repeat the same layout: pairs of them are {excess:.2f} more alike than "
            f"pairs of real images (MS-SSIM; above {MS_SSIM_WARN:.2f} is too much). {_advice(about)}"
        )
        return Caution("ms_ssim", WARN, text)
    return None


def _collapsed(value: float) -> str:
    return (
        f"The model has collapsed onto a few pictures: its images differ {value:.2f} times as much as real "
        f"ones do (below {DIVERSITY_STOP:.2f} is a collapse). It rarely recovers. Stop, and use an earlier "
        "checkpoint, or train anew with stronger augmentation or another preset."
    )


def _advice(about: Circumstances) -> str:
    if about.images_seen < EARLY:
        return f"Early in a run that is usual; look again after {EARLY:,} images."
    return "Look at the samples; if it does not get better, stop and use an earlier checkpoint."


def _gap(readings: Readings, about: Circumstances) -> Caution | None:
    value = readings.gap
    if value is None or value <= GAP_WARN:
        return None
    text = (
        f"The discriminator is memorising your {about.train_images:,} images: real images that it has not "
        f"seen look false to it ({value:.2f} of the way to generated ones; above {GAP_WARN:.2f} is too "
        "much), so the generator learns your images rather than their kind. More images help most, then "
        "stronger augmentation; or stop here and use the best checkpoint."
    )
    return Caution("gap", WARN, text)


def _sign(readings: Readings) -> Caution | None:
    value = readings.real_sign
    if value is None or value <= SIGN_WARN:
        return None
    text = (
        f"The discriminator recognises nearly every real image ({(1 + value) / 2:.0%}; about "
        f"{(1 + SIGN_TARGET) / 2:.0%} is healthy), so the generator hears little that it can learn from. "
        "Stronger augmentation helps, or a weaker discriminator."
    )
    return Caution("real_sign", WARN, text)


def _notes(readings: Readings, about: Circumstances) -> list[Caution]:
    notes = [Caution("missing", NOTE, sentence) for sentence in readings.missing]
    if readings.kid is not None and about.heldout_images < FEW:
        text = (
            f"Only {about.heldout_images} images are held out, so the distance to them is rough: follow its "
            f"trend, not its single steps. {FEW} or more would say more."
        )
        notes.append(Caution("kid", NOTE, text))
    return notes
