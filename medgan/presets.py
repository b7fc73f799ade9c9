"""Settings that go together, under a name: presets as rows of data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from medgan.config import ModelConfig, TrainConfig, unknown
from medgan.errors import ConfigError
from medgan.modalities import AUTO


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
            "small",
            "Best images, on a GPU",
            "A generator without grid, a discriminator that also looks through a pretrained network, and "
            "augmentation that fits the kind of image. What to use with a graphics card.",
            model=ModelConfig("resize", ndf=48, frozen="squeezenet", modulated=True, batch_spread=True),
            train=TrainConfig(kimg=400, epochs=1, beta2=0.99, augment=AUTO, ema_kimg=10, sample_every=200),
        ),
        Preset(
            "small-cpu",
            "Best images, on a processor",
            "The same at half the width: recognisable images within minutes, better ones in an hour or two. "
            "What to use without a graphics card.",
            model=ModelConfig(
                "resize", ngf=32, ndf=32, frozen="squeezenet", modulated=True, batch_spread=True
            ),
            train=TrainConfig(kimg=100, epochs=1, beta2=0.99, augment=AUTO, ema_kimg=5),
        ),
        Preset(
            "demo",
            "Small and quick",
            "The paper's networks at a quarter of the width, 15 times cheaper. For a first look on a "
            "laptop: shapes and colours within minutes.",
            model=ModelConfig(ngf=16, ndf=16),
            train=TrainConfig(epochs=300, stop_on="kid"),
        ),
        Preset(
            "paper",
            "The paper's SNGAN",
            "The MedGAN paper's system as published, 200 epochs. For comparison with the paper; "
            "wants a GPU, or half an hour to an hour on a laptop.",
        ),
    )
}


def preset(name: str) -> Preset:
    """The preset called `name`; ConfigError listing the valid names."""
    if name not in PRESETS:
        raise ConfigError(unknown("preset", name, PRESETS))
    return PRESETS[name]


def usual_preset(*, gpu: bool) -> str:
    """The preset to take where nobody names one; `gpu`: whether it will be trained on one."""
    return "small" if gpu else "small-cpu"
