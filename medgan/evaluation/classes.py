"""Of a class-conditional model: is each class the one that was asked for, and how good is each?"""

from __future__ import annotations

from medgan.evaluation.case import Case
from medgan.evaluation.figures import Figure, absent, attempt, figure
from medgan.evaluation.words import number
from medgan.generation.sampling import class_names, labels_of, numbers_of
from medgan.metrics.classes import class_kids, recognised


def classes(case: Case) -> tuple[list[Figure], list[str]]:
    """The figure, absent for whatever tells no classes apart, and a sentence on each class."""
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
    found = attempt(
        recognised,
        train=images.train,
        train_labels=train,
        sets={
            "value": (images.generated, asked),
            "floor": (images.heldout, heldout),
            "noise": (images.noise, asked[: len(images.noise)]),
        },
        seed=case.seed,
    )
    value, floor, noise = (
        found if found.result is None else type(found)(found.result[name])
        for name in ("value", "floor", "noise")
    )
    entry = figure("class_accuracy", value, case.basis(images), floor=floor, noise=noise)
    kids, floors = (
        class_kids(real=images.heldout, real_labels=heldout, fake=fake, fake_labels=labels, seed=case.seed)
        for fake, labels in ((images.generated, asked), (images.train, train))
    )
    return [entry], [
        f"KID of {names[k]} alone: {number(one.value)} [{number(one.low)}, {number(one.high)}]"
        + (f"; training against held-out images: {number(floors[k].value)}." if k in floors else ".")
        for k, one in kids.items()
    ]
