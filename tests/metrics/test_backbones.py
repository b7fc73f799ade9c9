"""The pretrained networks against those from which they are taken, and their way from a server to here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from medgan.errors import MetricError
from medgan.metrics import backbones, features
from medgan.metrics.features import Kind, load
from medgan.metrics.weights import Source
from tests.hub.fakehub import FakeHub, Repo, serve
from tests.metrics.backbone import stock_path, use_stock


def images(n: int = 3, size: int = 64, channels: int = 3) -> np.ndarray:
    small = np.random.default_rng(0).integers(0, 256, (n, 8, 8, channels), dtype=np.uint8)
    return small.repeat(-(-size // 8), axis=1).repeat(-(-size // 8), axis=2)[:, :size, :size]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with serve() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


def offer(hub: FakeHub, body: bytes, monkeypatch: pytest.MonkeyPatch, **settings: object) -> Repo:
    """Let the hub have `body` as DINOv2's weights."""
    monkeypatch.setattr(backbones, "DINOV2_SHA256", hashlib.sha256(body).hexdigest())
    repo = Repo({"model.safetensors": body}, commit=backbones.DINOV2_REVISION, **settings)
    hub.repos[backbones.DINOV2_REPO] = repo
    return repo


def test_dinov2_comes_from_the_hub_once_and_sees(
    hub: FakeHub, stock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = stock_path("dinov2", stock).read_bytes()
    offer(hub, body, monkeypatch)
    heard: list[tuple[int, int]] = []
    network = load("dinov2", progress=lambda done, total: heard.append((done, total)))
    assert network.identity.startswith("dinov2-")
    assert network.extract(images()).shape == (3, 384)
    assert load("dinov2").weights_hash == network.weights_hash
    assert hub.downloads("model.safetensors") == 2  # the address, and where it leads
    assert heard[-1] == (len(body), len(body))


def test_a_download_that_breaks_off_is_taken_up_where_it_broke(
    hub: FakeHub, stock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = stock_path("dinov2", stock).read_bytes()
    offer(hub, body, monkeypatch, cut_at=len(body) // 2, cuts=1)
    heard: list[int] = []
    load("dinov2", progress=lambda done, total: heard.append(done))
    assert heard == sorted(heard)
    assert heard[-1] == len(body)
    assert hub.downloads("model.safetensors") == 4


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"refuse": (404, "RepoNotFound")}, "answered 404"),
        ({"silent": True}, "no answer for 0.5 seconds"),
        ({"stall_at": 1 << 16}, "no answer for 0.5 seconds"),
        ({"damage": True}, "damaged or not that file"),
        ({"cut_at": 1 << 17, "cuts": 9, "ranges": False}, "it ended after"),
    ],
)
def test_without_the_weights_it_is_said_why_and_nothing_stays(
    settings: dict[str, object], words: str, hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = bytes(range(256)) * 1024
    repo = offer(hub, body, monkeypatch, **settings)
    if repo.damage:  # the fake hub's own flag is for data sets
        repo.files["model.safetensors"] = body[:-4] + b"evil"
    with pytest.raises(MetricError, match=words) as caught:
        load("dinov2", timeout=0.5)
    assert "The weights of DINOv2 ViT-S/14 (88 MB from 127.0.0.1" in str(caught.value)
    assert "put vit_small_patch14_dinov2.lvd142m.safetensors into" in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_password_in_the_address_of_a_hub_is_not_said(
    monkeypatch: pytest.MonkeyPatch, hub: FakeHub
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://me:secret@127.0.0.1:1")
    with pytest.raises(MetricError) as caught:
        load("dinov2", timeout=0.5)
    assert "secret" not in str(caught.value)


def test_dinov2_equals_timm_loading_the_same_file(
    stock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import timm

    path = use_stock("dinov2", stock, tmp_path, monkeypatch)
    network = load("dinov2")
    theirs = timm.create_model(
        "vit_small_patch14_dinov2.lvd142m",
        pretrained=True,
        img_size=224,
        num_classes=0,
        pretrained_cfg_overlay={"file": str(path.resolve())},
    ).eval()
    about = theirs.pretrained_cfg
    assert (network.mean, network.std) == (about["mean"], about["std"])
    assert about["hf_hub_id"] == backbones.DINOV2_REPO
    assert about["license"] == "apache-2.0"
    pictures = images(size=224)
    unit = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(values)[:, None, None] for values in (network.mean, network.std))
    with torch.inference_mode():
        tokens = theirs.forward_features((unit - mean) / std)
    np.testing.assert_allclose(network.extract(pictures), tokens[:, 0].numpy(), rtol=1e-3, atol=1e-3)


def test_inception_equals_torch_fidelity_with_the_same_file(
    stock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    path = use_stock("inception", stock, tmp_path, monkeypatch)
    theirs = FeatureExtractorInceptionV3("fid", ["2048"], feature_extractor_weights_path=str(path))
    pictures = images(size=299)  # where nothing is resized
    with torch.inference_mode():
        (expected,) = theirs(torch.from_numpy(pictures).permute(0, 3, 1, 2))
    values = load("inception").extract(pictures)
    assert values.std() > 0.01  # random weights that let something through
    np.testing.assert_allclose(values, expected.numpy(), rtol=1e-3, atol=1e-4)


def test_inception_comes_from_where_torch_fidelity_has_it() -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    source = backbones.inception_source()
    assert source.url == URL_INCEPTION_V3
    assert f"-{source.sha256_prefix[:8]}.pth" in source.file


def test_inception_is_read_in_the_old_format_and_without_counters(
    stock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = use_stock("inception", stock, tmp_path, monkeypatch)
    expected = load("inception")
    state = torch.load(path, weights_only=True)
    path.unlink()
    bare = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    torch.save(bare, path, _use_new_zipfile_serialization=False)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(backbones, "INCEPTION_SHA256", sha256)
    assert load("inception").weights_hash == expected.weights_hash


@pytest.mark.parametrize("name", ["dinov2", "inception"])
def test_a_file_with_another_checksum_is_never_used(
    name: str, stock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = use_stock(name, stock, tmp_path, monkeypatch)
    body = bytearray(path.read_bytes())
    path.unlink()
    body[-5] ^= 1  # one bit of one weight
    path.write_bytes(body)
    with pytest.raises(MetricError, match="its checksum is another"):
        load(name)
    choice = features.choose((name,))
    assert choice.network.name == "random"
    assert f"{path.name} cannot be read, and should be deleted" in choice.sentence


def test_weights_of_another_shape_are_refused(
    stock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = use_stock("dinov2", stock, tmp_path, monkeypatch)
    state = load_file(path)
    path.unlink()
    del state["blocks.3.norm1.weight"]
    save_file(state, path)
    monkeypatch.setattr(backbones, "DINOV2_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(MetricError, match="cannot be read as weights"):
        load("dinov2")


def test_code_in_a_weights_file_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)

    torch.save({"weight": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(MetricError, match="cannot be read as weights"):
        backbones.read_state(tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()


def test_another_network_is_one_function_and_one_row(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/feature-networks.md says."""
    from safetensors.torch import save

    def toy(state: dict[str, Tensor]) -> nn.Module:
        module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        module.load_state_dict(state)
        return module

    body = save({"0.weight": torch.randn(8, 3, 3, 3), "0.bias": torch.zeros(8)})
    sha256 = hashlib.sha256(body).hexdigest()
    hub.shelf = Repo({"toy.bin": body})
    source = Source("ToyNet", f"{hub.endpoint}/files/toy.bin", 0.1, sha256=sha256, saved_as="toy.safetensors")
    row = Kind("toy", "ToyNet", 32, 8, (0.5,) * 3, (0.5,) * 3, module=toy, source=lambda: source)
    monkeypatch.setitem(features.NETWORKS, "toy", row)
    network = load("toy")
    assert network.extract(images()).shape == (3, 8)
    assert network.extract(images(channels=1)).shape == (3, 8)
    assert features.choose(("toy",)).network.identity == network.identity
