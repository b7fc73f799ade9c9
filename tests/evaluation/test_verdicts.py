"""Generators whose faults are known get the verdict that they deserve."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

from medgan.data.decoding import decode
from medgan.data.phantom import draw_set
from medgan.data.records import find_records
from medgan.evaluation import verdicts
from medgan.evaluation.kinds import KINDS, PARTS
from medgan.evaluation.rows import METRICS
from medgan.images import fit
from medgan.metrics import diversity
from tests.conftest import SHARED
from tests.evaluation import generators as known
from tests.evaluation.generators import Bench, Generator, Images

QUALITY, DIVERSITY, MEMORISATION = PARTS
FAILS = {"fail"}
DOUBTED = {"warn", "fail"}
GOOD = {"good"}
NO_COPIES = {"good", "warn"}
"""Blurred images do lie nearer to all others, and a single image may happen to lie near another."""

DESERVED = [
    (known.disjoint, {QUALITY: GOOD, DIVERSITY: GOOD, MEMORISATION: GOOD}),
    (known.identical, {QUALITY: GOOD, DIVERSITY: GOOD, MEMORISATION: FAILS}),
    (known.one_image, {QUALITY: FAILS, DIVERSITY: FAILS, MEMORISATION: NO_COPIES}),
    (known.five_images, {QUALITY: DOUBTED, DIVERSITY: FAILS}),
    (known.twenty_images, {QUALITY: DOUBTED, DIVERSITY: FAILS}),
    (known.noisy_copies, {MEMORISATION: FAILS}),
    (known.flipped_copies, {DIVERSITY: GOOD, MEMORISATION: FAILS}),
    (known.flipped_noisy_copies, {MEMORISATION: FAILS}),
    (known.blurrer, {QUALITY: FAILS, MEMORISATION: NO_COPIES}),
    (known.mean_images, {QUALITY: FAILS, DIVERSITY: FAILS}),
    (known.noise, {QUALITY: FAILS, DIVERSITY: FAILS, MEMORISATION: GOOD}),
]
EACH = pytest.mark.parametrize(
    ("generator", "deserved"), DESERVED, ids=[generator.__name__ for generator, _ in DESERVED]
)


def check(bench: Bench, generator: Generator, deserved: dict[str, set[str]]) -> None:
    found = bench.card(generator).report["verdicts"]
    for part, levels in deserved.items():
        assert found[part]["level"] in levels, f"{part}: {found[part]}"


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    images = draw_set("dermoscopy", 300, seed=3, size=64)[0]
    sets = Images(images[:140], images[140:220], images[220:])
    return Bench(tmp_path_factory.mktemp("phantoms"), sets, features="random")


@pytest.fixture(scope="module")
def isic(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    home = SHARED / "torch_home"
    if not (home / "hub" / "checkpoints").is_dir():
        pytest.skip(f"needs the SqueezeNet weights in {home}")
    records = find_records([real_data / "isic"]).records
    order = np.random.default_rng(0).permutation(len(records))
    images = np.stack(
        [
            fit(next(iter(decode(records[k].read(), records[k].name).pictures)).image, 128, 3)
            for k in order[:320]
        ]
    )
    sets = Images(images[:160], images[160:240], images[240:])
    return Bench(tmp_path_factory.mktemp("isic"), sets, features="squeezenet", weights=home)


@EACH
def test_on_phantoms(phantoms: Bench, generator: Generator, deserved: dict[str, set[str]]) -> None:
    check(phantoms, generator, deserved)


@EACH
def test_on_real_images(isic: Bench, generator: Generator, deserved: dict[str, set[str]]) -> None:
    check(isic, generator, deserved)


def test_spread_misses_a_collapse_that_other_figures_see(phantoms: Bench) -> None:
    assert phantoms.value(known.twenty_images, "spread_ratio") > diversity.WARN
    assert phantoms.value(known.twenty_images, "repeats") > 0.9


def test_the_closest_pairs_of_a_copier_are_shown_and_flagged(phantoms: Bench) -> None:
    card = phantoms.card(known.flipped_copies)
    assert len(card.report["pairs"]) == 12
    for pair, pictures in zip(card.report["pairs"], card.pictures.pairs, strict=True):
        assert pair["flagged"]
        assert pair["turn"] == "mirrored, as it is"
        assert np.array_equal(pictures[0], pictures[1]), "shown turned, a mirrored copy is the image itself"


def test_the_papers_three_have_no_say() -> None:
    assert not {name.lower() for name in METRICS} & {kind.title.lower() for kind in KINDS.values()}
    assert "rows" not in inspect.signature(verdicts.verdicts).parameters
