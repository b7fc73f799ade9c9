"""Blocks that the networks are made of."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def dcgan_init(module: nn.Module) -> None:
    """N(0, 0.02) for convolutions and N(1, 0.02) for batch norm (Radford 2016, the DCGAN tutorial).

    Call it before `spectral_norm`: on a parametrised layer `weight` is computed on access, so an
    assignment to it is silently lost.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def wrap_spectral_norm(network: nn.Module) -> None:
    """Put spectral normalisation (Miyato 2018) on every convolution of `network`, in place."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            spectral_norm(module)


def normalised_weight(layer: nn.Conv2d) -> torch.Tensor:
    """The weight that a spectrally normalised layer uses now, as `(out, in * kh * kw)`."""
    return layer.weight.detach().flatten(1)
