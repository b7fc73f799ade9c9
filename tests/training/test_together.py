"""Several processes that train together make the curve of one, and none of them is missed silently."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medgan.data.prepare import store
from medgan.errors import ConfigError
from medgan.runs.record import FAILED, FINISHED, Run
from medgan.training import processes
from medgan.training.devices import local_devices, usable_cores
from medgan.training.processes import check
from medgan.training.together import ALONE, SharedBatchNorm, Together, share_batch_norm
from tests.training.conftest import smooth_images
from tests.training.watching import LOSSES, training_tensors

ROOT = Path(__file__).resolve().parents[2]
ITERATIONS = 12
CHANGES = ("ngf=4", "ndf=4", "latent=16", "precision=float32", "log_every=1", "checkpoint_every=4")
SETTINGS = ["--preset=demo", "--batch-size=8", "--device=cpu", *(f"--set={change}" for change in CHANGES)]
LIMIT = 240
several_cores = pytest.mark.skipif(usable_cores() < 2, reason="two processes need two cores")


@pytest.fixture
def clouds(tmp_path: Path) -> Path:
    """22 images for training: the last of the three batches has 6, three for each of two processes."""
    store(smooth_images(30, 3), ["a", "b"] * 15, tmp_path / "clouds", name="Clouds", split="22/4/4")
    return tmp_path / "clouds"


def arguments(dataset: Path, run: Path, *more: str, iterations: int = ITERATIONS) -> list[str]:
    return ["train", str(dataset), f"--run-folder={run}", *SETTINGS, f"--iterations={iterations}", *more]


def environment() -> dict[str, str]:
    loopback = {"linux": "lo", "darwin": "lo0"}.get(sys.platform)
    # How wider units round grows from step to step, until it hides what is compared.
    rounding = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    return (
        os.environ
        | {"OMP_NUM_THREADS": "1"}
        | rounding
        | ({"GLOO_SOCKET_IFNAME": loopback} if loopback else {})
    )


def medgan(*words: str, launcher: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *launcher, "-m", "medgan", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=LIMIT, check=False
    )


def accelerate(count: int) -> list[str]:
    """What stands before `-m medgan` to have Accelerate start it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    plain = ["--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no", f"--main_process_port={port}"]
    return ["-m", "accelerate.commands.launch", "--multi_gpu", f"--num_processes={count}", *plain]


def curve(run: Path) -> list[tuple[float, ...]]:
    return [(e["step"], e["images"], *(e[name] for name in LOSSES)) for e in Run(run).events()]


def same(one: list[tuple[float, ...]], other: list[tuple[float, ...]]) -> bool:
    return len(one) == len(other) and torch.allclose(torch.tensor(one), torch.tensor(other), atol=2e-3)


@several_cores
@pytest.mark.timeout(4 * LIMIT)
def test_two_processes_make_the_curve_of_one_and_one_of_them_writes(clouds: Path, tmp_path: Path) -> None:
    alone, two, launched = (tmp_path / name for name in ("alone", "two", "launched"))
    assert medgan(*arguments(clouds, alone)).returncode == 0
    result = medgan(*arguments(clouds, two, "--devices=2", "--json"))
    assert result.returncode == 0, result.stderr
    assert '"devices": 2' in result.stdout
    assert result.stdout.count('"state": "finished"') == 1
    assert same(curve(alone), curve(two))
    expected, found = training_tensors(alone), training_tensors(two)
    assert expected.keys() == found.keys()
    moving = [name for name in expected if name.endswith(("running_mean", "num_batches_tracked"))]
    assert moving
    assert all(torch.allclose(expected[name].float(), found[name].float(), atol=5e-3) for name in moving)
    assert Run(two).status().devices == 2

    result = medgan(*arguments(clouds, launched), launcher=accelerate(2))
    assert result.returncode == 0, result.stderr
    assert same(curve(alone), curve(launched))


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@several_cores
@pytest.mark.timeout(4 * LIMIT)
def test_a_killed_process_ends_the_run_cleanly_and_it_goes_on(clouds: Path, tmp_path: Path) -> None:
    alone, two = tmp_path / "alone", tmp_path / "two"
    command = [sys.executable, "-m", "medgan", *arguments(clouds, two, "--devices=2", iterations=100_000)]
    with (tmp_path / "words.txt").open("wb") as words:
        leader = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=words, stderr=words)
    _until(lambda: (Run(two).latest() is not None) or leader.poll() is not None)
    _other_process(leader.pid).kill()
    code = leader.wait(timeout=LIMIT)
    said = (tmp_path / "words.txt").read_text()
    assert code == 2, said
    assert "Traceback" not in said
    status = Run(two).status()
    assert status.state == FAILED
    assert "One of the 2 processes that share this training has ended." in status.message
    assert "is saved" in status.message
    latest = Run(two).latest()
    assert latest is not None
    goal = int(latest.name[5:]) + 4
    result = medgan("train", str(clouds), f"--run={two}", "--resume", f"--iterations={goal}")
    assert result.returncode == 0, result.stderr
    assert (Run(two).status().state, Run(two).status().devices) == (FINISHED, 2)
    if goal < 60:  # rounding differences grow, as in any GAN
        assert medgan(*arguments(clouds, alone, iterations=goal)).returncode == 0
        assert [row[:2] for row in curve(alone)] == [row[:2] for row in curve(two)]
        assert same(curve(alone)[:ITERATIONS], curve(two)[:ITERATIONS])


@several_cores
@pytest.mark.timeout(2 * LIMIT)
def test_what_the_main_process_cannot_do_is_said_once(tmp_path: Path) -> None:
    result = medgan(*arguments(tmp_path / "nothing", tmp_path / "run", "--devices=2"))
    assert result.returncode == 2
    assert result.stderr.count("medgan: ") == 1, result.stderr
    assert "Traceback" not in result.stderr


def test_the_leader_sees_another_process_end_and_lets_none_outlive_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "GRACE", 0.3)
    sleeps, ends = ([sys.executable, "-c", code] for code in ("import time; time.sleep(300)", "exit(3)"))
    children = [subprocess.Popen(sleeps), subprocess.Popen(ends), subprocess.Popen(sleeps)]
    assert processes._wait(children) is True
    assert all(child.returncode is not None for child in children)
    children = [subprocess.Popen(ends), subprocess.Popen(sleeps)]
    assert processes._wait(children) is False
    assert children[0].returncode == 3


def _until(true: object) -> None:
    end = time.monotonic() + LIMIT
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)


def _other_process(leader: int) -> psutil.Process:
    children = psutil.Process(leader).children()
    [other] = [child for child in children if child.environ().get("RANK") == "1"]
    return other


@given(st.integers(1, 200), st.integers(1, 16))
def test_the_parts_of_a_batch_make_it_up_and_weigh_as_much(images: int, count: int) -> None:
    everyone = [Together(rank, count) for rank in range(count)]
    values = torch.arange(images, dtype=torch.float64)
    means = [values[one.part(images)].mean() * one.weight(images) for one in everyone]
    assert torch.isclose(torch.stack(means).mean(), values.mean())
    if images >= count:
        assert torch.equal(torch.cat([values[one.part(images)] for one in everyone]), values)


def test_alone_everything_is_as_if_there_were_nobody_to_ask() -> None:
    gradient = torch.ones(3)
    ALONE.average([gradient])
    assert torch.equal(gradient, torch.ones(3))
    assert ALONE.share("word") == "word"
    assert ALONE.gather("word") == ["word"]
    assert ALONE.part(5) == slice(0, 5)
    assert ALONE.weight(5) == 1.0


def test_a_shared_batch_norm_keeps_names_and_weights_and_is_an_ordinary_one_when_sampling() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    x = torch.randn(4, 2, 5, 5)
    expected = network(x)
    shared = share_batch_norm(network)
    assert isinstance(shared[1], SharedBatchNorm)  # type: ignore[index]
    assert shared.state_dict().keys() == state.keys()
    assert torch.equal(shared(x), expected)


def test_several_gpus_are_reserved_and_the_one_cpu_once() -> None:
    assert local_devices(torch.device("cuda", 0), 2) == [torch.device("cuda", 0), torch.device("cuda", 1)]
    assert local_devices(torch.device("cuda", 0), 1) == [torch.device("cuda", 0)]
    assert local_devices(torch.device("cpu"), 2) == [torch.device("cpu")]


def test_more_devices_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "usable_cores", lambda: 4)
    check(4, "cpu")
    with pytest.raises(ConfigError, match="--devices 5 is not possible: there are 4 processor cores here"):
        check(5, "cpu")
    with pytest.raises(ConfigError, match="--devices 0 is not possible"):
        check(0, "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="there is 1 GPU here"):
        check(2, "cuda")
