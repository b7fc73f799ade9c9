"""Settings as frozen dataclasses, and presets as rows of data. JSON both ways; unknown names fail."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self

from medgan.errors import ConfigError

SIZES = (64, 128, 256)
PRECISIONS = ("auto", "float32", "bfloat16")
DEVICES = ("auto", "cpu", "cuda", "mps")


def _whole(name: str, value: Any, largest: int) -> None:
    if type(value) is not int or not 1 <= value <= largest:
        raise ConfigError(f"{name} is {value}; it must be a whole number from 1 to {largest}.")


def _at_least(name: str, value: int, minimum: int) -> None:
    if value < minimum:
        raise ConfigError(f"{name} is {value}; it must be at least {minimum}.")


def _unknown(kind: str, name: str, valid: Any) -> str:
    close = difflib.get_close_matches(name, list(valid), 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"There is no {kind} {name!r}; valid are: {', '.join(valid)}.{hint}"


class _Settings:
    """JSON both ways for the dataclasses below."""

    def to_json(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        values: dict[str, Any] = asdict(self)  # type: ignore[call-overload]
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Settings from JSON; ConfigError naming the nearest valid field for an unknown one."""
        names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        for name in values:
            if name not in names:
                raise ConfigError(_unknown(f"{cls.__name__} setting", name, names))
        try:
            return cls(**values)
        except TypeError as error:
            raise ConfigError(f"{cls.__name__} is incomplete: {error}.") from error


@dataclass(frozen=True)
class ModelConfig(_Settings):
    """What is needed to build the two networks.

    `ngf` and `ndf` are the widths of the generator's last and the discriminator's first stage.
    """

    architecture: str = "sngan"
    channels: int = 3
    size: int = 128
    latent: int = 100
    ngf: int = 64
    ndf: int = 64

    def __post_init__(self) -> None:
        if not isinstance(self.architecture, str):
            raise ConfigError(f"architecture is {self.architecture}; it must be a name.")
        if self.channels not in (1, 3):
            raise ConfigError(f"channels is {self.channels}; it must be 1 (grey) or 3 (colour).")
        if self.size not in SIZES:
            raise ConfigError(f"size is {self.size}; it must be one of {', '.join(map(str, SIZES))}.")
        for name, largest in _LARGEST.items():
            _whole(name, getattr(self, name), largest)


_LARGEST = {"channels": 3, "size": max(SIZES), "latent": 4096, "ngf": 256, "ndf": 256}
"""What a model may ask for: a config that was pulled from elsewhere must not ask for petabytes."""


@dataclass(frozen=True)
class TrainConfig(_Settings):
    """How a model is trained. `iterations` of 0 means `epochs` passes over the training images."""

    epochs: int = 200
    iterations: int = 0
    batch_size: int = 16
    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    seed: int = 0
    precision: str = "auto"
    log_every: int = 10
    sample_every: int = 100
    checkpoint_every: int = 200

    def __post_init__(self) -> None:
        for name in ("epochs", "log_every", "sample_every", "checkpoint_every"):
            _at_least(name, getattr(self, name), 1)
        _at_least("iterations", self.iterations, 0)
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be from 0 to below 1.")
        _at_least("batch_size", self.batch_size, 2)
        _at_least("seed", self.seed, 0)
        if not self.learning_rate > 0:
            raise ConfigError(f"learning_rate is {self.learning_rate}; it must be above 0.")
        if self.precision not in PRECISIONS:
            raise ConfigError(_unknown("precision", self.precision, PRECISIONS))

    def total_iterations(self, images: int) -> int:
        """Iterations that these settings mean for `images` training images (the last batch of an
        epoch may be smaller, as in the DCGAN tutorial)."""
        return self.iterations or self.epochs * -(-images // self.batch_size)


@dataclass(frozen=True)
class Preset:
    """A named row of settings, with the words the Train page shows."""

    name: str
    title: str
    summary: str
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def for_data(self, *, channels: int, size: int, **train: Any) -> tuple[ModelConfig, TrainConfig]:
        """The settings for a data set; `train` overrides single training settings (None is skipped)."""
        changes = {name: value for name, value in train.items() if value is not None}
        return replace(self.model, channels=channels, size=size), replace(self.train, **changes)


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "paper",
            "The paper's SNGAN",
            "The MedGAN paper's system as published, 200 epochs. For comparison with the paper; "
            "wants a GPU, or half an hour to an hour on a laptop.",
        ),
        Preset(
            "demo",
            "Small and quick",
            "The same networks at a quarter of the width, 15 times cheaper. For a first look on a "
            "laptop: shapes and colours within minutes.",
            model=ModelConfig(ngf=16, ndf=16),
            train=TrainConfig(epochs=300),
        ),
    )
}


def preset(name: str) -> Preset:
    """The preset called `name`; ConfigError listing the valid names."""
    if name not in PRESETS:
        raise ConfigError(_unknown("preset", name, PRESETS))
    return PRESETS[name]
