"""Of a class-conditional model: is each class the one that was asked for, and how good is each?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from medgan.evaluation.case import Case
from medgan.evaluation.figures import Figure, Found, absent, attempt, figure
from medgan.evaluation.words import number
from medgan.generation.sampling import class_names, labels_of, numbers_of
from medgan.metrics.classes import class_kids, recognised

Labelled = tuple[np.ndarray, np.ndarray]
"""Features `(n, D)`, and the number of each image's class among the model's `(n,)`, -1 for any other."""
ONLY_SHARED = "classes are compared where both have them."


def classes(case: Case) -> tuple[list[Figure], list[str]]:
    """The figure, absent for whatever tells no classes apart, and sentences: one on each class, and one where
    the set shows others."""
    generator = case.judged.generator
    names = class_names(generator) if generator is not None else []
    if not names:
        none = absent("Nobody can ask for a class of these images.")
        return [figure("class_accuracy", none, case.basis(case.features))], []
    train, heldout = (
        numbers_of(labels, generator.classes).numpy()  # type: ignore[union-attr, arg-type]
        for labels in (case.reals.train_classes, case.reals.heldout_classes)
    )
    seeds = [int(seed) for seed in case.judged.labels]
    asked = labels_of(seeds, generator.classes).numpy()  # type: ignore[union-attr, arg-type]
    images = case.features
    found = _recognised(
        names,
        train=(images.train, train),
        sets={
            "value": (images.generated, asked),
            "floor": (images.heldout, heldout),
            "noise": (images.noise, asked[: len(images.noise)]),
        },
        seed=case.seed,
    )
    value, floor, noise = (
        found if found.result is None else Found(found.result[name]) for name in ("value", "floor", "noise")
    )
    entry = figure("class_accuracy", value, case.basis(images), floor=floor, noise=noise)
    kids, floors = (
        class_kids(real=images.heldout, real_labels=heldout, fake=fake, fake_labels=labels, seed=case.seed)
        for fake, labels in ((images.generated, asked), (images.train, train))
    )
    return [entry], [
        *_others(names, [*case.reals.train_classes, *case.reals.heldout_classes]),
        *(
            f"KID of {names[k]} alone: {number(one.value)} [{number(one.low)}, {number(one.high)}]"
            + (f"; training against held-out images: {number(floors[k].value)}." if k in floors else ".")
            for k, one in kids.items()
        ),
    ]


def _recognised(names: Sequence[str], train: Labelled, sets: Mapping[str, Labelled], seed: int) -> Found:
    """Among the classes that the model and the training images share."""
    common = np.intersect1d(train[1], np.arange(len(names)))
    if len(common) < 2:
        there = ", ".join(names[k] for k in common) or "none"
        return absent(
            f"The training images show {there} of the classes that the model makes ({', '.join(names)}), and "
            "two or more are needed."
        )

    def shared(one: Labelled) -> Labelled:
        chosen = np.isin(one[1], common)
        return one[0][chosen], one[1][chosen]

    features, labels = shared(train)
    chosen = {name: shared(one) for name, one in sets.items()}
    return attempt(recognised, train=features, train_labels=labels, sets=chosen, seed=seed)


def _others(names: Sequence[str], labels: Sequence[str]) -> Iterator[str]:
    """A sentence where not all classes of the model and the set are the same."""
    strange, lacking = sorted(set(labels) - {"", *names}), sorted(set(names) - set(labels))
    if strange:
        yield f"The model does not know {', '.join(strange)}: {ONLY_SHARED}"
    if lacking:
        yield f"The data set has no {', '.join(lacking)}: {ONLY_SHARED}"
