"""How good the images are: are they where real images are?"""

from __future__ import annotations

from functools import partial

from medgan.evaluation.case import Case
from medgan.evaluation.figures import Figure, Found, attempt, figure
from medgan.evaluation.levels import kid_level
from medgan.metrics.bootstrap import RESAMPLES
from medgan.metrics.distribution import kid
from medgan.metrics.fid import fid
from medgan.metrics.manifold import manifold

_FLOOR_RESAMPLES = min(200, RESAMPLES)


def quality(case: Case, balls: dict[str, Found]) -> list[Figure]:
    """FID and its ratio, KID, precision and density; `balls` from `manifolds`."""
    images = case.features
    sets = {"value": images.generated, "floor": case.real_sample, "noise": images.noise}
    distance = {
        name: attempt(fid, real=images.heldout, fake=fake, seed=case.seed) for name, fake in sets.items()
    }
    basis = case.basis(images)

    def of(name: str, found: dict[str, Found]) -> Figure:
        parts = {key: outcome.part(field) for key, outcome in found.items() for field in [_FIELDS[name]]}
        floor = distance["value"].part("floor") if name == "fid" else parts["floor"]
        return figure(name, parts["value"], basis, floor=floor, noise=parts["noise"])

    return [
        of("fid_ratio", distance),
        of("fid", distance),
        _kid(case),
        of("precision", balls),
        of("density", balls),
    ]


_FIELDS = {"fid_ratio": "ratio", "fid": "value", "precision": "precision", "density": "density"}


def manifolds(case: Case) -> dict[str, Found]:
    """Precision, recall, density and coverage of generated images, of other reals and of noise."""
    images = case.features
    sets = {"value": images.generated, "floor": case.real_sample, "noise": images.noise}
    return {
        name: attempt(manifold, real=images.heldout, fake=fake, seed=case.seed) for name, fake in sets.items()
    }


def _kid(case: Case) -> Figure:
    images = case.features
    against = partial(attempt, kid, real=images.heldout, seed=case.seed)
    found = against(fake=images.generated, resamples=case.resamples)
    floor = against(fake=case.real_sample, resamples=_FLOOR_RESAMPLES)
    noise, blurred = (against(fake=fake, resamples=2) for fake in (images.noise, images.blurred))
    decided = None
    if found.result and floor.result and blurred.value is not None:
        decided = kid_level(
            found.result.value, found.result.low, floor_high=floor.result.high, blurred=blurred.value
        )
    return figure("kid", found, case.basis(images), floor=floor, noise=noise, decided=decided)
