"""The Evaluate page starts what was chosen, and shows a scorecard so that nobody misreads it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from medgan.data.dataset import Dataset
from medgan.evaluation.report import load_report
from medgan.metrics import features, lpips_net
from medgan.metrics.weights import cache_folder
from medgan.runs.record import FINISHED, Run
from medgan.ui.evaluate_charts import intervals
from medgan.ui.evaluate_compare import differences, table
from medgan.ui.evaluate_map import map_data
from medgan.ui.evaluate_networks import FEATURES, LPIPS, weights_folder
from medgan.ui.evaluate_scorecard import _html, gathered, in_short
from medgan.ui.jobs import Jobs
from medgan.workspace import Workspace
from tests.evaluation.made_up import EVIL, figures, hostile, report, write
from tests.ui.test_pages import open_page
from tests.ui.test_studies_page import result as study_result
from tests.ui.test_studies_page import write as write_study

FORMAT_1 = {"format": 1, "model": {"name": "old", "about": {}}, "settings": {"count": 64}, "notes": []}


def markdown(app: AppTest) -> str:
    return "\n".join(m.value for m in [*app.markdown, *app.caption])


def test_the_four_verdicts_stand_in_words_with_icons_and_figures(space: Workspace) -> None:
    write(space.reports / "tiny-on-phantoms")
    app = open_page("evaluate")
    assert not app.exception
    assert not app.error
    badges = " ".join(m.value for m in app.markdown if "badge" in m.value)
    for word, colour, icon in (
        ("Take care", "orange", "warning"),
        ("Good", "green", "check_circle"),
        ("Fails", "red", "cancel"),
        ("Not known", "gray", "help"),
    ):
        assert word in badges
        assert f"{colour}-badge[:material/{icon}: {word}]" in badges
    assert "6 % are copies of training images" in markdown(app)
    assert "93\\.1" not in markdown(app).split("Real and generated")[0], "KID decided, not FID"
    assert "absent: there are too few images" in markdown(app)
    assert "2 copies among these 12" in markdown(app)
    assert len(app.get("plotly_chart")) >= 4, "three parts and the map"
    assert len(app.dataframe) >= 3


def test_names_from_outside_are_text_and_not_markup(space: Workspace) -> None:
    write(space.reports / "evil", hostile())
    app = open_page("evaluate")
    assert not app.exception
    assert EVIL not in markdown(app)
    spec = app.get("plotly_chart")[0].proto.spec
    assert "<script" not in spec.replace("\\u003c", "<")


@pytest.mark.parametrize(
    "values",
    [
        report(figures=[], pairs=[], rows=[], map={"method": None, "points": []}),
        {key: value for key, value in report().items() if key not in ("map", "pairs", "notes", "rows")},
        report() | {"model": None, "folder": {"name": "my images", "content_sha256": "12" * 32}},
    ],
    ids=["nothing", "fields missing", "a folder"],
)
def test_a_report_with_less_in_it_is_shown(space: Workspace, values: dict[str, Any]) -> None:
    folder = space.reports / "less"
    write(folder)
    (folder / "report.json").write_text(json.dumps(values))
    app = open_page("evaluate")
    assert not app.exception
    assert not app.error


def test_a_report_whose_pictures_are_gone_is_shown(space: Workspace) -> None:
    folder = write(space.reports / "bare")
    for path in folder.glob("*.png"):
        path.unlink()
    app = open_page("evaluate")
    assert not app.exception
    assert "MedGAN scorecard" in _html(report(), folder)


def test_a_report_of_before_is_shown_with_the_papers_figures(space: Workspace) -> None:
    folder = write(space.reports / "old")
    rows = report()["rows"]
    old = FORMAT_1 | {"figures": rows, "paper": [], "dataset": report()["dataset"]}
    (folder / "report.json").write_text(json.dumps(old))
    app = open_page("evaluate")
    assert not app.exception
    assert not app.error
    assert any("Not known" in m.value for m in app.markdown)
    assert app.dataframe


@pytest.mark.parametrize("text", ["{", '{"format": 99, "figures": []}'])
def test_a_damaged_report_is_one_sentence(space: Workspace, text: str) -> None:
    folder = write(space.reports / "bad")
    (folder / "report.json").write_text(text)
    app = open_page("evaluate")
    assert not app.exception
    assert len(app.error) == 1


def test_an_evaluation_that_failed_says_why(space: Workspace) -> None:
    folder = space.reports / "failed"
    folder.mkdir()
    (folder / "status.json").write_text(json.dumps({"state": "failed", "message": "No network here."}))
    app = open_page("evaluate")
    assert not app.exception
    assert "No network here" in app.error[0].value


def test_several_reports_stand_in_one_table(space: Workspace) -> None:
    write(space.reports / "one")
    write(space.reports / "two", report(settings=report()["settings"] | {"features": {"name": "dinov2"}}))
    app = open_page("evaluate")
    assert not app.exception
    shown = app.dataframe[-1].value
    assert set(shown["report"]) == {"one", "two"}
    assert set(shown["Memorisation"]) == {"✗ Fails"}
    assert any("different networks" in warning.value for warning in app.warning)


def test_the_table_of_reports_leaves_gaps_where_a_figure_is_missing() -> None:
    rows = table({"one": report(), "two": report(figures=figures()[:1])})
    assert rows[1]["FID"] == "–"
    assert rows[0]["FID"] == "93.1 [83.8, 102]"
    assert differences([report(), report()]) == []


def test_the_page_starts_what_was_chosen(
    space: Workspace,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[Any] = []

    def evaluate(self: Jobs, spec: str, dataset: Path, *, name: str, options: dict[str, Any]) -> Run:
        started.append((spec, dataset.name, name, options))
        return Run(write(space.reports / "new"))

    monkeypatch.setattr(Jobs, "evaluate", evaluate)
    app = open_page("evaluate")
    assert "makes grey images of 128" in app.warning[0].value, "the model that ships comes first"
    assert app.button(key="evaluate").disabled
    app.selectbox(key="model").set_value("hub:someone/tiny").run()
    app.number_input(key="count").set_value(64)
    app.selectbox(key="features").set_value("random").run()
    app.button(key="evaluate").click().run()
    assert not app.exception
    [(spec, dataset, name, options)] = started
    assert (spec, dataset, name) == ("hub:someone/tiny", "phantoms", "someone/tiny")
    expected = {"count": 64, "split": "test", "features": "random", "bootstrap": 1000, "seed": 0}
    assert {key: options[key] for key in expected} == expected
    assert "Report as HTML" in [button.label for button in app.get("download_button")]


def test_a_study_of_the_data_set_can_decide_on_usefulness(
    space: Workspace,
    model: Path,
    data: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[dict[str, Any]] = []

    def evaluate(self: Jobs, spec: str, dataset: Path, *, name: str, options: dict[str, Any]) -> Run:
        started.append(options)
        return Run(write(space.reports / f"new-{len(started)}"))

    monkeypatch.setattr(Jobs, "evaluate", evaluate)
    app = open_page("evaluate")
    app.selectbox(key="model").set_value("hub:someone/tiny").run()
    assert "study-usefulness" in markdown(app)
    path = write_study(space.studies / "mine", study_result(data))
    app = open_page("evaluate")
    app.selectbox(key="model").set_value("hub:someone/tiny").run()
    app.button(key="evaluate").click().run()
    app.selectbox(key="study-for-phantoms").set_value("mine").run()
    app.button(key="evaluate").click().run()
    assert not app.exception
    assert [options.get("study") for options in started] == [None, str(path)]


def test_a_folder_that_is_not_there_is_one_sentence_and_starts_nothing(
    space: Workspace,
    model: Path,
) -> None:
    app = open_page("evaluate")
    app.session_state["subject"] = "A folder of images"
    app.run()
    app.text_input(key="images_folder").set_value("/nowhere/at all").run()
    app.button(key="evaluate").click().run()
    assert not app.exception
    assert "is not there" in app.error[0].value
    assert not list(space.reports.iterdir())


def test_strangers_are_not_offered_the_servers_disk(
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEDGAN_HOSTED", "1")
    app = open_page("evaluate")
    assert not app.exception
    assert "subject" not in app.session_state


@pytest.mark.timeout(900)
def test_evaluate_makes_a_report_in_a_process_that_the_page_finds_again(
    space: Workspace,
    model: Path,
    data: Any,
) -> None:
    options = {"count": 24, "split": "test", "features": "random", "parts": "memorisation", "bootstrap": 100}
    run = Jobs(space).evaluate("hub:someone/tiny", data.folder, name="tiny", options=options)
    assert Run(run.folder).status().alive
    app = open_page("evaluate")
    assert not app.exception
    assert app.button(key="cancel")
    end = time.monotonic() + 800
    while run.status().alive and time.monotonic() < end:
        time.sleep(0.5)
    assert run.status().state == FINISHED, (run.folder / "log.txt").read_text()
    app = open_page("evaluate")
    assert not app.exception
    assert not app.error
    found = load_report(run.folder / "report.json")
    assert "MedGAN scorecard: tiny" in _html(found, run.folder)


def test_files_and_sizes_of_networks_are_those_of_the_metrics() -> None:
    assert list(FEATURES) == [name for name in FEATURES if name in features.NETWORKS]
    for name, network in FEATURES.items():
        source = features.NETWORKS[name].source
        assert network.file == (source().file if source else "")
        assert network.megabytes == pytest.approx(source().megabytes if source else 0.0, abs=0.1)
    assert set(LPIPS) == set(lpips_net.NETWORKS)
    for name, network in LPIPS.items():
        assert network.file == lpips_net.source(name).file
        assert network.megabytes == pytest.approx(lpips_net.source(name).megabytes, abs=0.1)
    assert weights_folder() == cache_folder()


def test_the_map_has_a_mark_for_each_image_and_one_sheet_of_all(tmp_path: Path) -> None:
    points: list[dict[str, Any]] = [
        {"set": "train", "x": 0.0, "y": 0.0, "index": "<b>.png"},
        {"set": "train", "x": 5.0, "y": 0.0, "index": 3},
        {"set": "generated", "x": 1.0, "y": 0.0, "index": 7},
    ]
    Image.new("L", (3 * 48, 48)).save(tmp_path / "map.png")
    data = map_data(points, tmp_path / "map.png")
    assert [data["svg"].count(f'data-k="{k}"') for k in range(4)] == [1, 1, 1, 0]
    assert "<b>" not in data["svg"]
    assert data["columns"] == 3 and data["sprite"].startswith("data:image/jpeg;base64,")


def test_intervals_have_a_row_for_every_figure_that_has_a_value() -> None:
    chart = intervals(figures())
    assert len({trace.xaxis for trace in chart.data if trace.x[0] is not None}) == 6
    assert not [a for a in chart.layout.annotations if "CMMD" in a.text]


def test_what_is_said_of_several_figures_is_said_once() -> None:
    words = ["Only 36 real images: FID is rough below 50.", "Something else.", "Something else."]
    words.append("Only 36 real images: KID is rough below 50.")
    assert gathered(words) == ["Only 36 real images: FID, KID are rough below 50.", "Something else."]
    assert gathered(words[:1]) == words[:1]


def test_a_card_holds_whole_clauses() -> None:
    assert in_short("Good.") == "Good."
    long = "; ".join(f"figure {k} fails below a level that it has" for k in range(9)) + "."
    assert in_short(long).endswith("it has …")
    assert len(in_short(long)) < 180
