"""Whether the images are copies of the training images."""

from __future__ import annotations

from typing import Any

import numpy as np

from medgan.evaluation.case import Case
from medgan.evaluation.encoded import Features
from medgan.evaluation.figures import Basis, Figure, Found, absent, attempt, figure
from medgan.evaluation.kinds import REPEATS_FAIL
from medgan.evaluation.membership import discriminator_scores
from medgan.evaluation.pictures import CLOSEST
from medgan.metrics.authenticity import authenticity, ct, membership_auc
from medgan.metrics.copies import Pair, copies, repeats, turned
from medgan.metrics.neighbours import nearest_ratio


def memorisation(case: Case) -> tuple[list[Figure], list[Pair]]:
    """Copies, nearness, authenticity, C_T and what the discriminator remembers; and the closest pairs."""
    found = _copies(case, case.pixels.generated)
    noise = _copies(case, case.pixels.noise).part("share")
    surely = found.result.heldout.low if found.result else 0.0
    doubt = _few_different(case)
    pixels = case.basis(case.pixels, reals=len(case.reals.train))
    figures = [
        figure("copies", found.part("share"), pixels, floor=found.part("heldout"), noise=noise, less=surely),
        _nearest(case, doubt),
        *_authenticity(case, doubt),
        *_ct(case, doubt),
        _membership(case),
    ]
    return figures, list(found.result.pairs) if found.result else []


def _copies(case: Case, generated: np.ndarray) -> Found:
    return attempt(
        copies,
        generated=turned(generated),
        train=list(turned(case.pixels.train)),
        heldout=list(turned(case.pixels.heldout)),
        groups=case.reals.groups,
        gallery=CLOSEST,
    )


def _sets(features: Features, generated: np.ndarray) -> dict[str, np.ndarray]:
    return {"generated": generated, "train": features.train, "heldout": features.heldout}


def _nearest(case: Case, doubt: str | None) -> Figure:
    images = case.features

    def of(generated: np.ndarray, resamples: int) -> Found:
        return attempt(nearest_ratio, **_sets(images, generated), seed=case.seed, resamples=resamples)

    found = of(images.generated, case.resamples)
    noise = of(images.noise, 2)
    return figure("nearest_ratio", found, case.basis(images), floor=1.0, noise=noise, doubt=doubt)


def _authenticity(case: Case, doubt: str | None) -> list[Figure]:
    """The share in the network's features, and the difference to held-out images in these or in pixels:
    copies with noise hide from networks, mirrored ones from pixels."""
    both = [case.features, case.pixels]
    found = [attempt(authenticity, **_sets(images, images.generated)) for images in both]
    noise = [attempt(authenticity, **_sets(images, images.noise)) for images in both]
    worse = 0
    if found[1].result and (
        not found[0].result or found[1].result.difference.value < found[0].result.difference.value
    ):
        worse = 1
    return [
        figure(
            "authenticity",
            found[0].part("value"),
            case.basis(both[0]),
            floor=found[0].part("heldout"),
            noise=noise[0].part("value"),
        ),
        figure(
            "authenticity_difference",
            found[worse].part("difference"),
            case.basis(both[worse]),
            floor=0.0,
            noise=noise[worse].part("difference"),
            doubt=doubt,
        ),
    ]


def _few_different(case: Case) -> str | None:
    """All figures but copies take each image for one observation. Where most are near duplicates of others
    there are few, and one that happens to lie close to a training image is counted a hundred times."""
    images = case.pixels
    found = attempt(
        repeats, generated=images.generated, train=images.train, seed=case.seed, groups=case.reals.groups
    )
    if found.value is None or found.value <= REPEATS_FAIL:
        return None
    return f"{found.value:.0%} of the images are near duplicates of others, so this rests on few of them."


def _ct(case: Case, doubt: str | None) -> list[Figure]:
    images = case.features
    found, noise = (attempt(ct, **_sets(images, some)) for some in (images.generated, images.noise))
    usual: dict[str, Any] = {"ct": 0.0, "ct_share": 0.5}
    fields = {"ct": "z", "ct_share": "share"}
    return [
        figure(
            name,
            found.part(field),
            case.basis(images),
            floor=usual[name],
            noise=noise.part(field),
            doubt=doubt,
        )
        for name, field in fields.items()
    ]


def _membership(case: Case) -> Figure:
    reals = case.reals
    folder = getattr(case.judged, "folder", None)
    scores = (
        absent("A folder of images has no discriminator.")
        if folder is None
        else attempt(
            discriminator_scores,
            folder,
            train=reals.train,
            heldout=reals.heldout,
            train_classes=reals.train_classes,
            heldout_classes=reals.heldout_classes,
            seed=case.seed,
        )
    )
    train, heldout = scores.result or (reals.train, reals.heldout)
    basis = Basis(len(train), len(heldout), case.seed, "discriminator")
    if scores.result is None:
        return figure("membership_auc", scores, basis)
    found = attempt(membership_auc, train=train, heldout=heldout)
    return figure("membership_auc", found, basis, floor=0.5)
