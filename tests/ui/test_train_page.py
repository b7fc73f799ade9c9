"""The Train page: a run from its choices to its end, what its events look like, runs beside each other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from medgan import hardware
from medgan.arguments import build_parser
from medgan.cli import COMMANDS
from medgan.config import parse_changes
from medgan.data.dataset import Dataset
from medgan.data.phantom import draw_set
from medgan.data.prepare import store
from medgan.errors import MedGANError
from medgan.presets import PRESETS
from medgan.runs import requests
from medgan.runs.queue import Queue
from medgan.runs.record import FINISHED, PAUSED, QUEUED, RUNNING, STOPPED, Run, Status, step_name
from medgan.ui import charts, train_monitors, train_runs
from medgan.ui.jobs import Jobs
from medgan.ui.train import asked_of, how_far
from medgan.ui.train_begin import FROM_A_MODEL
from medgan.ui.train_curves import POINTS, events_of
from medgan.ui.train_facts import flat, in_words
from medgan.ui.train_measure import Measurement, Measurements, measurements
from medgan.ui.train_options import AFRESH, Begin, Place, training_options
from medgan.ui.train_settings import WORDS
from medgan.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
GREY_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63680000008200814"
    "cd7d9150000000049454e44ae426082"
)


@pytest.fixture
def data(space: Workspace) -> Dataset:
    images, labels = draw_set("chest-ct", 24, size=64)
    return store(images, labels, space.datasets / "phantoms", name="phantoms", split="0.75/0/0.25")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What runs were started with; none is."""
    found: list[dict[str, Any]] = []

    def train(self: Jobs, dataset: Path, preset: str, **given: Any) -> Run:
        found.append(given)
        return Run(dataset)

    monkeypatch.setattr(Jobs, "train", train)
    return found


# ---- what a run is started with


def test_settings_other_than_the_presets_reach_the_command_and_no_others(data: Dataset) -> None:
    app = open_page("demo")
    app.text_input(key="set-demo-learning_rate").set_value("0.001")
    app.selectbox(key="set-demo-stop_on").set_value("never")
    number(app, "Batch size").set_value(8)
    number(app, "Iterations").set_value(2)
    app.text_input(key="name-demo-phantoms").set_value("my first")
    app.button(key="start").click().run()
    assert not app.exception and not app.error
    run = Run(data.folder.parent.parent / "runs" / "my-first")
    assert wait_for_end(run).state == FINISHED, (run.folder / "log.txt").read_text()
    train = run.config()["train"]
    usual = PRESETS["demo"].train.to_json()
    asked = {"learning_rate": 0.001, "stop_on": "never", "batch_size": 8, "iterations": 2}
    assert train == usual | asked


def test_how_long_follows_the_batch_size_until_it_is_set(data: Dataset) -> None:
    app = open_page("demo")
    first = default(app)
    number(app, "Batch size").set_value(4).run()
    assert default(app) > first
    number(app, "Iterations").set_value(77).run()
    number(app, "Batch size").set_value(8).run()
    assert not app.exception
    assert default(app) == 77


@pytest.mark.parametrize(
    ("goal", "label", "value"), [("kimg", "Thousand images", 2.5), ("minutes", "Minutes", 3.0)]
)
def test_a_goal_of_another_kind_is_said_in_words_and_goes_into_the_command(
    data: Dataset, started: list[dict[str, Any]], goal: str, label: str, value: float
) -> None:
    app = open_page("demo")
    app.segmented_control(key="goal").set_value(goal).run()
    number(app, label).set_value(value).run()
    said = "Trains for 3 minutes" if goal == "minutes" else "277 steps of 16 images"
    assert any(said in caption.value for caption in app.caption), [c.value for c in app.caption]
    app.button(key="start").click().run()
    assert started[0]["goal"] == {goal: value}
    assert started[0]["changes"] == {}


def test_an_impossible_setting_is_a_sentence_and_nothing_can_be_started(data: Dataset) -> None:
    app = open_page("demo")
    app.text_input(key="set-demo-beta1").set_value("7").run()
    assert not app.exception
    assert any("beta1 is 7" in error.value.replace("\\", "") for error in app.error)
    assert not [button for button in app.button if button.key == "start"]


def test_every_setting_of_every_preset_is_offered_with_a_line_of_words(data: Dataset) -> None:
    for name, preset in PRESETS.items():
        app = open_page(name)
        assert not app.exception
        kinds = (app.number_input, app.text_input, app.selectbox, app.toggle)
        offered = {w.key for kind in kinds for w in kind}
        hidden = {"epochs", "iterations", "kimg", "minutes", "channels", "size", "classes", "architecture"}
        hidden |= {"frozen", "modulated", "batch_spread"} if preset.model.plain else set()
        wanted = (preset.train.to_json() | preset.model.to_json()).keys() - hidden
        assert {f"set-{name}-{setting}" for setting in wanted} == {
            k for k in offered if str(k).startswith("set-")
        }
        assert wanted <= WORDS.keys()
        assert f"set-{name}-ema_kimg" in {w.key for w in app.text_input}, "no whole number"


def test_the_options_are_ones_that_the_command_line_takes(space: Workspace) -> None:
    options = training_options(
        space.datasets / "a b",
        "demo",
        goal={"minutes": 3.5},
        changes={"beta1": 0.1, "stop_on": "never", "cuda_graphs": False},
        begin=Begin("hub:a/b", conditional=True),
        place=Place("cuda", 4),
    )
    parser = build_parser(COMMANDS)
    parsed = parser.parse_args(["train", *options])
    changes = ["beta1=0.1", "stop_on=never", "cuda_graphs=False"]
    assert (parsed.minutes, parsed.set, parsed.preset) == (3.5, changes, "demo")
    assert (parsed.device, parsed.devices) == ("cuda", 4)
    assert (parsed.init, parsed.conditional) == ("hub:a/b", True)
    assert parse_changes(changes)[1] == {"beta1": 0.1, "stop_on": "never", "cuda_graphs": False}


def test_the_devices_that_are_asked_for_go_into_the_command(
    data: Dataset, started: list[dict[str, Any]]
) -> None:
    app = open_page("demo")
    app.selectbox(key="device").set_value("cpu")
    app.number_input(key="devices").set_value(2).run()
    app.button(key="start").click().run()
    assert [given["place"] for given in started] == [Place("cpu", 2)]


def test_a_cluster_is_offered_where_there_is_one(
    data: Dataset, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medgan.ui.train_where.shutil.which", lambda name: None)
    where = open_page("demo").segmented_control(key="engine")
    assert (where.value, where.options) == ("here", ["on this machine", "on Hugging Face"])
    monkeypatch.setattr("medgan.ui.train_where.shutil.which", lambda name: f"/usr/bin/{name}")
    app = open_page("demo")
    app.segmented_control(key="engine").set_value("slurm").run()
    app.text_input(key="partition").set_value("gpu")
    app.number_input(key="hours").set_value(1.5)
    app.button(key="start").click().run()
    assert not app.exception
    (given,) = started
    assert given["place"].engine == ("--on=slurm", "--hours=1.5", "--partition=gpu")
    options = training_options(data.folder, "demo", goal={}, changes={}, place=given["place"])
    parsed = build_parser(COMMANDS).parse_args(["train", *options])
    assert (parsed.on, parsed.hours, parsed.partition) == ("slurm", 1.5, "gpu")


def test_a_run_on_several_gpus_shows_them_and_how_full_the_first_one_is(
    space: Workspace, data: Dataset
) -> None:
    run = made(space, "wide", data, state=RUNNING, message="Training.", step=20)
    status = run.status()
    status.device, status.devices, status.memory = "cuda:0", 4, [3_100_000_000, 80_000_000_000]
    run.write_status(status)
    shown = {metric.label: metric.value for metric in open_page().metric}
    assert shown["Device"] == "cuda:0 x 4"
    assert shown["GPU memory"] == "3.1 of 80.0 GB"


# ---- which preset, what is changed, what it begins with


@pytest.mark.parametrize(("gpu", "device", "name"), [(True, "auto", "small"), (False, "auto", "small-cpu")])
def test_the_usual_preset_is_that_of_the_machine(
    data: Dataset, monkeypatch: pytest.MonkeyPatch, gpu: bool, device: str, name: str
) -> None:
    monkeypatch.setattr(hardware, "_gpu_here", lambda: gpu)
    app = open_page()
    assert app.radio(key="preset").value == name
    app.selectbox(key="device").set_value("cpu").run()
    assert app.radio(key="preset").value == "small-cpu"
    app.selectbox(key="device").set_value("cuda").run()
    assert app.radio(key="preset").value == "small"
    app.radio(key="preset").set_value("paper").run()
    app.selectbox(key="device").set_value("cpu").run()
    assert app.radio(key="preset").value == "paper", "what somebody chose stays"


def test_the_augmentation_is_the_sets_own_until_another_is_chosen(
    data: Dataset, started: list[dict[str, Any]]
) -> None:
    data.set_modality("brain-mri")
    app = open_page("small-cpu")
    augment = app.selectbox(key="set-small-cpu-augment")
    assert augment.value == "auto"
    assert any("this set shows: Brain MRI, axial. In training: May be" in c.value for c in app.caption)
    augment.set_value("chest-ct").run()
    assert any("the heart would change sides" in c.value for c in app.caption)
    app.selectbox(key="set-small-cpu-augment").set_value("none").run()
    assert any("known by heart" in c.value for c in app.caption)
    app.button(key="start").click().run()
    assert started[0]["changes"] == {"augment": "none"}
    assert started[0]["begin"] == AFRESH


def test_classes_are_learned_apart_where_set_and_networks_can(
    data: Dataset, started: list[dict[str, Any]]
) -> None:
    app = open_page("small-cpu")
    assert any("2 classes, each of which" in c.value and "nodule" in c.value for c in app.caption)
    app.toggle(key="conditional").set_value(True).run()
    app.button(key="start").click().run()
    assert started[0]["begin"] == Begin(conditional=True)
    app.radio(key="preset").set_value("demo").run()
    assert app.toggle(key="conditional").disabled
    assert any("`demo` know no classes; those of `small` and `small-cpu` do" in c.value for c in app.caption)
    app.button(key="start").click().run()
    assert started[1]["begin"] == AFRESH


def test_a_set_of_one_class_has_none_to_learn_apart(space: Workspace) -> None:
    images, _ = draw_set("chest-ct", 8, size=64)
    store(images, ["nodule"] * 8, space.datasets / "one", name="one")
    app = open_page()
    assert app.toggle(key="conditional").disabled
    assert any("two classes or more" in c.value for c in app.caption)


def test_a_run_starts_from_a_model_that_makes_such_images(
    data: Dataset, model: Path, started: list[dict[str, Any]]
) -> None:
    app = open_page("small-cpu")
    start = app.selectbox(key="init-1-64")
    assert (start.value, start.options) == ("", ["nothing", "someone/tiny, from the Hub"])
    start.set_value("hub:someone/tiny").run()
    assert any(FROM_A_MODEL in c.value for c in app.caption)
    assert any("someone/tiny, which it starts from, know no classes" in c.value for c in app.caption)
    keys = {w.key for w in [*app.number_input, *app.selectbox]}
    assert "set-small-cpu-batch_size" in keys and not {"set-small-cpu-ngf", "set-small-cpu-frozen"} & keys
    app.button(key="start").click().run()
    assert started[0]["begin"] == Begin("hub:someone/tiny")
    shutil.rmtree(model)
    app.run()
    assert not app.exception
    assert app.selectbox(key="init-1-64").value == "" and app.selectbox(key="init-1-64").disabled


def test_a_model_that_knows_such_images_is_recommended(data: Dataset, model: Path) -> None:
    about = {"dataset": {"modality": "chest-ct"}}
    facts = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(facts | {"about": facts["about"] | about}))
    words = "someone/tiny knows such images already"
    assert not any(words in c.value for c in open_page("small-cpu").caption)
    data.set_modality("chest-ct")
    assert any(words in c.value for c in open_page("small-cpu").caption)


def test_a_model_of_other_images_is_not_offered(space: Workspace, model: Path) -> None:
    images, labels = draw_set("dermoscopy", 8, size=64)
    store(images, labels, space.datasets / "skin", name="skin")
    app = open_page()
    app.selectbox(key="data").set_value("skin").run()
    assert app.selectbox(key="init-3-64").options == ["nothing"]
    assert any("No model here makes colour images of 64 x 64" in c.value for c in app.caption)


def test_a_run_that_starts_from_a_model_ends_and_says_so(
    space: Workspace, data: Dataset, model: Path
) -> None:
    app = open_page("demo")
    app.selectbox(key="init-1-64").set_value("hub:someone/tiny").run()
    number(app, "Iterations").set_value(2)
    app.button(key="start").click().run()
    run = Run(space.runs / "demo-phantoms")
    assert wait_for_end(run).state == FINISHED, (run.folder / "log.txt").read_text()
    assert run.config()["model"]["ngf"] == 4, "the model's networks, not the preset's"
    app = open_page()
    line = next(c.value for c in app.caption if c.value.startswith("Preset `demo`"))
    assert line.endswith("augmentation: none · started from tiny")


def test_the_line_of_a_run_names_augmentation_and_classes(space: Workspace, data: Dataset) -> None:
    run = made(space, "r", data, state=STOPPED, train={"augment": "chest-ct"})
    config = run.config() | {"model": {"classes": [["nodule", 9], ["n_o", 9]]}, "init": None}
    assert in_words(config) == (
        "Preset `demo` · data set phantoms · augmentation: Chest CT, axial · classes apart: nodule, n\\_o · "
        "started from nothing"
    )
    assert in_words({}) == ""
    assert flat(config)["classes"] == "nodule, n_o"


# ---- how long it takes here


def test_measuring_shows_time_and_memory_and_the_presets_line_remembers_it(data: Dataset) -> None:
    app = open_page("demo")
    number(app, "Iterations").set_value(50).run()
    app.button(key="measure").click().run()
    assert any("Measuring" in m.value for m in app.markdown)
    wait(lambda: not measurements()._take() and measurements()._process is None)
    app.run()
    assert not app.exception and not app.error
    assert {"In all", "Seconds per image", "Memory"} <= {m.label for m in app.metric}
    assert any("for 50 steps" in caption for caption in captions_of(app.radio(key="preset")))


def test_what_cannot_be_measured_is_said(data: Dataset) -> None:
    found = Measurements()
    options = training_options(data.folder / "gone", "demo", goal={"iterations": 2}, changes={})
    found.start(options)
    wait(lambda: not found.busy(options))
    known = found.of(options)
    assert known is not None and "gone" in known.problem and not known.found


def test_a_second_measuring_takes_the_place_of_the_first(data: Dataset) -> None:
    found = Measurements()
    first, second = (
        training_options(data.folder, "demo", goal={"iterations": k}, changes={}) for k in (2, 3)
    )
    found.start(first)
    assert found._process is not None
    pid = found._process.pid
    found.start(second)
    assert not psutil.pid_exists(pid)
    assert found.busy(second) and not found.busy(first)
    found.cancel()
    assert not found.busy(second) and found.of(second) is None


def test_memory_that_does_not_suffice_is_an_error_with_the_batch_that_fits(data: Dataset) -> None:
    app = open_page("demo")
    options = training_options(data.folder, "demo", goal={"iterations": default(app)}, changes={})
    words = "Memory does not suffice for batch size 16; 4 fits."
    found = {"seconds": None, "images_per_second": None, "memory_suffices": False, "disk_suffices": True}
    measurements()._known[tuple(options)] = Measurement(found | {"words": words, "iterations": 5})
    app.run()
    assert any("4 fits" in error.value.replace("\\", "") for error in app.error)


# ---- watching and steering


def test_a_paused_run_offers_to_go_on_and_each_request_is_made_once(space: Workspace, data: Dataset) -> None:
    run = made(space, "r", data, state=PAUSED, step=20)
    app = open_page()
    assert {"Resume", "Stop and keep", "Sample now", "Save now"} <= labels(app)
    app.button(key="ask_sample").click().run()
    assert not app.exception
    assert "Drawing…" in labels(app)
    assert app.button(key="ask_sample").disabled
    asked = (run.folder / requests.SAMPLE).stat().st_mtime_ns
    app.run()
    assert (run.folder / requests.SAMPLE).stat().st_mtime_ns == asked
    app.button(key="ask_stop").click().run()
    assert all(button.disabled for button in app.button if str(button.key).startswith("ask_"))


def test_the_answer_to_a_wish_is_told_once(space: Workspace, data: Dataset) -> None:
    run = made(space, "r", data, state=RUNNING, step=20)
    app = open_page()
    app.button(key="ask_save").click().run()
    assert not app.toast
    requests.clear(run.folder)
    app.run()
    assert ["saved" in toast.value for toast in app.toast] == [True]
    app.run()
    assert not app.toast


def test_before_the_first_step_there_is_nothing_to_draw(space: Workspace, data: Dataset) -> None:
    made(space, "r", data, state=RUNNING, step=0)
    app = open_page()
    assert app.button(key="ask_sample").disabled and not app.button(key="ask_pause").disabled


def test_what_the_process_has_seen_and_what_it_has_not_are_both_under_way(
    space: Workspace, data: Dataset
) -> None:
    run = made(space, "r", data, state=RUNNING, pending=["save"])
    run.ask(requests.PAUSE)
    assert asked_of(run, run.status()) == {"save", "pause"}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status(RUNNING, step=20, iterations=300, seconds_left=240), "Step 20 of 300 · about 4 min left"),
        (Status(PAUSED, step=20, iterations=300), "Step 20 of 300"),
        (Status(RUNNING, step=9, minutes=10, seconds=60), "Step 9 · 60 s of 10 min"),
        (Status(FINISHED, step=9, iterations=9, minutes=10, seconds=600), "Step 9 of 9"),
    ],
)
def test_how_far_it_is_is_said_in_words(status: Status, words: str) -> None:
    assert how_far(status) == words


def test_a_message_with_a_strangers_name_is_shown_as_it_is(space: Workspace, data: Dataset) -> None:
    made(space, "r", data, state=STOPPED, message="The set **x** ![](http://a/b.png) is gone.")
    app = open_page()
    assert any("\\*\\*x\\*\\* \\!\\[" in m.value for m in app.markdown)


# ---- what was logged


def test_curves_stay_bounded_and_cheap_with_100_000_events(space: Workspace, data: Dataset) -> None:
    run = made(space, "r", data, state=STOPPED, step=100_000)
    with run.events_file.open("w") as stream:
        for step in range(100_000):
            stream.write(json.dumps(row(step)) + "\n")
    rows, _ = events_of(run)
    assert POINTS <= len(rows) <= 2 * POINTS + 1
    assert rows[-1]["step"] == 99_999
    before = psutil.Process().io_counters().read_chars
    run.add_event(row(100_000))
    rows, _ = events_of(run)
    assert rows[-1]["step"] == 100_000
    assert psutil.Process().io_counters().read_chars - before < 100_000, "only what is new is read"


def test_smoothing_keeps_a_constant_and_is_not_drawn_to_0_at_the_start() -> None:
    assert charts.smoothed([3.0] * 5, 0.9) == pytest.approx([3.0] * 5)
    assert charts.smoothed([1.0, None, 1.0, float("nan")], 0.5) == [1.0, None, 1.0, None]
    assert charts.smoothed([0.0, 1.0], 0.5)[1] == pytest.approx(2 / 3)


def test_a_smooth_curve_stands_before_what_was_measured() -> None:
    rows = [row(step) for step in range(50)]
    figure = charts.curves(rows, {"loss_d": "D"}, title="", unit="", smoothing=0.5, log=True)
    pale, smooth = figure.data
    assert list(pale.y) == [r["loss_d"] for r in rows]
    assert pale.line.color == smooth.line.color and pale.opacity < 1 and not pale.showlegend
    assert figure.layout.yaxis.type == "log"
    assert len(charts.curves(rows, {"loss_d": "D"}, title="", unit="").data) == 1


def test_the_newest_finding_is_shown_with_its_warnings_and_the_best_step(
    space: Workspace, data: Dataset
) -> None:
    run = made(space, "r", data, state=STOPPED, step=200)
    for step in (100, 200):
        run.add_event(row(step))
        run.add_event(finding(step, warnings=["The generated images are copies of your _images_.", "Rough."]))
    run.note_best({"step": 100, "score": 0.1, "observer": "held-out"})
    (run.folder / "checkpoints" / step_name(100)).mkdir()
    app = open_page()
    assert not app.exception
    assert {"To unseen images": "0.0500", "Variety": "0.90"}.items() <= {
        m.label: m.value for m in app.metric
    }.items()
    assert any("copies of your \\_images\\_" in e.value for e in app.error)
    assert [w.value for w in app.warning] == ["Rough\\."]
    assert any("Best so far: step 100" in m.value and "step-000100" in m.value for m in app.markdown)
    assert len(app.get("plotly_chart")) == 4


def test_a_set_too_small_to_be_watched_gets_the_sentence_and_no_chart(
    space: Workspace, data: Dataset
) -> None:
    run = made(space, "r", data, state=STOPPED, step=9)
    run.add_event(row(9))
    run.add_event({"step": 9, "observer": "held-out", "warnings": ["The set holds 3 images."]})
    app = open_page()
    assert any("holds 3 images" in box.value for box in app.info)
    assert len(app.get("plotly_chart")) == 2


def test_the_sentences_that_are_red_are_those_that_the_monitors_call_failures() -> None:
    from medgan.metrics import neighbours
    from medgan.training.monitor_words import FAIL, Circumstances, words
    from medgan.training.monitors import Readings

    assert (train_monitors.CLOSE, train_monitors.COPIES) == (neighbours.WARN, neighbours.FAIL)
    for memory in (0.1, 0.7, 1.0):
        for diversity in (0.3, 0.7, 1.0):
            readings = Readings(nearest_ratio=memory, diversity=diversity, kid=0.1, gap=0.9, real_sign=0.99)
            for caution in words(readings, Circumstances(100, 20, 50_000)):
                assert caution.text.startswith(train_monitors.GRAVE) == (caution.level == FAIL)


def test_the_sheet_follows_the_newest_until_one_looks_back(space: Workspace, data: Dataset) -> None:
    run = made(space, "r", data, state=STOPPED, step=300)
    for step in (1, 100):
        sheet(run, step)
    app = open_page()
    assert shown(app) == "Step 100"
    sheet(run, 200)
    assert shown(app.run()) == "Step 200"
    app.select_slider(key="sheet-r").set_value(1).run()
    sheet(run, 300)
    assert shown(app.run()) == "Step 1"
    for path in run.samples()[:1]:
        path.unlink()  # a resume forgets what came later; so may somebody with a file manager
    assert shown(app.run()) == "Step 300"


# ---- several runs


def test_the_line_is_shown_in_its_order_and_the_last_one_can_be_moved_or_cancelled(
    space: Workspace, data: Dataset
) -> None:
    waiting = [in_line(space, data, name) for name in ("first", "second")]
    try:
        app = open_page()
        assert not app.exception
        assert order() == ["first", "second"]
        app.button(key="first-cpu-second").click().run()
        assert order() == ["second", "first"]
        app.button(key="cancel-cpu-first").click().run()
        assert (space.runs / "first" / "stop").exists()
        assert app.button(key="cancel-cpu-first").disabled
    finally:
        for child in waiting:
            child.kill()
            child.wait()


def test_the_table_beside_each_other_holds_the_settings_that_differ_and_the_figures(
    space: Workspace, data: Dataset
) -> None:
    one = made(space, "one", data, state=STOPPED, step=100, train={"seed": 0, "batch_size": 16})
    two = made(space, "two", data, state=STOPPED, step=100, train={"seed": 1, "batch_size": 16})
    one.add_event(row(100))
    one.add_event(finding(100))
    first, second = train_runs.beside([one, two])
    assert (first["seed"], second["seed"]) == ("0", "1")
    assert "batch_size" not in first and "data set" not in first
    assert (first["newest KID"], second["newest KID"]) == (0.05, None)
    app = open_page()
    assert not app.exception
    assert len(app.dataframe) == 2
    assert app.selectbox(key="compare_figure").value == "kid"


def test_a_renamed_run_keeps_its_place_and_goes_on(space: Workspace, data: Dataset) -> None:
    jobs = Jobs(space)
    run = jobs.train(data.folder, "demo", name="before", goal={"iterations": 3000}, changes={})
    wait(lambda: run.status().step > 0)
    with pytest.raises(MedGANError, match="stop it first"):
        jobs.rename(run, "after")
    run.request_stop()
    stopped = wait_for_end(run)
    assert stopped.state == STOPPED, (run.folder / "log.txt").read_text()
    renamed = jobs.rename(run, "after: it")
    assert renamed.name == "after-it" and not run.folder.exists()
    jobs.resume(renamed)
    jobs.resume(renamed)  # twice is once
    wait(lambda: renamed.status().step > stopped.step)
    renamed.request_stop()
    assert wait_for_end(renamed).state == STOPPED
    steps = [event["step"] for event in renamed.events()]
    assert steps == sorted(set(steps)), "one curve"


def test_a_name_that_is_taken_is_refused(space: Workspace, data: Dataset) -> None:
    run = made(space, "one", data, state=STOPPED)
    made(space, "two", data, state=STOPPED)
    with pytest.raises(MedGANError, match="two already"):
        Jobs(space).rename(run, "two")
    assert Jobs(space).rename(run, "one").folder == run.folder


def test_another_name_and_an_end_are_given_on_the_page(space: Workspace, data: Dataset) -> None:
    made(space, "one", data, state=STOPPED, step=5)
    app = open_page()
    app.text_input(key="rename-one").set_value("other")
    app.button(key="rename_run").click().run()
    assert not app.exception and not app.error
    assert [folder.name for folder in space.runs.iterdir()] == ["other"]
    assert app.selectbox(key="run").value == "other"
    app.button(key="delete_run").click().run()
    assert not list(space.runs.iterdir())


def test_the_page_is_there_without_pytorch() -> None:
    code = (
        "import sys, medgan.ui.train, medgan.ui.train_start, medgan.ui.train_runs\n"
        "print([name for name in ('torch', 'scipy', 'plotly.io._kaleido') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---- what they are made of


def open_page(preset: str | None = None) -> AppTest:
    app = AppTest.from_file(str(ROOT / "medgan" / "ui" / "main.py"), default_timeout=60)
    app.run()
    app.switch_page(str(ROOT / "pages" / "train.py")).run()
    return app.radio(key="preset").set_value(preset).run() if preset else app


def made(
    space: Workspace, name: str, data: Dataset, *, train: Mapping[str, Any] | None = None, **status: Any
) -> Run:
    """A run folder as a process leaves it; this one is the process of those that are alive."""
    run = Run(space.runs / name)
    path = {"name": data.name, "path": str(data.folder)}
    run.create({"preset": "demo", "dataset": path, "train": dict(train or {}), "model": {}})
    run.write_status(Status(iterations=300, device="cpu", **status))
    return run


def row(step: int) -> dict[str, Any]:
    return {
        "step": step,
        "images": 16 * step,
        "loss_d": 1.0 + step % 7,
        "loss_g": 0.7,
        "d_real": 0.5,
        "d_fake": 0.5,
    }


def finding(step: int, warnings: list[str] | None = None) -> dict[str, Any]:
    figures = {"kid": 0.05, "kid_low": 0.04, "kid_high": 0.06, "diversity": 0.9, "nearest_ratio": 0.7}
    return {"step": step, "images": 16 * step, "observer": "held-out", **figures, "warnings": warnings or []}


def sheet(run: Run, step: int) -> None:
    (run.folder / "samples" / f"{step_name(step)}.png").write_bytes(GREY_PIXEL)


def shown(app: AppTest) -> str:
    assert not app.exception
    return str(app.get("image")[0].proto.imgs[0].caption)


def in_line(space: Workspace, data: Dataset, name: str) -> subprocess.Popen[bytes]:
    """A process that stands in line for the CPU as a training does."""
    run = made(space, name, data, state=QUEUED)
    code = (
        "import sys, time; from pathlib import Path; from medgan.runs.queue import Queue\n"
        "with Queue('cpu').standing(Path(sys.argv[1]).name, Path(sys.argv[1])): time.sleep(600)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(run.folder)], cwd=ROOT)
    wait(lambda: name in order())
    run.write_status(Status(state=QUEUED), psutil.Process(child.pid))
    return child


def order() -> list[str]:
    return [ticket.name for ticket in Queue("cpu").waiting()]


def wait(done: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)


def wait_for_end(run: Run) -> Status:
    wait(lambda: not run.status().alive)
    return run.status()


def number(app: AppTest, label: str) -> Any:
    return next(n for n in app.number_input if n.label == label)


def default(app: AppTest) -> int:
    return int(number(app, "Iterations").value)


def labels(app: AppTest) -> set[str]:
    return {str(button.label) for button in app.button}


def captions_of(radio: Any) -> list[str]:
    return [str(caption) for caption in radio.proto.captions]
