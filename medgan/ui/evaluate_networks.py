"""Through which networks images are compared, which of them are on this computer, and what the others weigh.

Files and sizes stand here once more, since asking `medgan.metrics` would import torch and make the page wait
for seconds; a test holds both together.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st


@dataclass(frozen=True)
class Network:
    """A choice: its title, the file of its weights (none where it needs none), and their megabytes."""

    title: str
    file: str = ""
    megabytes: float = 0.0
    about: str = ""


FEATURES = {
    "dinov2": Network(
        "DINOv2", "vit_small_patch14_dinov2.lvd142m.safetensors", 88.2, "Sees most; the one to report."
    ),
    "squeezenet": Network("SqueezeNet", "squeezenet1_1-b8a52dc0.pth", 4.7, "Light and quick."),
    "inception": Network(
        "Inception", "weights-inception-2015-12-05-6726825d.pth", 95.6, "What FIDs in papers are made with."
    ),
    "random": Network("Random", about="An untrained stand-in without a download: it knows no anatomy."),
}
LPIPS = {
    "alex": Network("AlexNet", "alexnet-owt-7be5be79.pth", 233.1),
    "squeeze": Network("SqueezeNet", "squeezenet1_1-b8a52dc0.pth", 4.7),
    "vgg": Network("VGG-16", "vgg16-397923af.pth", 527.8),
}
LIGHT = ("squeezenet", "squeeze")
"""What is offered first where nothing is here."""


def choose_networks() -> dict[str, Any]:
    """The feature network, and behind a button what is seldom changed; as options of `evaluate`."""
    features = pick_network(
        "Compared by", FEATURES, "features", "Figures of different networks cannot be compared."
    )
    with st.popover("More settings", type="tertiary"):
        lpips = pick_network("LPIPS network", LPIPS, "lpips", "LPIPS of one network is not LPIPS of another.")
        resamples = st.number_input("Bootstrap resamples", 100, 10_000, 1000, step=100, key="bootstrap")
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="evaluate_seed")
    return {"features": features, "lpips-net": lpips, "bootstrap": int(resamples), "seed": int(seed)}


def pick_network(label: str, networks: dict[str, Network], key: str, words: str) -> str:
    """A select box that says which networks are here; the best of those is chosen at first."""
    names = list(networks)
    usual = next((name for name in names if networks[name].file and here(networks[name])), None)
    usual = usual or next(name for name in names if name in LIGHT)
    lines = [f"**{n.title}**: {_weight(n)}. {n.about}" for n in networks.values()]
    return str(
        st.selectbox(
            label,
            names,
            index=names.index(usual),
            format_func=lambda name: f"{networks[name].title} ({_weight(networks[name])})",
            key=key,
            width=260,
            help="  \n".join([words, *lines]),
            persist_state="session",
        )
    )


def _weight(network: Network) -> str:
    if not network.file:
        return "no download"
    return "is here" if here(network) else f"downloads {network.megabytes:.0f} MB once"


def here(network: Network) -> bool:
    """Whether its weights are on this computer, or it needs none."""
    return not network.file or (weights_folder() / network.file).is_file()


def weights_folder() -> Path:
    """As `torch.hub.get_dir()` has it."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or str(Path(cache) / "torch")
    return Path(home).expanduser() / "hub" / "checkpoints"
