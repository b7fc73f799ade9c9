"""What a set is good for, in plain words, with the figures that this is based on.

Published figures: sets of 90 to 140 images gave outputs identical to inputs in several projects, and
replication falls exponentially with the size of a set (Feng et al. 2021, "When do GANs replicate?"); the
paper trained on 160 dermoscopy and 120 chest CT images. What is computed here says so where it stands.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from medgan.data.split import PARTS, TEST, TRAIN, VALIDATION

INFO, WARNING = "info", "warning"

FEW, SMALL, PLENTY = 50, 160, 500
"""Training images below which a model copies rather than learns; up to which copies were common in
published work and the paper's own sets lie; from which this program's sets are large."""
UNEQUAL = 3
"""The largest class may have so many times the images of the smallest before it is worth a word."""
FEW_JUDGES = 50
FEW_GROUPS = 10
FAR = 0.8
"""A part has clearly fewer images than were asked for below this share of them."""

Classes = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Advice:
    """A sentence or two for the user; `level` is "info" or "warning"."""

    level: str
    text: str


def assess(
    classes: Classes,
    *,
    groups: int | None = None,
    largest_group: int | None = None,
    wanted: Mapping[str, int] | None = None,
    pattern: str = "",
) -> list[Advice]:
    """What to expect of a set, warnings first.

    `classes` is {class: {train, validation, test: images}}, or any other parts for a set that is not
    split; `groups` is their number and `largest_group` the images in the largest, where known; `wanted` is
    `Fractions.counts`; `pattern` is the user's own, if it made the groups. An empty set gives no advice.
    """
    totals: Counter[str] = Counter()
    for parts in classes.values():
        totals.update(parts)
    if not totals.total():
        return []
    divided = any(totals[part] for part in PARTS)
    trained = {label: _number(parts, TRAIN, divided) for label, parts in classes.items()}
    advice = [_size(sum(trained.values())), *_small_classes(trained), *_imbalance(trained)]
    if divided:
        advice += [*_absent(classes, totals), *_judges(totals[TEST]), *_missed(totals, wanted or {})]
        advice += _uneven(classes, wanted or {})
    advice += _groups(groups, largest_group, totals.total(), pattern)
    return sorted(advice, key=lambda entry: entry.level != WARNING)


def _number(parts: Mapping[str, int], part: str, divided: bool) -> int:
    return parts.get(part, 0) if divided else sum(parts.values())


def _size(images: int) -> Advice:
    start = f"{images:,} image{'' if images == 1 else 's'} to train on"
    if images < FEW:
        return Advice(
            WARNING,
            f"{start}: below {FEW} the model will copy rather than learn. Expect pictures that repeat single "
            "training images with small changes; even sets of 90 to 140 images gave exact copies in several "
            "published projects. Good for trying the program, not for pictures to share.",
        )
    if images < SMALL:
        return Advice(
            WARNING,
            f"{start}: a small set, as in the paper (120 and 160). Expect the right colours and outlines, "
            "shapes that repeat, and some copies: sets of 90 to 140 images gave exact copies in several "
            "published projects. Compare what it makes with the training images before you show it.",
        )
    if images < PLENTY:
        return Advice(
            INFO,
            f"{start}: enough for pictures that are right at a glance. Expect less variety than among the "
            "real images, and copies now and then: they become rare quickly as sets grow.",
        )
    return Advice(
        INFO,
        f"{start}: a good size for this program. Copying falls quickly as sets grow; it is still measured.",
    )


def _small_classes(trained: Mapping[str, int]) -> Iterator[Advice]:
    small = {label: count for label, count in trained.items() if 0 < count < FEW}
    if small and len(trained) > 1:
        names = _listed([f"{label} ({count})" for label, count in small.items()])
        yield Advice(
            WARNING,
            f"Fewer than {FEW} images to train on in {names}: on its own, such a class is copied rather than "
            "learned. Add images where you can, or judge the classes together.",
        )


def _imbalance(trained: Mapping[str, int]) -> Iterator[Advice]:
    there = {label: count for label, count in trained.items() if count}
    if len(there) < 2:
        return
    rare, common = min(there, key=there.__getitem__), max(there, key=there.__getitem__)
    times = there[common] / there[rare]
    if times >= UNEQUAL:
        share = 100 * there[rare] / sum(there.values())
        yield Advice(
            WARNING,
            f"{common} has {times:.{0 if times >= 10 else 1}f} times the images of {rare} "
            f"({there[common]:,} and {there[rare]:,}). A model of all classes sees {rare} in "
            f"{_percent(share)} of its training, so expect it about as rarely, or not at all, among "
            "generated images.",
        )


def _absent(classes: Classes, totals: Mapping[str, int]) -> Iterator[Advice]:
    for part, consequence in (
        (TRAIN, "so the model cannot learn it"),
        (VALIDATION, "so training is watched without it"),
        (TEST, "so no figure speaks of it"),
    ):
        absent = [label for label, parts in classes.items() if not parts.get(part)]
        if absent and totals[part]:
            yield Advice(
                INFO if part == VALIDATION else WARNING,
                f"No image of {_listed(absent)} is in {part}, {consequence}. A class needs three groups "
                "(patients, or images that do not look alike) to be in all three parts; with numbers of "
                "images instead of shares, each must be small enough for its part.",
            )


def _judges(images: int) -> Iterator[Advice]:
    if not images:
        return
    margin = 196 * math.sqrt(0.66 * 0.34 / images)  # the normal approximation of a share's 95 % interval
    yield Advice(
        WARNING if images < FEW_JUDGES else INFO,
        f"{images:,} image{'' if images == 1 else 's'} to judge by: a share of 66 % measured on them is "
        f"uncertain by {min(margin, 66):.0f} points either way (95 %), so smaller differences say nothing.",
    )


def _missed(totals: Mapping[str, int], wanted: Mapping[str, int]) -> Iterator[Advice]:
    for part in (VALIDATION, TEST):
        asked, got = wanted.get(part, 0), totals[part]
        if got < FAR * asked:
            yield Advice(
                WARNING,
                f"{part.capitalize()} has {got:,} images where {asked:,} were asked for. That comes from the "
                "grouping, and nothing is wrong with the images: groups (a patient, a volume, images that "
                "look alike) stay whole, few and large ones fit badly, and no class makes up for another.",
            )


def _uneven(classes: Classes, wanted: Mapping[str, int]) -> Iterator[Advice]:
    """Classes that are divided far from how all images were to be."""
    asked = wanted.get(TRAIN, 0) / max(1, sum(wanted.values()))
    short, spared = [], []
    for label, parts in classes.items():
        images, trained = sum(parts.values()), parts.get(TRAIN, 0)
        words = f"{label} ({trained:,} of {images:,})"
        if 0 < trained < FAR * asked * images - 1:
            short.append(words)
        elif trained < images and images - trained + 1 < FAR * (1 - asked) * images:
            spared.append(words)
    for found, amount in ((short, "fewer"), (spared, "more")):
        if found:
            yield Advice(
                WARNING if amount == "fewer" else INFO,
                f"Training has many {amount} images than the {_percent(100 * asked)} that were asked for in "
                f"{_listed(found)}. That comes from the grouping, and nothing is wrong with the images: such "
                "a class is made of few large groups, which stay whole. More and smaller ones divide better.",
            )


def _groups(groups: int | None, largest: int | None, images: int, pattern: str) -> Iterator[Advice]:
    if groups and groups < min(FEW_GROUPS, images):
        kind = f"by the pattern {pattern}" if pattern else "patients, or images that look alike"
        remedy = (
            "See whether the pattern tells patients apart." if pattern else "Add images of other patients."
        )
        yield Advice(
            WARNING,
            f"Only {groups} group{'' if groups == 1 else 's'} ({kind}): with another division the figures "
            f"would come out differently. {remedy}",
        )
    if largest and images >= FEW_GROUPS and 2 * largest > images:
        why = (
            f"the pattern {pattern} puts them there; if they are of several patients, change it."
            if pattern
            else "they are of one patient, or look alike one after another, so there is less variety than "
            "their number says."
        )
        yield Advice(WARNING, f"{largest:,} of {images:,} images are in one group: {why}")


def _percent(share: float) -> str:
    return f"{share:.0f} %" if share >= 1 else "less than 1 %"


def _listed(names: list[str], most: int = 5) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
