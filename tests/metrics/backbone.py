"""A backbone with random weights in a cache of its own: real LPIPS code without a download."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision

from medgan.metrics import lpips_net


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
