"""Seeded sampling. A seed names an image: seed k is the same picture alone, in any batch, in any order.

Two things make it so: each seed draws its latent from a generator of its own, and images are computed
in eval mode, in fp32, in batches of one fixed shape (a convolution may round differently in batches of
another size).
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from medgan.errors import ConfigError
from medgan.images import to_uint8

BATCH = 8
"""Seeds computed together; the last batch is filled up, so that its shape is the same."""
SIDE_BY_SIDE = 4
"""Batches made at the same time, at most: each takes memory of its own."""
MAX_SEED = 2**31 - 1
_LABEL = 7
"""Keeps the draw of a seed's class apart from other draws by the same seed."""


def latents_of(seeds: Sequence[int], size: int) -> Tensor:
    """`(len(seeds), size)` float32, N(0, 1): `torch.manual_seed(seed); torch.randn(size)` for each."""
    for seed in seeds:
        if not 0 <= seed <= MAX_SEED:
            raise ConfigError(f"Seed {seed} is not possible; seeds are 0 to {MAX_SEED}.")
    rows = [torch.randn(size, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
    return torch.stack(rows) if rows else torch.empty(0, size)


def labels_of(seeds: Sequence[int], classes: Sequence[tuple[str, int]]) -> Tensor:
    """`(len(seeds),)`: which of `classes` (names and numbers of images) an image of each seed is of where
    nobody chose: as often as in the training set, and always the same for a seed."""
    shares = np.cumsum([count for _, count in classes]) / sum(count for _, count in classes)
    drawn = [np.random.default_rng([_LABEL, int(seed)]).random() for seed in seeds]
    return torch.from_numpy(np.searchsorted(shares[:-1], drawn, side="right"))


def numbers_of(names: Sequence[str], classes: Sequence[tuple[str, int]]) -> Tensor:
    """`(len(names),)`: which of `classes` each name is; -1 for one that is not among them."""
    numbers = {name: k for k, (name, _) in enumerate(classes)}
    return torch.tensor([numbers.get(name, -1) for name in names], dtype=torch.int64)


class OfClass(nn.Module):
    """A class-conditional generator that makes images of one class. ConfigError listing the classes if it
    knows no such one."""

    def __init__(self, generator: nn.Module, label: str) -> None:
        super().__init__()
        names = class_names(generator)
        if label not in names:
            known = f"it knows {', '.join(names)}" if names else "it was not trained on classes apart"
            raise ConfigError(f"The model cannot make {label!r} on its own; {known}.")
        self.generator, self.label = generator, names.index(label)
        self.latent, self.classes = generator.latent, ()

    def forward(self, latents: Tensor) -> Tensor:
        """`(N, latent)` to `(N, C, S, S)` in [-1, 1]."""
        labels = torch.full((len(latents),), self.label, device=latents.device)
        images: Tensor = self.generator(latents, labels)
        return images


def of_class(generator: nn.Module, label: str) -> nn.Module:
    """The generator of one class where it tells classes apart; any other makes what it makes."""
    return OfClass(generator, label) if label and class_names(generator) else generator


def class_names(generator: nn.Module) -> list[str]:
    """The classes that the generator can be asked for; empty where it tells none apart."""
    return [name for name, _ in getattr(generator, "classes", ())]


def classes_of(generator: nn.Module, seeds: Sequence[int]) -> list[str]:
    """The class of each seed's image, by name; empty where the generator tells none apart."""
    names = class_names(generator)
    if not names:
        return [""] * len(seeds)
    return [names[k] for k in labels_of(seeds, generator.classes).tolist()]  # type: ignore[arg-type]


def check_truncation(truncation: float) -> None:
    """ConfigError where it is not in (0, 1]."""
    if not 0 < truncation <= 1:
        raise ConfigError(f"The truncation is {truncation}; it must be above 0 and at most 1.")


def inputs_of(generator: nn.Module, seeds: Sequence[int], truncation: float = 1.0) -> tuple[Tensor, ...]:
    """What `generator` takes to make the images of `seeds`: latents, and labels where it tells classes apart;
    on its device. `truncation` in (0, 1] draws the latents towards 0 by that factor: images are more usual
    and less varied. ConfigError for any other."""
    check_truncation(truncation)
    device = next(generator.parameters()).device
    latents = truncation * latents_of(seeds, int(generator.latent)).to(device)  # type: ignore[arg-type]
    classes: Sequence[tuple[str, int]] = getattr(generator, "classes", ())
    return (latents, labels_of(seeds, classes).to(device)) if classes else (latents,)


def sample(generator: nn.Module, seeds: Sequence[int], truncation: float = 1.0) -> np.ndarray:
    """Images of `seeds`, uint8 `(len(seeds), H, W, C)`. `generator` is in eval mode. ConfigError if there
    are no seeds, or for a truncation outside (0, 1]."""
    if not len(seeds):
        raise ConfigError("No seeds given; name at least one.")
    batches = list(sample_batches(generator, seeds, truncation))
    return np.concatenate(batches)


@torch.inference_mode()
def sample_batches(
    generator: nn.Module, seeds: Sequence[int], truncation: float = 1.0
) -> Iterator[np.ndarray]:
    """As `sample`, `BATCH` images at a time, for counts that do not fit into memory."""
    for start in range(0, len(seeds), BATCH):
        chunk = list(seeds[start : start + BATCH])
        filled = chunk + [chunk[-1]] * (BATCH - len(chunk))
        yield to_uint8(generator(*inputs_of(generator, filled, truncation)))[: len(chunk)]


def sample_ahead(
    generator: nn.Module, seeds: Iterator[int], truncation: float, left: Callable[[], int]
) -> Generator[tuple[list[int], np.ndarray]]:
    """As `sample` (on a CPU), `BATCH` seeds at a time with their images, as long as images are `left` to be
    made: at most `SIDE_BY_SIDE` batches at once, the threads divided among them, which is faster than one
    batch on all threads, and while the caller works on those before. Until it is closed it changes how many
    threads PyTorch takes."""
    threads = torch.get_num_threads()
    workers = min(SIDE_BY_SIDE, threads)
    flying: deque[tuple[list[int], Future[np.ndarray]]] = deque()
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(-(-threads // workers),))
    try:
        while True:
            while len(flying) <= workers and len(flying) * BATCH < left():
                if not (batch := list(islice(seeds, BATCH))):
                    break
                flying.append((batch, pool.submit(sample, generator, batch, truncation)))
            if not flying:
                return
            batch, images = flying.popleft()
            yield batch, images.result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # the workers' is that of any new thread


@torch.no_grad()
def with_standing_statistics(generator: nn.Module, batch_size: int, batches: int = 16) -> nn.Module:
    """A copy of `generator` in eval mode, its batch norm set to the mean statistics of `batches` fixed
    batches.

    The paper (like the DCGAN tutorial) draws samples with batch norm in train mode, where an image
    depends on the others in its batch and a seed names nothing. Averaging the statistics of such
    batches and freezing them (BigGAN's standing statistics, Brock 2019) keeps the look and gives every
    seed one image. The running average of training is not that: it lags behind the weights.
    """
    copied = copy.deepcopy(generator)
    norms = [m for m in copied.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches that follow
    copied.train()
    for k in range(batches):
        seeds = range(MAX_SEED - (k + 1) * batch_size, MAX_SEED - k * batch_size)  # seldom asked for
        copied(*inputs_of(copied, seeds))
    return copied.eval()
