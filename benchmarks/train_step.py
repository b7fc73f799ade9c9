"""Images per second of this project's training step and of the plain loop a user would write instead.

    python -m benchmarks.train_step [--preset paper|demo] [--rounds 8] [--threads N]

The plain loop is the DCGAN tutorial's with spectral norm added, in fp32. Both start from the same weights and
see the same batch; they take turns, so that what else the machine does hits both; medians are quoted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.flop_counter import FlopCounterMode

from medgan.config import PRESETS, ModelConfig, preset
from medgan.training.devices import choose_precision
from medgan.training.step import GanStep

CPU = torch.device("cpu")
STEPS = 2
"""Steps in one turn."""

Losses = tuple[float, float]
Loop = Callable[[], Losses]


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

    def __init__(self, model: ModelConfig, learning_rate: float, betas: tuple[float, float]) -> None:
        self.generator = PlainGenerator(model.latent, model.ngf, model.channels)
        self.discriminator = PlainDiscriminator(model.ndf, model.channels)
        self.criterion = nn.BCELoss()
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), lr=learning_rate, betas=betas)
        self.optimizer_d = torch.optim.Adam(self.discriminator.parameters(), lr=learning_rate, betas=betas)

    def __call__(self, real: Tensor, latents: Tensor) -> Losses:
        self.discriminator.zero_grad()
        label = torch.full((len(real),), 1.0)
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


def build(name: str) -> tuple[Loop, Loop, GanStep]:
    """The plain loop and this project's, as functions that do one step, with the same weights."""
    row = preset(name)
    model, config = row.model, row.train
    step = GanStep(model, config, CPU, choose_precision(config.precision, CPU))
    plain = PlainStep(model, config.learning_rate, (config.beta1, config.beta2))
    plain.generator.load_state_dict(step.generator.state_dict())
    plain.discriminator.load_state_dict(step.discriminator.state_dict())
    torch.manual_seed(0)
    real = torch.rand(config.batch_size, model.channels, model.size, model.size) * 2 - 1
    latents = torch.randn(config.batch_size, model.latent)

    def ours() -> Losses:
        result = step(real, latents)
        return result.loss_d.item(), result.loss_g.item()

    return lambda: plain(real, latents), ours, step


def seconds(loop: Loop, steps: int) -> float:
    """Seconds for one step, the mean of `steps`."""
    start = time.perf_counter()
    for _ in range(steps):
        loop()
    return (time.perf_counter() - start) / steps


def gflop(loop: Loop) -> float:
    """10^9 operations (a multiplication and an addition are two) of one step's convolutions and products."""
    with FlopCounterMode(display=False) as counter:
        loop()
    return float(counter.get_total_flops()) / 1e9


def matmul_rate(dtype: torch.dtype, size: int = 2048) -> float:
    """GFLOP/s of a square matrix product: what the processor can do at best."""
    a, b = torch.randn(2, size, size).to(dtype)
    F.linear(a, b)
    times = [seconds(lambda: (float(F.linear(a, b)[0, 0]), 0.0), 1) for _ in range(5)]
    return 2 * size**3 / median(times) / 1e9


def report(title: str, times: list[float], batch: int, flops: float) -> float:
    """Print the line of one loop from its seconds per step; its median GFLOP/s."""
    rate = batch / median(times)
    print(
        f"{title:24s} {rate:6.2f} images/s (median of {len(times)}, {batch / max(times):.2f} to "
        f"{batch / min(times):.2f}), {flops / batch:.2f} GFLOP/image, {rate * flops / batch:.0f} GFLOP/s"
    )
    return rate * flops / batch


def compare(name: str, rounds: int) -> float:
    """Measure both loops on preset `name`; how many times faster this project's is."""
    plain, ours, step = build(name)
    batch = preset(name).train.batch_size
    precision = str(step.precision).removeprefix("torch.")
    print(f"preset {name}, batch {batch}, {torch.get_num_threads()} thread(s), torch {torch.__version__}")
    print("losses of D and G in the first steps (plain | this project):")
    for _ in range(3):
        (plain_d, plain_g), (our_d, our_g) = plain(), ours()
        print(f"  {plain_d:7.3f} {plain_g:7.3f} | {our_d:7.3f} {our_g:7.3f}")
    plain_flops, our_flops = gflop(plain), gflop(ours)
    turns = [(seconds(plain, STEPS), seconds(ours, STEPS)) for _ in range(rounds)]
    plain_times, our_times = ([turn[k] for turn in turns] for k in (0, 1))
    report("plain loop, float32", plain_times, batch, plain_flops)
    reached = report(f"this project, {precision}", our_times, batch, our_flops)
    best = matmul_rate(step.precision)
    print(
        f"a {precision} matrix product does {best:.0f} GFLOP/s; the step {100 * reached / best:.0f} % of it"
    )
    return median(plain_times) / median(our_times)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_step")
    parser.add_argument("--preset", choices=list(PRESETS), default="paper")
    parser.add_argument("--rounds", type=int, default=8, help=f"turns of {STEPS} steps for each loop")
    parser.add_argument("--threads", type=int, help="CPU threads of both loops (default: PyTorch's choice)")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    print(f"ratio {compare(args.preset, args.rounds):.2f}")


if __name__ == "__main__":
    main()
