"""Settings as frozen dataclasses. JSON both ways; unknown names fail."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self, get_type_hints

from medgan.errors import ConfigError
from medgan.modalities import AUTO, MODALITIES, OFF

SIZES = (64, 128, 256)
FROZEN = ("", "squeezenet")
PARTS = ("modulated", "batch_spread")
"""What networks may have besides, or not."""
MOST_CLASSES = 1000
AUGMENT = (AUTO, OFF, *MODALITIES)
PRECISIONS = ("auto", "float32", "bfloat16")
DEVICES = ("auto", "cpu", "cuda", "mps")
STOP_ON = ("kid", "never")
GOALS = ("iterations", "kimg", "minutes")
"""The settings of which one says how long to train."""
FROM_THE_DATA = {
    "channels": "prepare one with --color instead",
    "size": "prepare one with --size instead",
    "classes": "leave it away, and add --conditional to tell its classes apart",
}
"""Settings that nobody sets by hand, and what to do instead."""


def _whole(name: str, value: Any, largest: int) -> None:
    if type(value) is not int or not 1 <= value <= largest:
        raise ConfigError(f"{name} is {value}; it must be a whole number from 1 to {largest}.")


def _at_least(name: str, value: int, minimum: int) -> None:
    if value < minimum:
        raise ConfigError(f"{name} is {value}; it must be at least {minimum}.")


def unknown(kind: str, name: Any, valid: Any) -> str:
    """A sentence on a name that is none, with the nearest that is one."""
    close = difflib.get_close_matches(str(name), list(valid), 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"There is no {kind} {name!r}; valid are: {', '.join(valid)}.{hint}"


def _listed(value: Any) -> Any:
    """JSON knows no tuples."""
    return [_listed(one) for one in value] if isinstance(value, tuple) else value


class _Settings:
    """JSON both ways for the dataclasses below."""

    def to_json(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        values: dict[str, Any] = asdict(self)  # type: ignore[call-overload]
        return {name: _listed(value) for name, value in values.items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Settings from JSON; ConfigError naming the nearest valid field for an unknown one."""
        names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        for name in values:
            if name not in names:
                raise ConfigError(unknown(f"{cls.__name__} setting", name, names))
        try:
            return cls(**values)
        except TypeError as error:
            raise ConfigError(f"{cls.__name__} is incomplete: {error}.") from error


@dataclass(frozen=True)
class ModelConfig(_Settings):
    """What is needed to build the two networks.

    `ngf` and `ndf` are the widths of the generator's last and the discriminator's first stage. `frozen` names
    the pretrained network that a part of the discriminator looks through, if any. `modulated`: the latent
    speaks at every stage of the generator and brings noise; `batch_spread`: the discriminator sees how far
    the images of a batch differ. `classes` are those that a class-conditional model tells apart, each with
    its number of training images; none for any other model.
    """

    architecture: str = "sngan"
    channels: int = 3
    size: int = 128
    latent: int = 100
    ngf: int = 64
    ndf: int = 64
    frozen: str = ""
    modulated: bool = False
    batch_spread: bool = False
    classes: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.architecture, str):
            raise ConfigError(f"architecture is {self.architecture}; it must be a name.")
        if self.frozen not in FROZEN:
            raise ConfigError(unknown("frozen network", str(self.frozen), [name or "''" for name in FROZEN]))
        object.__setattr__(self, "classes", _classes(self.classes))  # JSON has lists
        for name in PARTS:
            if type(getattr(self, name)) is not bool:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be true or false.")
        asked = {"classes": bool(self.classes), "frozen network": bool(self.frozen)}
        asked |= {"modulation": self.modulated, "spread of a batch": self.batch_spread}
        if self.plain and any(asked.values()):
            lacking = " and no ".join(name for name, wanted in asked.items() if wanted)
            raise ConfigError(
                f"The paper's networks know no {lacking}; use preset small, or small-cpu without a GPU."
            )
        if self.channels not in (1, 3):
            raise ConfigError(f"channels is {self.channels}; it must be 1 (grey) or 3 (colour).")
        if self.size not in SIZES:
            raise ConfigError(f"size is {self.size}; it must be one of {', '.join(map(str, SIZES))}.")
        for name, largest in _LARGEST.items():
            _whole(name, getattr(self, name), largest)

    @property
    def plain(self) -> bool:
        """Whether these are the paper's networks, which know no classes and no frozen network."""
        return self.architecture == "sngan"


def _classes(value: Any) -> tuple[tuple[str, int], ...]:
    """As a model may have them: none, or two or more, with different names."""
    try:
        pairs = tuple((name, count) for name, count in value)
    except (TypeError, ValueError):
        pairs = (("", 0),)
    good = all(isinstance(name, str) and name and type(count) is int and count > 0 for name, count in pairs)
    if not good or len(pairs) == 1 or len(pairs) > MOST_CLASSES or len(dict(pairs)) < len(pairs):
        raise ConfigError(
            f"classes is {value!r}; it must be two to {MOST_CLASSES} different names, each with its number "
            "of images."
        )
    return pairs


_LARGEST = {"channels": 3, "size": max(SIZES), "latent": 4096, "ngf": 256, "ndf": 256}
"""What a model may ask for: a config that was pulled from elsewhere must not ask for petabytes."""


@dataclass(frozen=True)
class TrainConfig(_Settings):
    """How a model is trained.

    The goal is `iterations`, or `kimg` thousand images shown, or `minutes` of training time (waiting and
    pauses do not count), whichever of the three is not 0; else `epochs` passes over the training images.
    """

    epochs: int = 200
    iterations: int = 0
    kimg: float = 0.0
    minutes: float = 0.0
    batch_size: int = 16
    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    seed: int = 0
    precision: str = "auto"
    augment: str = OFF
    """How the discriminator sees images changed: by modality; `auto`, by that of the data set; or `none`."""
    ema_kimg: float = 0.0
    """Half-life, in thousands of images, of the average of the generator that is sampled from; 0 for none."""
    cuda_graphs: bool = True
    """On an NVIDIA GPU, launch each step as a whole instead of kernel by kernel."""
    log_every: int = 10
    sample_every: int = 100
    checkpoint_every: int = 200
    stop_on: str = "never"
    """`kid`: end when the distance to the validation images stops falling; `never`: at the goal alone."""

    def __post_init__(self) -> None:
        self._check_words()
        if not 0 <= self.ema_kimg < math.inf:
            raise ConfigError(f"ema_kimg is {self.ema_kimg}; it must be 0 or more.")
        for name in ("epochs", "log_every", "sample_every", "checkpoint_every"):
            _at_least(name, getattr(self, name), 1)
        for name in GOALS:
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be a number above 0.")
        if len(self.goal()) > 1:
            raise ConfigError(f"The goal is given twice, as {' and '.join(self.goal())}; give one of them.")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be from 0 to below 1.")
        _at_least("batch_size", self.batch_size, 2)
        _at_least("seed", self.seed, 0)
        if not 0 < self.learning_rate < math.inf:
            raise ConfigError(f"learning_rate is {self.learning_rate}; it must be above 0.")

    def _check_words(self) -> None:
        for kind, word, valid in (
            ("rule to stop", self.stop_on, STOP_ON),
            ("augmentation", self.augment, AUGMENT),
            ("precision", self.precision, PRECISIONS),
        ):
            if word not in valid:
                raise ConfigError(unknown(kind, word, valid))

    def goal(self) -> dict[str, float]:
        """The goal by its name; empty where it is `epochs`."""
        return {name: getattr(self, name) for name in GOALS if getattr(self, name)}

    def with_goal(self, goal: Mapping[str, float]) -> TrainConfig:
        """The same settings with another goal; an empty one changes nothing."""
        changes: dict[str, Any] = dict.fromkeys(GOALS, 0) | dict(goal)
        return replace(self, **changes) if goal else self

    def total_iterations(self, images: int) -> int:
        """Iterations that these settings mean for `images` training images (the last batch of an
        epoch may be smaller, as in the DCGAN tutorial); 0 where time is the goal."""
        if self.minutes or self.iterations:
            return self.iterations
        per_epoch = -(-images // self.batch_size)
        if not self.kimg or not images:
            return self.epochs * per_epoch
        epochs, rest = divmod(math.ceil(1000 * self.kimg), images)
        return epochs * per_epoch + -(-rest // self.batch_size)


def parse_changes(changes: Iterable[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """`key=value` texts as changes of the model and of the training settings.

    ConfigError naming the nearest valid key for an unknown one, or what kind of value is expected.
    """
    model, train = (_kinds(settings) for settings in (ModelConfig, TrainConfig))
    found: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for change in changes:
        name, equals, text = change.partition("=")
        name = name.strip()
        if not equals:
            raise ConfigError(f"--set {change} is not possible; write --set key=value.")
        if name in FROM_THE_DATA:
            raise ConfigError(f"{name} follows from the data set; {FROM_THE_DATA[name]}.")
        if name not in model | train:
            raise ConfigError(unknown("setting", name, [n for n in model | train if n not in FROM_THE_DATA]))
        found[name in train][name] = _parsed(name, text.strip(), (model | train)[name])
    return found


def _kinds(settings: type[_Settings]) -> dict[str, type]:
    hints = get_type_hints(settings)
    return {f.name: hints[f.name] for f in fields(settings)}  # type: ignore[arg-type]


def _parsed(name: str, text: str, kind: type) -> Any:
    words = {int: "a whole number", float: "a number", bool: "true or false"}
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return kind(text)
    except (ValueError, KeyError):
        raise ConfigError(f"{name} is {text!r}; it must be {words.get(kind, 'a word')}.") from None
