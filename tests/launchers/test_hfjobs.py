"""Hugging Face Jobs with the real client: what is said before, a training from here to there and back, and
what happens where the Hub refuses."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medgan.arguments import build_parser
from medgan.cli import COMMANDS, main
from medgan.cli.elsewhere import ordered
from medgan.config import ModelConfig
from medgan.data.phantom import draw_set
from medgan.data.prepare import store
from medgan.errors import HubError
from medgan.launchers.follow import Follower, begin, known_job
from medgan.launchers.hfjobs import BOOT, HfJobs, _hub_name
from medgan.launchers.order import Order
from medgan.runs.record import FAILED, FINISHED, QUEUED, RUNNING, STOPPED, Run
from tests.hub.fakejobs import TOKEN, Jobs, serve

HOW = ("--preset", "demo", "--device", "cpu", "--on", "hf-jobs", "--flavor", "t4-small")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Jobs]:
    from huggingface_hub import HfApi, close_session, constants, set_client_factory
    from huggingface_hub.utils._http import default_client_factory

    for name in ("HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "hf" / "token"))
    monkeypatch.setattr(HfApi, "_whoami_cache", {}, raising=False)
    with serve(tmp_path / "jobs") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        # As where it is set before the import, which reads it.
        template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield hub
    set_client_factory(default_client_factory)
    close_session()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    images, labels = draw_set("chest-ct", 12, size=64)
    return store(images, labels, tmp_path / "ct", name="ct", split="0.75/0/0.25").folder


def order_of(*arguments: object) -> Order:
    return ordered(build_parser(COMMANDS).parse_args(["train", *map(str, arguments)]))


def failed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["train", *map(str, arguments)]) == 2
    return capsys.readouterr().err


def test_what_it_takes_and_costs_is_said_and_asked_before_anything_is_sent(
    hub: Jobs, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = (data, "--run", tmp_path / "run", *HOW, "--hours", 2)
    said = failed(capsys, *train)
    assert "One job of ada on Nvidia T4: $0.01 a minute, so at most $1.20 in 2 hours" in said
    assert "the images of ct with manifest.csv (names of the files, groups) and report.json, this" in said
    assert "your token, as the job's secret" in said
    assert "Nothing was started: add --yes" in said
    assert main(["train", *map(str, train), "--plan", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert (planned["job"], planned["needs"], len(planned["plan"])) == (None, [], 3)
    assert [one["name"] for one in planned["hardware"]] == ["cpu-basic", "t4-small"]
    assert "--estimate measures one here" in failed(capsys, data, "--plan")
    named = failed(capsys, *train, "--flavor", "h900")
    assert "no hardware 'h900'; there is: cpu-basic ($0.000167 a minute), t4-small ($0.01 a minute)" in named
    monkeypatch.delenv("HF_TOKEN")
    assert "Nobody is logged in to 127.0.0.1" in failed(capsys, *train)
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    assert "does not know you" in failed(capsys, *train)
    assert not hub.files and not hub.specs
    assert not (tmp_path / "run").exists()


def test_a_training_goes_there_and_comes_back(hub: Jobs, data: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    order = order_of(
        data, "--run", run.folder, *HOW, "--iterations", 100000, "--hours", 2, "--set=log_every=1"
    )
    launcher = HfJobs()
    assert launcher.needs(order) == []
    job = begin(launcher, order)
    assert (job, run.status().state) == ("ada/job1", QUEUED)
    (spec,) = hub.specs
    assert (spec["flavor"], spec["timeoutSeconds"]) == ("t4-small", 7200)
    assert spec["command"] == ["bash", "-c", BOOT]
    assert spec["secrets"] == {"HF_TOKEN": TOKEN}
    (repo,) = hub.files
    assert hub.private[repo]
    assert TOKEN.encode() not in b"".join(hub.files[repo].values())

    ends: list[Any] = []
    follower = Follower(launcher, order, job, ask=0.3)
    thread = threading.Thread(target=lambda: ends.append(follower.follow()), daemon=True)
    thread.start()
    hub.go.set()
    _until(lambda: run.status().step >= 2 or bool(ends))
    assert run.status().state == RUNNING
    hub.down.set()  # a while without the Hub is no harm
    time.sleep(1.5)
    hub.down.clear()
    run.request_stop()  # as the dashboard and `runs stop` do
    thread.join(150)
    (status,) = ends
    assert status.state == STOPPED, hub.log()
    step = status.step
    assert run.config()["dataset"]["path"] == str(data)
    latest = run.latest()
    assert latest is not None and latest.name == f"step-{step:06d}"
    assert any(event.get("step") for event in run.events())
    assert not (run.folder / "stop").exists()
    assert hub.stage() == "COMPLETED"

    # The same run goes on there, from what lies here.
    again = order_of(
        data, "--run", run.folder, "--resume", "--iterations", step + 2, *HOW[4:], "--device=cpu"
    )
    second = HfJobs()
    job = begin(second, again)
    assert set(hub.files) == {repo}, "through the same data set"
    status = Follower(second, again, job, ask=0.3).follow()
    assert (status.state, status.step) == (FINISHED, step + 2), hub.log()


def test_a_job_that_fails_to_begin_says_why(hub: Jobs, data: Path, tmp_path: Path) -> None:
    order = order_of(data, "--run", tmp_path / "run", *HOW, "--set", "ngf=-1")
    launcher = HfJobs()
    hub.go.set()
    job = begin(launcher, order)
    status = Follower(launcher, order, job, ask=0.3).follow()
    assert status.state == FAILED
    assert "ngf" in status.message


def test_the_last_words_of_a_job_stay_beside_those_of_the_training(
    hub: Jobs, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = order_of(data, "--run", tmp_path / "run", *HOW, "--set", "ngf=-1")
    launcher = HfJobs()
    monkeypatch.setattr(hub, "log", lambda: ["Killed: out of memory"])
    hub.go.set()
    job = begin(launcher, order)
    Follower(launcher, order, job, ask=0.3).follow()
    launcher.sync(order, job)
    lines = (tmp_path / "run" / "log.txt").read_text().splitlines()
    assert len(lines) == 2 and "ngf" in lines[0] and lines[1] == "Killed: out of memory"


def test_a_refusal_says_what_to_do(hub: Jobs, data: Path, tmp_path: Path) -> None:
    order = order_of(data, "--run", tmp_path / "run", *HOW)
    for status, words in ((402, "no credit for jobs"), (403, "job.write"), (500, "trouble of its own")):
        hub.refuse = {"/api/jobs/ada": status}
        with pytest.raises(HubError, match=words):
            HfJobs().start(replace(order, run=tmp_path / f"run-{status}"))
    hub.refuse = {"/api/repos/create": 403}
    with pytest.raises(HubError, match="does not let you write to ada/medgan-other-"):
        HfJobs().start(replace(order, run=tmp_path / "other"))
    assert not hub.specs


def test_images_do_not_go_where_everybody_sees_them(hub: Jobs, data: Path, tmp_path: Path) -> None:
    order = order_of(data, "--run", tmp_path / "run", *HOW)
    HfJobs().start(order)
    (repo,) = hub.files
    commits = len(hub.commits[repo])
    hub.private[repo] = False  # somebody made it public on its page
    with pytest.raises(HubError, match="is public: everybody would see the images"):
        HfJobs().start(order)
    assert (len(hub.commits[repo]), len(hub.specs)) == (commits, 1)


@pytest.mark.parametrize("name", ["Größe", "a--b..c", "x" * 59 + "-yz", "肺", "-.-"])
def test_any_name_of_a_run_becomes_one_that_the_hub_takes(name: str) -> None:
    from huggingface_hub.utils import validate_repo_id

    validate_repo_id(f"ada/medgan-{_hub_name(name)}-abc123")
    assert _hub_name(name).isascii()


def test_a_waiting_job_is_cancelled_by_a_stop(hub: Jobs, data: Path, tmp_path: Path) -> None:
    order = order_of(data, "--run", tmp_path / "run", *HOW)
    launcher = HfJobs()
    job = begin(launcher, order)
    Run(order.run).request_stop()
    status = Follower(launcher, order, job, ask=0.2).follow()
    assert (status.state, hub.cancelled) == (STOPPED, True)


def test_a_job_of_before_is_found_forgotten_or_not_to_be_had(hub: Jobs, data: Path, tmp_path: Path) -> None:
    order = order_of(data, "--run", tmp_path / "run", *HOW)
    job = begin(HfJobs(), order)
    assert known_job(order, HfJobs()) == job
    hub.down.set()
    with pytest.raises(HubError, match="trouble of its own"):
        known_job(order, HfJobs())
    hub.down.clear()
    hub.forgotten = True
    assert known_job(order, HfJobs()) is None


def test_a_model_to_begin_with_goes_along(hub: Jobs, data: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "model.safetensors"):
        (model / name).write_bytes(b"{}")
    order = order_of(data, "--run", tmp_path / "run", *HOW[4:])
    order = replace(order, arguments=(*order.arguments, f"--init={model}"))
    config = {"format": 1, "model": ModelConfig().to_json(), "about": {"name": "skin"}}
    (model / "config.json").write_text(json.dumps(config))
    order = replace(order, settings={"flavor": "t4-small"})
    assert "report.json, the model skin to begin with, this code" in HfJobs().plan(order)[1]
    (model / "discriminator.safetensors").write_bytes(b"{}")
    assert "the model skin with its discriminator to begin with, this code" in HfJobs().plan(order)[1]
    HfJobs().start(order)
    (repo,) = hub.files
    note = json.loads(hub.files[repo]["order/order.json"])
    assert note["arguments"] == ["{away}/data", "--run={away}/run", "--init={away}/init"]
    assert {"order/code.zip", "order/data.zip", "order/init.zip"} <= hub.files[repo].keys()


def _until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)
