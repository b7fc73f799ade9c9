"""The pretrained backbones among the feature networks: where their weights come from, and the module that
they make. Each function takes a state dict and gives `(B, 3, S, S)` normalised to `(B, D)`; it raises
KeyError or RuntimeError where the weights are of another network.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from medgan.errors import MetricError
from medgan.metrics import lpips_net
from medgan.metrics.weights import Source, hub_url

State = dict[str, Tensor]
_TINY = 1e-12
_UNREADABLE = (
    RuntimeError,
    OSError,
    EOFError,
    KeyError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    SafetensorError,
)

DINOV2_REPO = "timm/vit_small_patch14_dinov2.lvd142m"
DINOV2_REVISION = "4610ca143709d58a633b6397a74412c2c3842454"
DINOV2_SHA256 = "04d27f3400d059fc0cfd7d17dd1909a75bf3ea8fb3eeb48b97cb99e57ee20081"
INCEPTION_URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)
INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"


def squeezenet_source() -> Source:
    """torchvision's, which LPIPS uses as well."""
    return lpips_net.source("squeeze")


def dinov2_source() -> Source:
    """timm's copy on the Hugging Face Hub (or the hub that `HF_ENDPOINT` names), at one commit."""
    return Source(
        "DINOv2 ViT-S/14",
        hub_url(DINOV2_REPO, DINOV2_REVISION, "model.safetensors"),
        88.2,
        sha256=DINOV2_SHA256,
        saved_as="vit_small_patch14_dinov2.lvd142m.safetensors",
    )


def inception_source() -> Source:
    """The weights of the original FID code, converted: not those of torchvision's Inception."""
    return Source("the FID Inception", INCEPTION_URL, 95.6, sha256=INCEPTION_SHA256)


def read_state(path: Path) -> State:
    """The tensors of a `.safetensors` or `.pth` file by name; no code in it is run. MetricError where it
    holds anything else."""
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise unreadable(path) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise unreadable(path)
    return state


def unreadable(path: Path) -> MetricError:
    """For a file that is cut short or holds something else."""
    return MetricError(f"{path} cannot be read as weights; delete it, and it comes anew.")


class _SqueezeNet(nn.Module):
    """SqueezeNet's last feature maps, averaged over places, each vector scaled to unit mean square.

    Without the scaling a cubic kernel hears little but the few images with the strongest responses: with
    it the distance of slightly blurred images stands 60 instead of 40 standard deviations out of the noise.
    """

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features

    def forward(self, images: Tensor) -> Tensor:
        pooled: Tensor = self.features(images).mean(dim=(2, 3))
        return pooled / pooled.square().mean(dim=1, keepdim=True).clamp_min(_TINY).sqrt()


def squeezenet(state: State) -> nn.Module:
    """torchvision's SqueezeNet 1.1; at 128 pixels it misses a checkerboard of 5 grey levels altogether,
    so it sees 224, as it was trained."""
    from torchvision.models import squeezenet1_1

    whole = squeezenet1_1(weights=None)
    whole.load_state_dict(state)
    return _SqueezeNet(whole.features)


def dinov2(state: State) -> nn.Module:
    """DINOv2 ViT-S/14 (Oquab et al. 2023) by timm; its features are the class token after the last norm,
    which is what Stein et al. 2023 (dgm-eval) take of the larger ViT-L/14.

    The positions were learned for 518 pixels; timm's own filter resamples them to 224 (bicubic,
    antialiased), where Meta's code does so without antialiasing: features agree but not to the last digit.
    """
    from timm.models.vision_transformer import (
        VisionTransformer,
        checkpoint_filter_fn,
        vit_small_patch14_dinov2,
    )

    module: VisionTransformer = vit_small_patch14_dinov2(img_size=224, num_classes=0)
    module.load_state_dict(checkpoint_filter_fn(state, module))
    return module


def inception(state: State) -> nn.Module:
    """The Inception v3 of the FID (Heusel et al. 2017): 2048 features before the classifier.

    torchvision's network with piq's blocks in the places where TensorFlow's graph differed (averages that
    leave out the border, one maximum in the last block). torch-fidelity has the same network, but its
    constructor unpickles the file with `weights_only=False`, that is, runs what is in it.
    """
    from piq.feature_extractors import fid_inception as fid
    from torchvision.models import Inception3

    whole: nn.Module = Inception3(num_classes=1008, aux_logits=False, init_weights=False)
    for name, width, pooled in (("5b", 192, 32), ("5c", 256, 64), ("5d", 288, 64)):
        setattr(whole, f"Mixed_{name}", fid.FIDInceptionA(width, pool_features=pooled))
    for name, width in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
        setattr(whole, f"Mixed_{name}", fid.FIDInceptionC(768, channels_7x7=width))
    whole.Mixed_7b = fid.FIDInceptionE1(1280)
    whole.Mixed_7c = fid.FIDInceptionE2(2048)
    whole.load_state_dict(state)
    whole.fc = nn.Identity()
    return whole
