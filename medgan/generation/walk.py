"""A walk between images through the latent space: what lies between two seeds."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from medgan.errors import ConfigError
from medgan.generation.sampling import BATCH, latents_of
from medgan.images import to_pil, to_uint8

STEPS = 16
"""Images from one seed to the next."""
MILLISECONDS = 80
MOST = 20
"""Seeds of a walk."""


@torch.inference_mode()
def walk(
    generator: nn.Module,
    seeds: Sequence[int],
    *,
    steps: int = STEPS,
    truncation: float = 1.0,
) -> np.ndarray:
    """Images from each seed to the next and back to the first, uint8 `(len(seeds) * steps, H, W, C)`; every
    `steps`-th one is a seed's own. The way is an arc, since latents between two others are too short for a
    generator (White 2016, "Sampling Generative Networks"). `generator` makes images of one class. ConfigError
    for fewer than two seeds, or more than `MOST`."""
    if not 2 <= len(seeds) <= MOST:
        raise ConfigError(f"A walk goes between 2 to {MOST} seeds; here are {len(seeds)}.")
    latents = latents_of(seeds, int(generator.latent))  # type: ignore[arg-type]
    after = latents.roll(-1, 0)
    shares = torch.arange(steps) / steps
    path = torch.cat([_arc(a, b, shares) for a, b in zip(latents, after, strict=True)]) * truncation
    device = next(generator.parameters()).device
    frames = []
    for start in range(0, len(path), BATCH):
        chunk = path[start : start + BATCH]
        filled = torch.cat([chunk, chunk[-1:].expand(BATCH - len(chunk), -1)])
        frames.append(to_uint8(generator(filled.to(device)))[: len(chunk)])
    return np.concatenate(frames)


def gif(frames: np.ndarray, milliseconds: int = MILLISECONDS) -> bytes:
    """Images uint8 `(N, H, W, C)` as a GIF that goes round and round."""
    first, *others = [to_pil(frame) for frame in frames]
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others, duration=milliseconds, loop=0)
    return file.getvalue()


def _arc(a: Tensor, b: Tensor, shares: Tensor) -> Tensor:
    """Points `(len(shares), latent)` from `a` (share 0) towards `b` (share 1)."""
    angle = torch.arccos(torch.clamp(torch.dot(a / a.norm(), b / b.norm()), -1, 1))
    t = shares[:, None]
    if float(angle.sin()) < 1e-4:
        return (1 - t) * a + t * b
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
