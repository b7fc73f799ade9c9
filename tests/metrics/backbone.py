"""Backbones with random weights in a cache of their own: the real code without a download."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from medgan.metrics import backbones, features, lpips_net


def use_random_weights(home: Path, monkeypatch: pytest.MonkeyPatch, name: str = "squeeze") -> Path:
    """Put random weights of `name` where torchvision looks for the real ones."""
    monkeypatch.setenv("TORCH_HOME", str(home))
    path = home / "hub" / "checkpoints" / lpips_net.source(name).file
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = torchvision.models.get_model(lpips_net.network(name).model, weights=None)
    torch.save(network.state_dict(), path)
    return path


def stock_path(name: str, folder: Path) -> Path:
    """A weights file of `dinov2` or `inception` in the format of the real one, made once in `folder`."""
    path = folder / features.NETWORKS[name].source().file
    if not path.exists():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            if name == "dinov2":
                save_file(_random_dinov2(), path)
            else:
                torch.save(_random_inception(), path)
    return path


def use_stock(name: str, stock: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a file of `stock_path` into the cache, as if it were the real one."""
    monkeypatch.setenv("TORCH_HOME", str(home))
    made = stock_path(name, stock)
    sha256 = hashlib.sha256(made.read_bytes()).hexdigest()
    monkeypatch.setattr(backbones, f"{name.upper()}_SHA256", sha256)
    path = home / "hub" / "checkpoints" / made.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(made)
    return path


def _random_dinov2() -> dict[str, torch.Tensor]:
    """At 518 pixels, as it was trained; the noise lets each block have a say (LayerScale begins at 1e-5)."""
    import timm

    state = timm.create_model("vit_small_patch14_dinov2", img_size=518, num_classes=0).state_dict()
    return {name: value + 0.1 * torch.randn_like(value) for name, value in state.items()}


def _random_inception() -> dict[str, torch.Tensor]:
    """With weights that neither swell nor fade from layer to layer."""
    whole = torchvision.models.Inception3(num_classes=1008, aux_logits=False, init_weights=False)
    for module in whole.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    return whole.state_dict()
