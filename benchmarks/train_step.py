"""Images per second of this project's training step and of the plain loop a user would write instead.

    python -m benchmarks.train_step [--preset NAME] [--device cpu|cuda] [--rounds 8] [--threads N]

Every preset is measured unless one is named. The plain loop is the DCGAN tutorial's with spectral norm added,
in fp32. Both start from the same weights and see the same batch; they take turns, so that what else the
machine does hits both; medians are quoted. On a GPU this project's step is measured as it trains there, by a
CUDA graph, and once more without.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.flop_counter import FlopCounterMode

from medgan.config import ModelConfig
from medgan.modalities import AUTO
from medgan.presets import PRESETS, preset
from medgan.training.augment import DRAWS
from medgan.training.devices import choose_device, choose_precision
from medgan.training.graphs import WARM_UP, CudaGraphs, GraphedStep
from medgan.training.step import GanStep, StepResult

STEPS = {"cpu": 2, "cuda": 50}
"""Steps in one turn."""

Losses = tuple[float, float]
Loop = Callable[[], object]


class PlainGenerator(nn.Module):
    def __init__(self, latent: int, width: int, channels: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(latent, width * 16, 4, 1, 0, bias=False),
            nn.BatchNorm2d(width * 16),
            nn.ReLU(True),
            nn.ConvTranspose2d(width * 16, width * 8, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width * 8),
            nn.ReLU(True),
            nn.ConvTranspose2d(width * 8, width * 4, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width * 4),
            nn.ReLU(True),
            nn.ConvTranspose2d(width * 4, width * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(width * 2, width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(True),
            nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, latents: Tensor) -> Tensor:
        images: Tensor = self.main(latents)
        return images


class PlainDiscriminator(nn.Module):
    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            spectral_norm(nn.Conv2d(channels, width, 4, 2, 1, bias=False)),
            nn.LeakyReLU(0.2, inplace=True),
            spectral_norm(nn.Conv2d(width, width * 2, 4, 2, 1, bias=False)),
            nn.BatchNorm2d(width * 2),
            nn.LeakyReLU(0.2, inplace=True),
            spectral_norm(nn.Conv2d(width * 2, width * 4, 4, 2, 1, bias=False)),
            nn.BatchNorm2d(width * 4),
            nn.LeakyReLU(0.2, inplace=True),
            spectral_norm(nn.Conv2d(width * 4, width * 8, 4, 2, 1, bias=False)),
            nn.BatchNorm2d(width * 8),
            nn.LeakyReLU(0.2, inplace=True),
            spectral_norm(nn.Conv2d(width * 8, width * 16, 4, 2, 1, bias=False)),
            nn.BatchNorm2d(width * 16),
            nn.LeakyReLU(0.2, inplace=True),
            spectral_norm(nn.Conv2d(width * 16, 1, 4, 1, 0, bias=False)),
            nn.Sigmoid(),
        )

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.main(images)
        return scores


class PlainStep:
    """The body of the tutorial's loop: three passes through D, each with a backward pass of its own."""

    def __init__(
        self, model: ModelConfig, learning_rate: float, betas: tuple[float, float], device: torch.device
    ) -> None:
        self.generator = PlainGenerator(model.latent, model.ngf, model.channels).to(device)
        self.discriminator = PlainDiscriminator(model.ndf, model.channels).to(device)
        self.criterion = nn.BCELoss()
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), lr=learning_rate, betas=betas)
        self.optimizer_d = torch.optim.Adam(self.discriminator.parameters(), lr=learning_rate, betas=betas)

    def __call__(self, real: Tensor, latents: Tensor) -> Losses:
        self.discriminator.zero_grad()
        label = torch.full((len(real),), 1.0, device=real.device)
        loss_real = self.criterion(self.discriminator(real).view(-1), label)
        loss_real.backward()
        fake = self.generator(latents.view(len(latents), -1, 1, 1))
        label.fill_(0.0)
        loss_fake = self.criterion(self.discriminator(fake.detach()).view(-1), label)
        loss_fake.backward()
        self.optimizer_d.step()
        self.generator.zero_grad()
        label.fill_(1.0)
        loss_g = self.criterion(self.discriminator(fake).view(-1), label)
        loss_g.backward()
        self.optimizer_g.step()
        return loss_real.item() + loss_fake.item(), loss_g.item()


@dataclass(frozen=True)
class Contest:
    """The loops of one preset, as functions that do one step, all with the same weights and batch."""

    plain: Callable[[], Losses] | None
    ours: dict[str, Callable[[], StepResult]]
    step: GanStep


def build(name: str, device: torch.device) -> Contest:
    """The plain loop, where the preset has the paper's networks, and this project's; on a GPU as a graph and
    without one."""
    row = preset(name)
    model, config = row.model, row.train
    if config.augment == AUTO:
        config = replace(config, augment="dermoscopy")
    precision = choose_precision(config.precision, device)
    step = GanStep(model, config, device, precision)
    torch.manual_seed(0)
    real = (torch.rand(config.batch_size, model.channels, model.size, model.size) * 2 - 1).to(device)
    latents = torch.randn(config.batch_size, model.latent).to(device)
    more: dict[str, Any] = (
        {} if step.augmentation is None else {"draws": torch.rand(len(real), 2, DRAWS).to(device)}
    )
    title = f"this project, {str(precision).removeprefix('torch.')}"
    ours: dict[str, Callable[[], StepResult]] = {title: lambda: step(real, latents, **more)}
    if device.type == "cuda":
        graphed = GraphedStep(GanStep(model, config, device, precision), CudaGraphs(), config.batch_size)
        ours = {f"{title}, graph": lambda: graphed(real, latents, **more)} | ours
    if model.architecture != "sngan":
        return Contest(None, ours, step)
    plain = PlainStep(model, config.learning_rate, (config.beta1, config.beta2), device)
    plain.generator.load_state_dict(step.generator.state_dict())
    plain.discriminator.load_state_dict(step.discriminator.state_dict())
    return Contest(lambda: plain(real, latents), ours, step)


def seconds(loop: Loop, steps: int, device: torch.device) -> float:
    """Seconds for one step, the mean of `steps`, until the device has done them."""
    wait(device)
    start = time.perf_counter()
    for _ in range(steps):
        loop()
    wait(device)
    return (time.perf_counter() - start) / steps


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def gflop(loop: Loop) -> float:
    """10^9 operations (a multiplication and an addition are two) of one step's convolutions and products."""
    with FlopCounterMode(display=False) as counter:
        loop()
    return float(counter.get_total_flops()) / 1e9


def matmul_rate(dtype: torch.dtype, device: torch.device) -> float:
    """GFLOP/s of a square matrix product: what the device can do at best."""
    size = 2048 if device.type == "cpu" else 8192
    a, b = torch.randn(2, size, size).to(device, dtype)
    F.linear(a, b)
    times = [seconds(lambda: F.linear(a, b), 1, device) for _ in range(5)]
    return float(2 * size**3 / median(times) / 1e9)


def report(title: str, times: list[float], batch: int, flops: float) -> float:
    """Print the line of one loop from its seconds per step; its median GFLOP/s."""
    rate = batch / median(times)
    print(
        f"{title:30s} {rate:6.2f} images/s (median of {len(times)}, {batch / max(times):.2f} to "
        f"{batch / min(times):.2f}), {flops / batch:.2f} GFLOP/image, {rate * flops / batch:.0f} GFLOP/s"
    )
    return rate * flops / batch


def compare(name: str, rounds: int, device: torch.device) -> None:
    """Measure the loops on preset `name`, and print how many times faster this project's are."""
    contest = build(name, device)
    batch, steps = preset(name).train.batch_size, STEPS[device.type]
    threads = f"{torch.get_num_threads()} thread(s)" if device.type == "cpu" else device_name(device)
    print(f"preset {name}, batch {batch}, {threads}, torch {torch.__version__}")
    plain_loop = contest.plain
    first = next(iter(contest.ours.values()))
    for k in range(WARM_UP + 1):
        ours = first()
        if plain_loop:
            print("losses of D and G in the first steps (plain | this project):" if not k else "", end="")
            plain_d, plain_g = plain_loop()
            print(
                f"\n  {plain_d:7.3f} {plain_g:7.3f} | {ours.loss_d.item():7.3f} {ours.loss_g.item():7.3f}",
                end="",
            )
    print()
    our_flops = gflop(list(contest.ours.values())[-1])
    loops: dict[str, Loop] = {"plain loop, float32": plain_loop} if plain_loop else {}
    loops |= contest.ours
    turns = [[seconds(loop, steps, device) for loop in loops.values()] for _ in range(rounds)]
    times = dict(zip(loops, map(list, zip(*turns, strict=True)), strict=True))
    best = matmul_rate(contest.step.precision, device)
    plain = next(iter(times)) if plain_loop else ""
    if plain_loop:
        report(plain, times[plain], batch, gflop(plain_loop))
    for title in contest.ours:
        reached = report(title, times[title], batch, our_flops)
        ratio = f"ratio {median(times[plain]) / median(times[title]):.2f}, " if plain else ""
        print(f"  {ratio}{100 * reached / best:.0f} % of a matrix product of {best:,.0f} GFLOP/s")


def device_name(device: torch.device) -> str:
    return str(torch.cuda.get_device_name(device))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_step")
    parser.add_argument("--preset", choices=list(PRESETS), help="default: all, one after the other")
    parser.add_argument("--device", choices=list(STEPS), help="default: a GPU where there is one")
    parser.add_argument("--rounds", type=int, default=8, help="turns of some steps for each loop")
    parser.add_argument("--threads", type=int, help="CPU threads of all loops (default: PyTorch's choice)")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    device = choose_device(args.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    for name in [args.preset] if args.preset else PRESETS:
        compare(name, args.rounds, device)


if __name__ == "__main__":
    main()
