from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from medgan.errors import ConfigError, MetricError
from medgan.images import to_float
from medgan.metrics import features
from medgan.metrics.features import FeatureNetwork, choose, load, pixels, random_network
from tests.conftest import SHARED
from tests.metrics.backbone import use_random_weights, use_stock


def images(n: int = 5, channels: int = 3, size: int = 64, seed: int = 0) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (n, 8, 8, channels), dtype=np.uint8)
    return small.repeat(size // 8, axis=1).repeat(size // 8, axis=2)


@pytest.fixture
def squeezenet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureNetwork:
    use_random_weights(tmp_path, monkeypatch)
    return load("squeezenet")


@pytest.fixture(params=["dinov2", "inception", "squeezenet", "random", "pixels"])
def network(
    request: pytest.FixtureRequest, stock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> FeatureNetwork:
    if request.param not in _LOADED:  # 20 million weights each, which no test changes
        use_all_weights(stock, tmp_path, monkeypatch)
        _LOADED[request.param] = load(request.param)
    return _LOADED[request.param]


_LOADED: dict[str, FeatureNetwork] = {}


def use_all_weights(stock: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_random_weights(home, monkeypatch)
    for name in ("dinov2", "inception"):
        use_stock(name, stock, home, monkeypatch)


def test_each_image_has_one_float32_vector_of_the_stated_length(network: FeatureNetwork) -> None:
    values = network.extract(images())
    assert values.shape == (5, network.dimensions)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()


def test_an_image_has_the_same_features_as_array_as_tensor_and_as_float(network: FeatureNetwork) -> None:
    pictures = images()
    expected = network.extract(pictures)
    assert np.array_equal(network.extract(torch.from_numpy(pictures)), expected)
    assert np.array_equal(network.extract(to_float(pictures)), expected)
    assert np.array_equal(
        network.extract((to_float(pictures) + 0.003).clamp(-1, 1)), expected
    )  # less than half a level


def test_features_do_not_depend_on_the_batch(network: FeatureNetwork) -> None:
    pictures = images(7)
    np.testing.assert_allclose(
        network.extract(pictures, batch=3), network.extract(pictures, batch=7), rtol=1e-4, atol=1e-4
    )


def test_a_stream_of_batches_has_the_features_of_all_its_images_at_once(network: FeatureNetwork) -> None:
    pictures = images(7)
    heard: list[int] = []
    streamed = network.extract_stream(
        iter([pictures[:1], pictures[1:6], pictures[6:]]), batch=4, advance=heard.append
    )
    np.testing.assert_allclose(streamed, network.extract(pictures), rtol=1e-4, atol=1e-4)
    assert heard == [1, 4, 1, 1]


def test_a_stream_keeps_no_batch_and_leaves_its_maker_outside_of_inference_mode() -> None:
    import weakref

    kept = []

    def batches() -> Iterator[np.ndarray]:
        for seed in range(4):
            made = images(3, seed=seed)
            kept.append(weakref.ref(made))
            assert not torch.is_inference_mode_enabled()
            yield made
            del made
            assert all(batch() is None for batch in kept[:-1])

    assert random_network().extract_stream(batches(), batch=3).shape[0] == 12


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        ([], "no images"),
        ([images()[:0]], "no images"),
        ([images(), images(channels=1)], "stand in one set"),
        ([images(), images(size=32)], "stand in one set"),
        ([images()[0]], "8-bit images"),
    ],
)
def test_a_stream_of_something_else_is_refused(batches: list[np.ndarray], words: str) -> None:
    with pytest.raises(MetricError, match=words):
        random_network().extract_stream(batches)


def test_grey_is_the_same_as_its_three_equal_channels(network: FeatureNetwork) -> None:
    grey = images(channels=1)
    np.testing.assert_allclose(
        network.extract(grey), network.extract(grey.repeat(3, axis=3)), rtol=1e-5, atol=1e-5
    )


def test_autocast_around_it_does_not_lower_the_precision(network: FeatureNetwork) -> None:
    expected = network.extract(images())
    with torch.autocast("cpu", torch.bfloat16):
        assert np.array_equal(network.extract(images()), expected)


def test_extracting_and_loading_draw_nothing_from_the_global_generator(
    stock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_all_weights(stock, tmp_path, monkeypatch)
    before = torch.random.get_rng_state()
    for name in features.NETWORKS:
        load(name).extract(images(1))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_advance_hears_of_every_image_once(network: FeatureNetwork) -> None:
    heard: list[int] = []
    network.extract(images(7), batch=3, advance=heard.append)
    assert heard == [3, 3, 1]


def test_images_are_resized_with_an_antialiased_filter() -> None:
    """Lines of one pixel at four times the size are grey after an honest reduction, black or white
    after one that takes single pixels."""
    stripes = np.zeros((1, 128, 128, 1), np.uint8)
    stripes[:, :, ::2] = 254
    values = pixels().extract(stripes).reshape(3, 32, 32)[:, 4:-4, 4:-4]
    assert values == pytest.approx(np.full_like(values, 127 / 127.5 - 1), abs=0.02)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (images()[:0], "no images"),
        (images()[0], "8-bit images"),
        (images(channels=1).repeat(2, axis=3), "8-bit images"),
        (images().astype(np.int32), "float"),
        (to_float(images()) * 100, r"in \[-1, 1\]"),
        (to_float(images()) * float("nan"), r"in \[-1, 1\]"),
    ],
)
def test_what_is_no_set_of_images_is_refused(given: np.ndarray, words: str) -> None:
    with pytest.raises(MetricError, match=words):
        random_network().extract(given)


def test_the_random_network_has_the_same_weights_on_every_machine() -> None:
    """The hash was taken on x86-64 Linux with numpy 2; another machine must find the same."""
    assert random_network().weights_hash == RANDOM_HASH


RANDOM_HASH = "684a4caf43db537382376c2b50873c495ce197ce53746cd2ebe18e54e66113ff"


def test_filters_of_the_random_network_are_blind_to_plain_brightness() -> None:
    module = random_network().module
    for filters in (module.first, module.second):
        assert filters.sum(dim=(1, 2, 3)).abs().max() < 1e-5
        assert filters.square().sum(dim=(1, 2, 3)).numpy() == pytest.approx(np.ones(len(filters)), abs=1e-5)


def test_the_random_network_says_everywhere_that_it_is_one() -> None:
    network = random_network()
    assert "random" in network.label
    assert network.identity.startswith("random-")


def test_a_changed_weight_changes_the_hash(squeezenet: FeatureNetwork) -> None:
    assert squeezenet.weights_hash == features.weights_hash(squeezenet.module)
    with torch.no_grad():
        next(squeezenet.module.parameters())[0, 0, 0, 0] += 1e-3
    assert squeezenet.weights_hash != features.weights_hash(squeezenet.module)


def test_features_of_squeezenet_have_unit_mean_square(squeezenet: FeatureNetwork) -> None:
    values = squeezenet.extract(images())
    assert np.square(values).mean(axis=1) == pytest.approx(np.ones(5), rel=1e-4)


def test_squeezenet_features_equal_a_plain_call_of_torchvision(squeezenet: FeatureNetwork) -> None:
    from torchvision.models import SqueezeNet1_1_Weights, squeezenet1_1

    pictures = images(3, size=256)
    plain = squeezenet1_1(weights="DEFAULT").eval().features  # finds the same file in the cache
    meta = SqueezeNet1_1_Weights.DEFAULT.transforms()
    unit = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255
    small = torch.nn.functional.interpolate(unit, size=224, mode="bilinear", antialias=True)
    mean, std = (torch.tensor(values)[:, None, None] for values in (meta.mean, meta.std))
    with torch.inference_mode():
        pooled = plain((small - mean) / std).mean(dim=(2, 3)).numpy()
    expected = pooled / np.sqrt(np.square(pooled).mean(axis=1, keepdims=True))
    np.testing.assert_allclose(squeezenet.extract(pictures), expected, rtol=1e-3, atol=1e-4)


def test_squeezenet_is_chosen_where_its_weights_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_random_weights(tmp_path, monkeypatch)
    choice = choose()
    assert choice.network.name == "squeezenet"
    assert "SqueezeNet" in choice.sentence


def test_without_weights_the_random_network_is_chosen_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    choice = choose()
    assert choice.network.name == "random"
    assert "never trained" in choice.sentence
    assert "not here yet" in choice.sentence
    assert not list(tmp_path.rglob("*.pth"))


def test_the_scorecard_takes_the_best_network_that_is_here(
    stock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    last = choose(features.SCORECARD)
    assert last.network.name == "random"
    assert "DINOv2 ViT-S/14 (88 MB) are not here yet and the weights of SqueezeNet" in last.sentence
    use_random_weights(tmp_path, monkeypatch)
    light = choose(features.SCORECARD)
    assert light.network.name == "squeezenet"
    assert "since the weights of DINOv2 ViT-S/14 (88 MB) are not here yet" in light.sentence
    use_stock("dinov2", stock, tmp_path, monkeypatch)
    best = choose(features.SCORECARD)
    assert best.network.name == "dinov2"
    assert "since" not in best.sentence


def test_training_stays_with_the_light_network_whatever_is_here(
    stock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_all_weights(stock, tmp_path, monkeypatch)
    assert choose().network.name == "squeezenet"


def test_what_would_be_downloaded_is_said_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert features.missing("random") is None
    assert features.missing("inception").megabytes == pytest.approx(95.6)
    assert features.missing("squeezenet").title == "SqueezeNet 1.1"
    use_random_weights(tmp_path, monkeypatch)
    assert features.missing("squeezenet") is None
    with pytest.raises(ConfigError, match="valid are"):
        features.missing("resnet")


def test_broken_weights_are_named_and_do_not_end_the_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = use_random_weights(tmp_path, monkeypatch)
    path.write_bytes(path.read_bytes()[:1000])
    choice = choose()
    assert choice.network.name == "random"
    assert path.name in choice.sentence
    with pytest.raises(MetricError, match="cannot be read as weights"):
        load("squeezenet")


@pytest.mark.parametrize("content", [{"weight": torch.zeros(3)}, [1, 2], {"features": "text"}])
def test_a_file_that_holds_something_else_is_refused(
    content: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(content, use_random_weights(tmp_path, monkeypatch))
    with pytest.raises(MetricError, match="cannot be read as weights"):
        load("squeezenet")


def test_an_unknown_network_is_refused_with_the_valid_names() -> None:
    with pytest.raises(ConfigError, match="dinov2, inception, squeezenet, random, pixels"):
        load("resnet")


def test_both_networks_see_noise_and_blur_far_from_real_images(
    real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    from medgan.metrics.distribution import kid

    monkeypatch.setenv("TORCH_HOME", str(SHARED / "torch_home"))
    files = sorted((real_data / "isic").rglob("*.jpg"))[::9][:40]
    pictures = np.stack([np.asarray(Image.open(file).convert("RGB").resize((64, 64))) for file in files])
    blurred = np.stack(
        [np.asarray(Image.fromarray(p).resize((8, 8), 4).resize((64, 64), 2)) for p in pictures[::2]]
    )
    noise = np.random.default_rng(0).integers(0, 256, pictures[::2].shape, dtype=np.uint8)
    for network in (choose().network, random_network()):
        real, other, soft, harsh = (
            network.extract(some) for some in (pictures[1::2], pictures[::2], blurred, noise)
        )
        floor, of_blur, of_noise = (
            kid(real=real, fake=f, seed=0, resamples=50) for f in (other, soft, harsh)
        )
        assert floor.low < 0 < floor.high
        assert of_blur.value > 3 * abs(floor.value)
        assert of_noise.low > of_blur.high
