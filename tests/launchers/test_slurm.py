"""SLURM: with submitit's own executor for this machine, and with commands that answer as a cluster's do."""

from __future__ import annotations

import importlib.util
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import submitit

from medgan.arguments import build_parser
from medgan.cli import COMMANDS, elsewhere, main
from medgan.cli.elsewhere import PASSED, ordered
from medgan.data.phantom import draw_set
from medgan.data.prepare import store
from medgan.errors import ConfigError, RunError
from medgan.files import write_json
from medgan.launchers.follow import Follower, begin
from medgan.launchers.order import ENDED, PENDING, RUNNING, JobState, Order
from medgan.launchers.slurm import FOLDER, Slurm
from medgan.runs.launch import NOTE, resume
from medgan.runs.record import FINISHED, STOPPED, Run
from medgan.workspace import Workspace


class Nearby(Slurm):
    """Its jobs are processes of this machine; submitit does all the rest as on a cluster."""

    def reachable(self) -> list[str]:
        return []

    def executor(self, order: Order) -> Any:
        executor = submitit.LocalExecutor(order.run / FOLDER)
        executor.update_parameters(timeout_min=60)
        return executor

    def state(self, order: Order, job: str) -> JobState:
        word = self._job(order, job).state
        return JobState(RUNNING if word == "RUNNING" else ENDED, word)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small data set on a disk that all machines share, as it were."""
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    images, labels = draw_set("chest-ct", 12, size=64)
    return store(images, labels, tmp_path / "ct", name="ct", split="0.75/0/0.25").folder


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts a shell script on the path; what it was called with is in the file that is returned."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def command(name: str, script: str) -> Path:
        called = folder / f"{name}.called"
        path = folder / name
        path.write_text(f'#!/bin/sh\necho "$@" >> {called}\n{script}\n')
        path.chmod(0o755)
        return called

    return command


def order_of(*arguments: object) -> Order:
    return ordered(build_parser(COMMANDS).parse_args(["train", *map(str, arguments)]))


def test_the_command_trains_as_a_job(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(elsewhere.LAUNCHERS, "slurm", Nearby)
    run = tmp_path / "run"
    train = ["train", str(data), "--run", str(run), "--on", "slurm"]
    assert main([*train, "--preset", "demo", "--iterations", "3", "--device", "cpu", "--json"]) == 0
    out, err = capsys.readouterr()
    assert '"state": "finished"' in out
    assert "One job in the usual one: processors alone, at most 12 hours" in err
    status = Run(run).status()
    assert (status.state, status.step) == (FINISHED, 3)
    assert Run(run).config()["preset"] == "demo"
    assert main([*train, "--preset", "demo"]) == 2
    assert "holds a run already" in capsys.readouterr().err


def test_a_job_that_must_make_room_saves_and_goes_on(data: Path, tmp_path: Path) -> None:
    order = order_of(data, "--run", tmp_path / "run", "--preset=demo", "--iterations=100000", "--device=cpu")
    launcher, run = Nearby(), Run(order.run)
    job = begin(launcher, order)
    ends: list[Any] = []
    thread = threading.Thread(target=lambda: ends.append(Follower(launcher, order, job, ask=0.3).follow()))
    thread.start()
    _until(lambda: run.status().step >= 3)
    first = run.status()
    task = psutil.Process(int(job)).children()[0]
    task.send_signal(signal.SIGUSR2)
    _until(lambda: run.status().pid != first.pid and run.status().step > first.step)
    assert run.status().alive
    run.request_stop()
    thread.join(120)
    (status,) = ends
    assert status.state == STOPPED
    steps = [event["step"] for event in run.events() if "step" in event]
    assert steps == sorted(set(steps)), "no step was done twice"
    assert run.latest() is not None


def test_the_job_that_is_submitted_is_as_asked_for(data: Path, commands: Any, tmp_path: Path) -> None:
    sbatch = commands("sbatch", 'cp "$1" "$0.script"; echo Submitted batch job 4711')
    commands("srun", "")
    commands("sinfo", "echo gpu; echo long")
    scancel = commands("scancel", "")
    how = (
        "--partition",
        "gpu",
        "--devices",
        2,
        "--hours",
        1.5,
        "--slurm",
        "account=ai",
        "--slurm",
        "mem=32G",
    )
    order = order_of(data, "--run", tmp_path / "run", *how)
    launcher = Slurm()
    assert launcher.needs(order) == []
    assert launcher.plan(order)[0].startswith("One job in partition gpu: 2 GPUs, at most 1.5 hours")
    job = begin(launcher, order)
    assert job == "4711"
    script = sbatch.with_name("sbatch.script").read_text()
    for line in ("partition=gpu", "gpus-per-node=2", "time=90", "account=ai", "mem=32G", "signal=USR2@120"):
        assert f"#SBATCH --{line}\n" in script
    assert "export PYTHONPATH=" in script
    for said, stage in (
        ("PENDING", PENDING),
        ("RUNNING", RUNNING),
        ("CANCELLED by 1000", ENDED),
        ("TIMEOUT", ENDED),
        ("", PENDING),  # not in its books yet
    ):
        commands("sacct", f'echo "JobID|State|NodeList"; echo "4711|{said}|n1"')
        again = Slurm()  # as after a restart
        again._job(order, job).watcher.clear()
        assert again.state(order, job).stage == stage, said
    launcher.cancel(order, job)
    assert scancel.read_text() == "4711\n"


def test_what_is_missing_is_said_before_anything_starts(
    data: Path, commands: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = order_of(data, "--run", tmp_path / "run", "--partition", "gpus")
    assert Slurm().needs(order) == ["There is no sbatch here; call it on a login node of the cluster."]
    commands("sbatch", "echo sbatch: error: Invalid account >&2; exit 1")
    commands("srun", "")
    commands("sinfo", "echo gpu; echo long")
    assert Slurm().needs(order) == ["There is no partition 'gpus' on this cluster; there are: gpu, long."]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert "is on this machine's own disk" in " ".join(Slurm().needs(order))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install submitit" in Slurm().needs(order)[0]
    with pytest.raises(RunError, match=r"SLURM did not take the job: .*Invalid account"):
        Slurm().start(order)


def test_an_option_that_sbatch_does_not_have_is_refused(data: Path, commands: Any, tmp_path: Path) -> None:
    commands("srun", "")
    order = order_of(data, "--run", tmp_path / "run", "--slurm", "colour=red")
    with pytest.raises(ConfigError, match="colour"):
        Slurm().start(order)
    with pytest.raises(ConfigError, match="no KEY=VALUE"):
        order_of(data, "--run", tmp_path / "run", "--slurm", "red")


def test_every_option_of_train_reaches_the_job(data: Path, tmp_path: Path) -> None:
    options = build_parser(COMMANDS).parse_args(["train", str(data), "--run", "r"])
    known = {"dataset", "run", "set", "conditional", "resume", "init"}
    known |= {"command", "json", "estimate", "plan"}
    assert set(vars(options)) == {*PASSED, *known, "on", "hours", "partition", "slurm", "flavor", "yes"}
    order = order_of(
        data, "--run", tmp_path / "r", "--set", "learning_rate=1e-4", "--stop-on=kid", "--conditional"
    )
    assert order.arguments == (
        *(str(data), f"--run={tmp_path / 'r'}"),
        *("--stop-on=kid", "--set=learning_rate=1e-4", "--conditional"),
    )
    assert order.again == (str(data), f"--run={tmp_path / 'r'}", "--resume")


def test_a_run_that_goes_on_asks_for_what_it_had(data: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "r")
    run.create({"device": "cuda", "devices": 2})
    note = {"engine": "slurm", "job": "1", "hours": 3, "settings": {"partition": "gpu", "account": "ai"}}
    write_json(run.folder / NOTE, note)
    order = order_of(data, "--run", run.folder, "--resume", "--on=slurm", "--slurm=account=other")
    assert (order.gpus, order.hours) == (2, 3)
    assert order.settings == {"partition": "gpu", "account": "other"}
    assert order.again == (str(data), f"--run={run.folder}", "--resume")


def test_the_resume_button_goes_to_the_same_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr(
        "medgan.runs.launch.launch", lambda run, arguments, *_, **__: started.append(arguments)
    )
    run = Run(tmp_path / "r")
    run.create({"dataset": {"path": "/data/ct"}})
    resume(run, Workspace(tmp_path))
    write_json(run.folder / NOTE, {"engine": "slurm", "job": "1"})
    resume(run, Workspace(tmp_path))
    assert [arguments[-1] for arguments in started] == ["--resume", "--on=slurm"]


def _until(true: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)
