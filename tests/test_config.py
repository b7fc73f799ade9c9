"""Settings: both ways through JSON, bad values refused, presets that mean what the paper says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from medgan.config import FROM_THE_DATA, ModelConfig, TrainConfig, parse_changes
from medgan.errors import ConfigError
from medgan.presets import PRESETS, preset


@pytest.mark.parametrize(
    "settings", [ModelConfig(channels=1, size=64, ngf=7), TrainConfig(seed=3, batch_size=5)]
)
def test_settings_survive_json(settings: Any) -> None:
    assert type(settings).from_json(json.loads(json.dumps(settings.to_json()))) == settings


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"channels": 2}, "1 .grey. or 3 .colour."),
        ({"channels": "3"}, "channels is 3"),
        ({"size": 100}, "64, 128, 256"),
        ({"size": 0}, "64, 128, 256"),
        ({"ngf": 0}, "ngf is 0; it must be a whole number from 1"),
        ({"ndf": -4}, "ndf is -4"),
        ({"latent": 0}, "latent is 0"),
        ({"widht": 3}, "no ModelConfig setting 'widht'"),
    ],
)
def test_a_model_that_cannot_be_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        ModelConfig.from_json(wrong)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"batch_size": 1}, "batch_size is 1; it must be at least 2"),
        ({"epochs": 0}, "epochs is 0"),
        ({"iterations": -1}, "iterations is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; it must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"log_every": 0}, "log_every is 0"),
        ({"sample_every": 0}, "sample_every is 0"),
        ({"checkpoint_every": 0}, "checkpoint_every is 0"),
        ({"precision": "bfloat61"}, "Did you mean 'bfloat16'"),
        ({"batch_sise": 3}, "Did you mean 'batch_size'"),
    ],
)
def test_a_training_that_cannot_be_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        TrainConfig.from_json(wrong)


@pytest.mark.parametrize(("images", "iterations"), [(160, 2000), (120, 1600), (121, 1600), (1, 200)])
def test_the_paper_preset_runs_as_many_iterations_as_the_paper(images: int, iterations: int) -> None:
    assert preset("paper").train.total_iterations(images) == iterations


@pytest.mark.parametrize("name", PRESETS)
def test_of_no_images_there_are_no_iterations(name: str) -> None:
    assert preset(name).train.total_iterations(0) == 0


def test_iterations_override_epochs() -> None:
    assert TrainConfig(epochs=200, iterations=7).total_iterations(160) == 7


def test_the_paper_preset_is_the_dcgan_tutorials_setting() -> None:
    row = preset("paper")
    assert row.model == ModelConfig("sngan", channels=3, size=128, latent=100, ngf=64, ndf=64)
    train = row.train
    assert (train.learning_rate, train.beta1, train.beta2) == (2e-4, 0.5, 0.999)
    assert (train.batch_size, train.epochs) == (16, 200)


def test_an_unknown_preset_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match=r"no preset 'papr'; valid are: small, .*Did you mean 'paper'"):
        preset("papr")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_takes_the_shape_of_the_data_and_single_overrides(name: str) -> None:
    row = preset(name)
    model, train = row.for_data(channels=1, size=64, batch_size=4, seed=None)
    assert (model.channels, model.size, model.ngf) == (1, 64, row.model.ngf)
    assert (train.batch_size, train.seed, train.epochs) == (4, row.train.seed, row.train.epochs)


def test_texts_become_changes_of_the_right_kind() -> None:
    assert parse_changes(["ngf=8", " learning_rate = 1e-4 ", "precision=float32"]) == (
        {"ngf": 8},
        {"learning_rate": 1e-4, "precision": "float32"},
    )


def test_every_setting_but_those_of_the_data_can_be_changed() -> None:
    for settings in (ModelConfig(), TrainConfig()):
        for name, value in settings.to_json().items():
            if name in FROM_THE_DATA:
                continue
            model, train = parse_changes([f"{name}={value}"])
            assert (model | train) == {name: value}
            assert type((model | train)[name]) is type(value)


def test_a_goal_is_one_of_three_or_epochs() -> None:
    assert TrainConfig().goal() == {}
    config = TrainConfig(iterations=5)
    assert config.goal() == {"iterations": 5}
    assert config.with_goal({"kimg": 2.0}).goal() == {"kimg": 2.0}
    assert config.with_goal({}) == config
    with pytest.raises(ConfigError, match="given twice, as iterations and minutes"):
        TrainConfig(iterations=5, minutes=1.0)
