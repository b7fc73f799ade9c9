from __future__ import annotations

import warnings
from pathlib import Path

import lpips
import numpy as np
import pytest
import torch

from medgan.errors import ConfigError, MetricError
from medgan.metrics import lpips_net
from medgan.metrics.lpips_net import Lpips
from medgan.metrics.pairwise import Pairs
from tests.conftest import SHARED
from tests.metrics.backbone import use_random_weights


def images(n: int, channels: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(n, channels, 16, 16, generator=generator) * 2 - 1
    return torch.nn.functional.interpolate(small, size=64, mode="bilinear")


def plain_module(name: str) -> lpips.LPIPS:
    """The package as everybody uses it, its backbone random."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        return lpips.LPIPS(net=name, pnet_rand=True, verbose=False)


@pytest.fixture(scope="module", params=["alex", "squeeze"])
def module(request: pytest.FixtureRequest) -> lpips.LPIPS:
    return plain_module(request.param)


def test_distances_equal_a_plain_call_pair_by_pair(module: lpips.LPIPS) -> None:
    real, fake = images(5, seed=1), images(11, seed=2)
    pairs = Pairs(np.array([10, 0, 3, 0, 9, 3]), np.array([0, 4, 2, 1, 0, 2]))
    network = Lpips(module)
    ours = network.distances(real=network.embed(real), fake=fake, pairs=pairs)
    with torch.inference_mode():
        plain = module(real[pairs.real], fake[pairs.fake]).flatten()
    assert ours.tolist() == pytest.approx(plain.tolist(), rel=1e-4)
    assert (ours > 0.01).all()


def test_identical_images_are_at_distance_zero(module: lpips.LPIPS) -> None:
    network, same, places = Lpips(module), images(3), np.arange(3)
    values = network.distances(real=network.embed(same), fake=same, pairs=Pairs(places, places))
    assert values.tolist() == pytest.approx([0.0] * 3, abs=1e-9)


def test_a_grey_image_is_the_same_as_its_three_equal_channels(module: lpips.LPIPS) -> None:
    network, grey = Lpips(module), images(3, channels=1)
    assert torch.equal(network.embed(grey), network.embed(grey.expand(-1, 3, -1, -1)))


def test_images_in_another_range_are_refused(module: lpips.LPIPS) -> None:
    with pytest.raises(MetricError, match=r"in \[-1, 1\]"):
        Lpips(module).embed(images(2) * 127)


def test_no_images_are_refused(module: lpips.LPIPS) -> None:
    with pytest.raises(MetricError, match="no images"):
        Lpips(module).embed(images(2)[:0])


def test_advance_hears_of_every_image_once(module: lpips.LPIPS) -> None:
    heard: list[int] = []
    Lpips(module).embed(images(11), heard.append)
    assert sum(heard) == 11


def test_negative_layer_weights_are_refused_since_distances_would_be_wrong() -> None:
    module = plain_module("squeeze")
    with torch.no_grad():
        module.lins[2].model[-1].weight[0, 0] = -1
    with pytest.raises(MetricError, match="negative"):
        Lpips(module)


def test_loading_is_silent_and_leaves_the_global_generator_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    use_random_weights(tmp_path, monkeypatch)
    before = torch.random.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lpips_net.load("squeeze")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("content", [b"", b"<html>no such file</html>", b"PK\x03\x04 cut"])
def test_weights_that_are_broken_are_named(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = use_random_weights(tmp_path, monkeypatch)
    path.write_bytes(content or path.read_bytes()[:1000])
    with pytest.raises(MetricError, match=path.name):
        lpips_net.load("squeeze")


def test_weights_of_another_network_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = use_random_weights(tmp_path, monkeypatch)
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(MetricError, match="cannot be read as weights"):
        lpips_net.load("squeeze")


def test_an_unknown_network_is_refused_with_the_valid_names() -> None:
    with pytest.raises(ConfigError, match="alex, vgg, squeeze"):
        lpips_net.load("resnet")


def test_every_network_knows_where_its_weights_come_from() -> None:
    for name in lpips_net.NETWORKS:
        source = lpips_net.source(name)
        assert source.file.endswith(f"-{source.sha256_prefix}.pth")
        assert len(source.sha256_prefix) == 8
        assert source.megabytes > 1


def test_the_real_squeezenet_sees_noise_farther_from_an_image_than_a_blur(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = SHARED / "torch_home"
    if not (home / "hub" / "checkpoints").is_dir():
        pytest.skip(f"needs the SqueezeNet weights in {home}")
    monkeypatch.setenv("TORCH_HOME", str(home))
    network, real = lpips_net.load("squeeze"), images(1)
    blurred = torch.nn.functional.avg_pool2d(real, 5, stride=1, padding=2)
    noise = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    fake = torch.cat([blurred, noise])
    pairs = Pairs(np.arange(2), np.zeros(2, int))
    of_blur, of_noise = network.distances(real=network.embed(real), fake=fake, pairs=pairs)
    assert 0 < of_blur < of_noise
