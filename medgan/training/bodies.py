"""The frozen network that a discriminator looks through: its weights are fetched once, and never trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from medgan.config import ModelConfig
from medgan.errors import MetricError
from medgan.metrics.features import load, missing
from medgan.metrics.weights import ensure

WITHOUT = (
    "It trains without the pretrained features, which takes several times as long to look right: {reason} "
    "Start a new run once they are here."
)


def body_of(model: ModelConfig) -> nn.Module | None:
    """The layers that `FrozenJudge` looks through; None where the model has no such judge. MetricError where
    the weights cannot be had."""
    if not model.frozen:
        return None
    body = load(model.frozen).module.features
    if not isinstance(body, nn.Module):
        raise MetricError(f"{model.frozen} is no network to look through.")
    for layer in body.modules():
        if isinstance(layer, nn.ReLU):
            layer.inplace = False  # what a head has looked at must stay as it was
    return body


def obtain(model: ModelConfig, say: Callable[[str], None]) -> tuple[ModelConfig, str]:
    """Download what the model needs, once. Where that fails: the same model without the frozen judge, and a
    sentence why."""
    if not model.frozen or (source := missing(model.frozen)) is None:
        return model, ""
    say(f"Downloading the weights of {source.title} ({source.megabytes:.0f} MB), once.")
    try:
        ensure(source, progress=lambda done, total: None)
    except MetricError as error:
        return replace(model, frozen=""), WITHOUT.format(reason=error)
    return model, ""
