"""Weights on disk: whole or refused, with the name of the tensor that is wrong."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from medgan.config import ModelConfig
from medgan.errors import CheckpointError
from medgan.generation.sampling import sample
from medgan.models.build import build_generator
from medgan.runs.checkpoint import load_generator, save_model
from medgan.runs.info import CONFIG, WEIGHTS, ModelInfo, model_sha256, read_info

MODEL = ModelConfig(channels=3, size=64, ngf=4, ndf=4, latent=16)


@pytest.fixture
def generator() -> nn.Module:
    network = build_generator(MODEL, seed=4).train()
    with torch.no_grad():
        network(torch.randn(8, 16, generator=torch.Generator().manual_seed(0)))  # statistics of its own
    return network.eval()


@pytest.fixture
def folder(generator: nn.Module, tmp_path: Path) -> Path:
    path = tmp_path / "lesions"
    path.mkdir()
    save_model(path, generator, ModelInfo(MODEL, {"name": "Lesions"}))
    return path


def change(folder: Path, edit: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(folder / WEIGHTS)
    edit(tensors)
    save_file(tensors, folder / WEIGHTS)


def header_of(path: Path) -> tuple[int, dict[str, Any]]:
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return 8 + length, json.loads(data[8 : 8 + length])


def test_a_model_comes_back_bit_for_bit_ready_to_sample(generator: nn.Module, folder: Path) -> None:
    loaded, info = load_generator(folder)
    assert info == ModelInfo(MODEL, {"name": "Lesions"})
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    for (name, a), b in zip(generator.state_dict().items(), loaded.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    assert (sample(loaded, [0, 1]) == sample(generator, [0, 1])).all()


def test_channels_last_weights_are_stored_in_the_plain_layout(generator: nn.Module, folder: Path) -> None:
    plain = (folder / WEIGHTS).read_bytes()
    save_model(folder, generator.to(memory_format=torch.channels_last), ModelInfo(MODEL))
    assert (folder / WEIGHTS).read_bytes() == plain


def test_half_precision_halves_the_convolutions_and_keeps_the_batch_norm(
    generator: nn.Module, folder: Path
) -> None:
    whole = (folder / WEIGHTS).stat().st_size
    save_model(folder, generator, ModelInfo(MODEL), half=True)
    assert (folder / WEIGHTS).stat().st_size < 0.6 * whole
    stored = load_file(folder / WEIGHTS)
    assert stored["main.0.weight"].dtype == torch.float16
    assert stored["main.1.running_var"].dtype == torch.float32
    loaded, _ = load_generator(folder)
    for (name, a), b in zip(generator.state_dict().items(), loaded.state_dict().values(), strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a.half().float() if a.dim() > 1 else a, b), name
    difference = sample(loaded, range(4)).astype(int) - sample(generator, range(4)).astype(int)
    assert abs(difference).max() <= 2
    save_model(folder, loaded, ModelInfo(MODEL), half=True)
    assert all(torch.equal(t, stored[name]) for name, t in load_file(folder / WEIGHTS).items())


def test_the_sha256_is_that_of_the_weights_file(folder: Path) -> None:
    assert model_sha256(folder) == hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99, 1.0])
def test_weights_that_are_cut_short_name_the_tensor_at_the_cut(folder: Path, share: float) -> None:
    path = folder / WEIGHTS
    start, header = header_of(path)
    data = path.read_bytes()
    size = start + int(share * (len(data) - start)) - (share == 1.0)
    path.write_bytes(data[:size])
    cut = next(
        name
        for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"][1])
        if start + entry["data_offsets"][1] > size
    )
    with pytest.raises(CheckpointError, match=rf"lesions/model\.safetensors is cut short: the tensor {cut} "):
        load_generator(folder)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 200])
def test_weights_that_are_cut_in_their_header_are_refused(folder: Path, size: int) -> None:
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(
        CheckpointError, match=r"lesions/model\.safetensors is not a safetensors file, or its"
    ):
        load_generator(folder)


HOSTILE = {
    "text": b"these are not weights",
    "html": b"<!DOCTYPE html><html>404</html>" * 100,
    "zeros": bytes(1000),
    "endless header": b"\xff" * 8 + b"{}",
    "header is a list": struct.pack("<Q", 2) + b"[]",
    "entry without offsets": struct.pack("<Q", 8) + b'{"a":{}}',
    "offsets are words": struct.pack("<Q", 32) + b'{"a":{"data_offsets":["x","y"]}}',
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_file_that_is_not_safetensors_is_refused(folder: Path, data: bytes) -> None:
    (folder / WEIGHTS).write_bytes(data)
    with pytest.raises(CheckpointError, match=r"lesions/model\.safetensors is not a safetensors file"):
        load_generator(folder)


def test_a_pickle_is_refused_and_never_run(folder: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "exploded",))

    torch.save({"main.0.weight": Bomb()}, folder / WEIGHTS)
    with pytest.raises(CheckpointError, match="is not a safetensors file"):
        load_generator(folder)
    assert not (tmp_path / "exploded").exists()


def test_missing_weights_are_refused(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=r"lesions has no model\.safetensors"):
        load_generator(folder)


def test_a_tensor_of_another_shape_is_named_with_both_shapes(folder: Path) -> None:
    change(folder, lambda tensors: tensors.update({"main.3.weight": torch.zeros(2, 2)}))
    with pytest.raises(CheckpointError, match=r"tensor main\.3\.weight is \(2, 2\), but .* \(32, 16, 4, 4\)"):
        load_generator(folder)


def test_weights_of_another_width_are_refused(folder: Path, generator: nn.Module) -> None:
    values = json.loads((folder / CONFIG).read_text("utf-8"))
    values["model"]["ngf"] = 8
    (folder / CONFIG).write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=r"tensor main\.0\.weight is \(16, 32, 4, 4\)"):
        load_generator(folder)


def test_a_missing_tensor_is_named(folder: Path) -> None:
    change(folder, lambda tensors: tensors.pop("main.4.running_var"))
    with pytest.raises(CheckpointError, match=r"lacks the tensor main\.4\.running_var \(16,\)"):
        load_generator(folder)


def test_an_extra_tensor_is_named(folder: Path) -> None:
    change(folder, lambda tensors: tensors.update({"main.99.weight": torch.zeros(1)}))
    with pytest.raises(
        CheckpointError, match=r"holds the tensor main\.99\.weight, which this network does not"
    ):
        load_generator(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_numbers_are_refused(folder: Path, value: float) -> None:
    change(folder, lambda tensors: tensors["main.6.weight"][0, 0, 0].fill_(value))
    with pytest.raises(CheckpointError, match=r"tensor main\.6\.weight holds values that are not numbers"):
        load_generator(folder)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, r"lesions has no readable config\.json"),
        ("", r"lesions has no readable config\.json"),
        ("[]", r"lesions has no readable config\.json"),
        ("{}", "lesions"),
        ('{"format": 2, "model": {}}', "model format 2; this version reads 1"),
        ('{"format": 1}', r"lesions has no readable config\.json"),
        ('{"format": 1, "model": {"channels": 4}}', "channels is 4; it must be 1"),
        ('{"format": 1, "model": {"depth": 4}}', "no ModelConfig setting 'depth'"),
        ('{"format": 1, "model": {"ngf": "wide"}}', "lesions"),
        ('{"format": 1, "model": {}, "about": 3}', r"lesions has no readable config\.json"),
    ],
)
def test_a_config_that_says_something_impossible_is_refused(
    folder: Path, text: str | None, says: str
) -> None:
    (folder / CONFIG).unlink()
    if text is not None:
        (folder / CONFIG).write_text(text)
    with pytest.raises(CheckpointError, match=says):
        read_info(folder)


def test_an_architecture_that_does_not_exist_is_refused(folder: Path) -> None:
    values = json.loads((folder / CONFIG).read_text("utf-8"))
    values["model"]["architecture"] = "stylegan9"
    (folder / CONFIG).write_text(json.dumps(values))
    with pytest.raises(Exception, match="no architecture 'stylegan9'"):
        load_generator(folder)
