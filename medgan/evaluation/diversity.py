"""How different the images are from each other: as different as real ones?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from medgan.evaluation.case import Case
from medgan.evaluation.encoded import KEPT
from medgan.evaluation.figures import Basis, Figure, Found, absent, attempt, figure
from medgan.generation.sampling import BATCH, labels_of, latents_of
from medgan.images import to_float, to_uint8
from medgan.metrics import lpips_net
from medgan.metrics.copies import repeats
from medgan.metrics.diversity import lpips_ratio, ms_ssim_ratio, spread_ratio, stairs, vendi_ratio
from medgan.metrics.feature_cache import cached_stream
from medgan.workspace import Workspace

BESIDE = 64
"""Images a side of floor and noise where a figure is slow."""
PATHS, STEPS = 16, 17
"""Straight paths between latent vectors, and images along each; the levels of stairs hold for 17."""


def diversity(case: Case, balls: dict[str, Found]) -> list[Figure]:
    """Recall and coverage, ratios of variety, repeats, and stairs; `balls` from `manifolds`."""
    basis = case.basis(case.features)
    named = [
        figure(
            name,
            balls["value"].part(name),
            basis,
            floor=balls["floor"].part(name),
            noise=balls["noise"].part(name),
        )
        for name in ("recall", "coverage")
    ]
    return [
        *named,
        _in_features(case, "spread_ratio", spread_ratio),
        _in_features(case, "vendi_ratio", vendi_ratio, seed=case.seed),
        _lpips(case),
        _ms_ssim(case),
        _repeats(case),
        _stairs(case),
    ]


def _in_features(case: Case, name: str, metric: Callable[..., Any], **named: Any) -> Figure:
    images = case.features
    found, floor, noise = (
        attempt(metric, real=images.heldout, fake=fake, **named)
        for fake in (images.generated, case.real_sample, images.noise)
    )
    return figure(name, found, case.basis(images), floor=floor, noise=noise)


def _in_images(
    case: Case,
    name: str,
    metric: Callable[..., Any],
    *,
    network: str | None = None,
    sha256: str | None = None,
    **named: Any,
) -> Figure:
    """Of at most `KEPT` images a side, `BESIDE` where floor and noise are measured."""
    with case.watch.stage(name):
        heldout = to_float(case.reals.heldout[:KEPT])
        sets = (case.kept, case.reals.train[:BESIDE], case.beside.noise[:BESIDE])
        found = []
        for done, images in enumerate(sets):
            real = heldout[:BESIDE] if done else heldout
            found.append(attempt(metric, real=real, fake=to_float(images), seed=case.seed, **named))
            case.watch.report(name, done + 1, len(sets))
    basis = Basis(len(case.kept), len(heldout), case.seed, network, sha256)
    return figure(name, found[0], basis, floor=found[1], noise=found[2])


def _ms_ssim(case: Case) -> Figure:
    return case.remembered("ms_ssim_ratio", lambda: _in_images(case, "ms_ssim_ratio", ms_ssim_ratio))


def _lpips(case: Case) -> Figure:
    name = f"lpips-{case.lpips}"

    def compute() -> Figure:
        loaded = attempt(lpips_net.load, case.lpips)
        if loaded.result is None:
            basis = Basis(len(case.kept), len(case.reals.heldout), case.seed, name)
            return figure("lpips_ratio", loaded, basis)
        sha256 = lpips_net.source(case.lpips).sha256_prefix
        found = {"network": name, "sha256": sha256}
        return _in_images(case, "lpips_ratio", partial(lpips_ratio, network=loaded.result), **found)

    return case.remembered(f"lpips_ratio {case.lpips}", compute)


def _repeats(case: Case) -> Figure:
    images = case.pixels
    found, floor, noise = (
        attempt(repeats, generated=some, train=images.train, seed=case.seed, groups=case.reals.groups)
        for some in (images.generated, images.heldout, images.noise)
    )
    basis = case.basis(images, reals=len(images.train))
    return figure("repeats", found, basis, floor=floor, noise=noise)


def _stairs(case: Case) -> Figure:
    found = _paths(case)
    basis = Basis(PATHS, PATHS, case.seed, case.features.name, case.features.sha256)
    return figure("stairs", attempt(stairs, found.result) if found.result is not None else found, basis)


def _paths(case: Case) -> Found:
    """Features of the images along the paths, `(PATHS, STEPS, D)`."""
    generator = case.judged.generator
    if generator is None:
        return absent("A folder of images has no latent vectors to walk between.")
    ends = latents_of(range(2 * PATHS), int(generator.latent))  # type: ignore[arg-type]
    shares = torch.linspace(0, 1, STEPS)[:, None]
    walks = torch.cat(
        [first + shares * (last - first) for first, last in zip(ends[::2], ends[1::2], strict=True)]
    )
    labels: tuple[torch.Tensor, ...] = ()
    if classes := getattr(generator, "classes", ()):  # a path stays in its class
        labels = (labels_of(range(0, 2 * PATHS, 2), classes).repeat_interleave(STEPS),)

    @torch.inference_mode()
    def images() -> Iterator[np.ndarray]:
        for start in range(0, len(walks), BATCH):
            yield to_uint8(generator(*(inputs[start : start + BATCH] for inputs in (walks, *labels))))

    key = f"{case.judged.key} paths {PATHS} {STEPS}"
    advance = case.watch.counter("Paths", len(walks))
    with case.watch.stage("Paths"):
        features = cached_stream(
            case.network,
            key,
            images,
            count=len(walks),
            folder=Workspace.default().feature_cache,
            advance=advance,
        )
    return Found(features.reshape(PATHS, STEPS, -1))
