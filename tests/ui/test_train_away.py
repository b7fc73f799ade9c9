"""Training at Hugging Face from the Train page, with a hub on loopback: what is asked and said before, whose
token it takes and where that ends up, and what is said where the Hub does not answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from medgan.data.dataset import Dataset
from medgan.runs.launch import NOTE
from medgan.runs.record import FINISHED, QUEUED, STOPPED, Run, Status
from medgan.runs.status import read_status
from medgan.ui import quotes
from medgan.ui.jobs import Jobs
from medgan.ui.train_away import AGREE, OWN_TOKEN
from medgan.workspace import Workspace
from tests.hub.fakejobs import TOKEN, serve
from tests.hub.fakejobs import Jobs as Hub

ROOT = Path(__file__).resolve().parents[2]
SERVERS = "hf_ofWhoeverSetItUp"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub that knows nobody but `TOKEN`, where this machine is logged in as somebody else."""
    for name in ("HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "MEDGAN_HOSTED", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", SERVERS)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with serve(tmp_path / "jobs") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


def test_it_is_said_agreed_to_and_done_with_the_token_nowhere(
    hub: Hub, data: Dataset, space: Workspace, tmp_path: Path
) -> None:
    app = open_page()
    number(app, "Iterations").set_value(2)
    app.text_input(key="token-new-0").set_value(TOKEN).run()
    until(app, lambda: has(app.selectbox, "flavor"))
    flavor = app.selectbox(key="flavor")
    assert flavor.options == ["CPU Basic: $0.000167 a minute", "Nvidia T4: $0.01 a minute"]
    assert flavor.value == "t4-small", "the cheapest with a GPU"
    assert not has(app.button, "measure"), "here is not where it would be trained"
    until(app, lambda: consent(app) is not None)
    said = " ".join(m.value.replace("\\", "") for m in app.markdown)
    assert "One job of ada on Nvidia T4: $0.01 a minute, so at most $1.20 in 2 hours" in said
    assert "the images of phantoms with manifest.csv" in said and "your token, as the job's secret" in said

    assert app.button(key="start").disabled
    press_all_the_same(app, "start")
    assert not (space.runs / "demo-phantoms").exists(), "nobody has agreed"
    consent(app).check().run()
    app.number_input(key="job-hours").set_value(1.0).run()
    until(app, lambda: consent(app) is not None)
    assert not consent(app).value, "another price is another question"
    assert app.button(key="start").disabled
    consent(app).check().run()
    app.button(key="start").click().run()
    assert not app.exception and not app.error
    assert app.text_input(key="token-new-1").value == "", "it was for this run alone"

    run = Run(space.runs / "demo-phantoms")
    wait(lambda: run.status().state == QUEUED)
    assert seen_of(TOKEN, run.status().pid, [space.root, tmp_path]) == []
    (spec,) = hub.specs
    assert spec["secrets"] == {"HF_TOKEN": TOKEN}, "a typed token wins over the login of the server"
    assert (spec["flavor"], spec["timeoutSeconds"]) == ("t4-small", 3600)
    hub.go.set()
    # The file itself: the job's process is one of this machine here, and ends before that is fetched.
    wait(lambda: not read_status(run.folder / "status.json").alive)
    assert run.status().state == FINISHED, (run.folder / "log.txt").read_text()
    assert run.latest() is not None
    assert seen_of(TOKEN, run.status().pid, [space.root, tmp_path / "hf"]) == []


def test_a_job_that_waits_is_stopped_on_the_page(hub: Hub, data: Dataset, space: Workspace) -> None:
    app = open_page()
    app.text_input(key="token-new-0").set_value(TOKEN).run()
    until(app, lambda: consent(app) is not None)
    consent(app).check().run()
    app.button(key="start").click().run()
    run = Run(space.runs / "demo-phantoms")
    wait(lambda: run.status().state == QUEUED)
    app.run()
    app.button(key="ask_stop").click().run()
    wait(lambda: not run.status().alive)
    assert (run.status().state, hub.cancelled) == (STOPPED, True)


def test_the_login_of_a_machine_of_ones_own_is_taken_where_nothing_is_typed(
    hub: Hub, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    app = open_page()
    until(app, lambda: any("Nobody is logged in to 127" in i.value.replace("\\", "") for i in app.info))
    assert not app.error
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    app.button(key="again-new-hardware").click().run()
    until(app, lambda: consent(app) is not None)
    assert not app.error


def test_on_a_server_of_many_a_token_of_ones_own_is_needed(
    hub: Hub, data: Dataset, space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDGAN_HOSTED", "1")
    monkeypatch.setenv("HF_TOKEN", TOKEN)  # the server's, which could
    app = open_page()
    assert [info.value for info in app.info if info.value == OWN_TOKEN] == [OWN_TOKEN]
    assert app.button(key="start").disabled
    press_all_the_same(app, "start")
    assert not hub.seen and not list(space.runs.iterdir())
    app.text_input(key="token-new-0").set_value("hf_strangers").run()
    until(app, lambda: bool(app.error))
    assert "does not know you" in errors(app)


@pytest.mark.parametrize("typed", ["hf_a b", "hf_\u00e4", "hf_a\u200b", "hf_a\0b"])
def test_what_no_token_can_be_is_refused_without_asking(hub: Hub, data: Dataset, typed: str) -> None:
    app = open_page()
    app.text_input(key="token-new-0").set_value(typed).run()
    assert "That is no token" in errors(app)
    assert app.button(key="start").disabled


def test_a_hub_that_refuses_or_is_away_is_a_sentence(
    hub: Hub, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.down.set()
    app = open_page()
    until(app, lambda: bool(app.error))
    assert "127.0.0.1" in errors(app) and "trouble of its own (HTTP 503)" in errors(app)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    app.button(key="again-new-hardware").click().run()
    until(app, lambda: bool(app.error))
    assert "127.0.0.1:9 cannot be reached" in errors(app)
    assert app.button(key="start").disabled
    assert not app.exception


def test_a_silent_hub_holds_up_neither_the_page_nor_the_answer(
    hub: Hub, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotes, "PATIENCE", 3.0)
    monkeypatch.setattr("tests.hub.fakejobs._JobsHandler._known", lambda self: self.hub.closing.wait())
    before = time.monotonic()
    app = open_page()
    assert any("Asking Hugging Face" in m.value for m in app.markdown)
    assert time.monotonic() - before < 20
    until(app, lambda: bool(app.error))
    assert "did not answer within" in errors(app)


def test_a_run_goes_on_there_with_a_token_and_a_yes(hub: Hub, data: Dataset, space: Workspace) -> None:
    run = stopped_there(space, data)
    hub.cancelled = True
    app = open_page("here")
    app.button(key="resume").click().run()
    until(app, lambda: "does not know you" in errors(app))
    app.text_input(key="token-run-far-0").set_value(TOKEN).run()
    until(app, lambda: consent(app) is not None)
    assert any("at most $1.80 in 3 hours" in m.value.replace("\\", "") for m in app.markdown)
    press_all_the_same(app, "resume-there")
    assert not hub.specs and not run.status().alive
    consent(app).check().run()
    app.button(key="resume-there").click().run()
    assert not app.exception
    wait(lambda: not run.status().alive)
    ((flavor, secrets),) = [(spec["flavor"], spec["secrets"]) for spec in hub.specs]
    assert (flavor, secrets) == ("t4-small", {"HF_TOKEN": TOKEN})
    assert seen_of(TOKEN, run.status().pid, [space.root]) == []


def test_a_job_that_is_still_there_is_followed_again_and_costs_no_yes(
    hub: Hub, data: Dataset, space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_there(space, data)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    resumed: list[tuple[str, bool]] = []
    monkeypatch.setattr(Jobs, "resume", lambda self, run, *, token, agreed: resumed.append((token, agreed)))
    app = open_page("here")
    app.button(key="resume").click().run()
    until(app, lambda: any("Job ada/old has this run still" in i.value.replace("\\", "") for i in app.info))
    app.button(key="resume-there").click().run()
    assert resumed == [("", False)], "nobody has agreed to a new job"


# ---- what they are made of


def open_page(engine: str = "hf-jobs") -> AppTest:
    app = AppTest.from_file(str(ROOT / "medgan" / "ui" / "main.py"), default_timeout=60)
    app.run()
    app.switch_page(str(ROOT / "pages" / "train.py")).run()
    app.radio(key="preset").set_value("demo")
    return app.segmented_control(key="engine").set_value(engine).run()


def press_all_the_same(app: AppTest, key: str) -> None:
    """Press a button that is disabled, as a browser can be made to."""
    button = app.button(key=key)
    assert button.disabled
    button.proto.disabled = False
    button.click().run()


def stopped_there(space: Workspace, data: Dataset) -> Run:
    """A run whose job is over."""
    run = Run(space.runs / "far")
    run.create({"preset": "demo", "dataset": {"name": data.name, "path": str(data.folder)}, "train": {}})
    note = {"engine": "hf-jobs", "job": "ada/old", "hours": 3.0, "settings": {"flavor": "t4-small"}}
    (run.folder / NOTE).write_text(json.dumps(note))
    run.write_status(Status(STOPPED, step=5, iterations=9))
    return run


def consent(app: AppTest):  # type: ignore[no-untyped-def]
    return next((box for box in app.checkbox if box.label == AGREE), None)


def errors(app: AppTest) -> str:
    return " ".join(error.value.replace("\\", "") for error in app.error)


def has(widgets, key: str) -> bool:  # type: ignore[no-untyped-def]
    return key in {widget.key for widget in widgets}


def number(app: AppTest, label: str):  # type: ignore[no-untyped-def]
    return next(n for n in app.number_input if n.label == label)


def until(app: AppTest, true: Callable[[], bool]) -> None:
    """Run the page, as its timer does, until that is so."""

    def look() -> bool:
        app.run()
        assert not app.exception
        return true()

    wait(look)


def seen_of(token: str, pid: int, folders: list[Path]) -> list[str]:
    """Where the token can be read: files below the folders, and the command line of the process."""
    found = [
        str(path)
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and token.encode() in path.read_bytes()
    ]
    with suppress(psutil.NoSuchProcess):  # it may have ended meanwhile
        found += [word for word in psutil.Process(pid).cmdline() if token in word]
    return found


def wait(done: Callable[[], bool], seconds: float = 150.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.2)
