"""The Data page: from files to a data set by processes, findings with choices, the sets there are."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from medgan.data.dataset import Dataset
from medgan.data.phantom import draw_set
from medgan.data.prepare import store
from medgan.errors import MedGANError
from medgan.runs.record import FINISHED, RUNNING, Run, Status
from medgan.ui import data as data_page
from medgan.ui import jobs as jobs_module
from medgan.ui import parts, pictures, uploads
from medgan.ui.intake import Intake, begin, find
from medgan.ui.jobs import Jobs
from medgan.ui.sources import hub_repo, local_path
from medgan.ui.text import on_the_page, plain, sentence
from medgan.workspace import Workspace
from tests.data.samples import encoded, picture

ROOT = Path(__file__).resolve().parents[2]
FOREVER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + FOREVER


@pytest.fixture
def phantoms(workspace: Path) -> Dataset:
    images, labels = draw_set("chest-ct", 24, size=64)
    out = workspace / "datasets" / "phantoms"
    return store(images, labels, out, name="phantoms", split="0.5/0.25/0.25")


# ---- from files to a data set


def test_the_demo_set_is_made_by_a_process_and_shown(workspace: Path) -> None:
    app = open_page()
    app.number_input[0].set_value(20)
    press(app, "Make this data set")
    app = settled(app)
    made = Dataset(workspace / "datasets" / "demo-chest-ct")
    assert made.modality == "chest-ct"
    assert sum(made.info["splits"].values()) == 20
    assert any("is ready" in box.value for box in app.success)
    assert not files_in(workspace / "uploads")


def test_a_zip_is_checked_at_once_and_becomes_a_data_set_with_its_folders_as_classes(workspace: Path) -> None:
    app = settled(upload("lesions.zip", zip_of(lesions() | {"malignant/broken.png": b"not an image"})))
    assert metric(app, "Usable pictures") == "12"
    assert metric(app, "Cannot be used") == "1"
    press(app, "Make this data set")
    app = settled(app)
    made = Dataset(workspace / "datasets" / "lesions")
    assert set(made.info["classes"]) == {"benign", "malignant"}
    assert [row["file"] for row in made.report["rejected"]] == ["malignant/broken.png"]
    assert any("1 file was left out" in box.value for box in app.success)
    assert not files_in(workspace / "uploads"), "the upload is deleted once it is a data set"


def test_what_is_chosen_on_the_page_is_what_is_made(workspace: Path) -> None:
    app = settled(upload("lesions.zip", zip_of(lesions())))
    shows(app).set_value("dermoscopy").run()
    control(app, "Shape").set_value("pad").run()
    control(app, "Size in pixels").set_value("64").run()
    app.slider[0].set_value((50, 75)).run()
    press(app, "Make this data set")
    settled(app)
    settings = Dataset(workspace / "datasets" / "lesions").info["settings"]
    assert (settings["fit"], settings["size"], settings["split"]) == ("pad", 64, "0.5/0.25/0.25")
    assert settings["modality"] == "dermoscopy"


def test_an_upload_without_images_is_told_in_one_sentence_and_can_be_removed(workspace: Path) -> None:
    app = settled(upload("notes.zip", zip_of({"readme.txt": b"hello"})))
    assert "image" in app.error[0].value
    press(app, "Start over")
    assert not list((workspace / "uploads").iterdir())


def test_a_table_among_the_files_gives_the_classes(workspace: Path) -> None:
    rows = "".join(f"{k}.png,{'a' if k % 2 else 'b'}\n" for k in range(12))
    images = {f"{k}.png": encoded(picture(k)) for k in range(12)}
    app = settled(upload("set.zip", zip_of(images | {"labels.csv": ("file,label\n" + rows).encode()})))
    radio = next(r for r in app.radio if r.label == "Classes")
    assert "files from file, classes from label" in radio.options[1]
    radio.set_value(str(Path(only(workspace / "uploads"), "files", "set.zip", "labels.csv"))).run()
    app = settled(app)
    table = next(d.value for d in app.dataframe if "class" in d.value.columns)
    assert set(table["class"]) == {"a", "b"}


def test_a_name_that_is_taken_loses_nothing(phantoms: Dataset) -> None:
    app = open_page()
    app.text_input[0].set_value("phantoms")
    press(app, "Make this data set")
    assert "already" in app.error[0].value
    assert Dataset(phantoms.folder).info == phantoms.info


# ---- what the images show


def test_what_is_uploaded_shows_something_else_until_somebody_says_what(space: Workspace) -> None:
    intake = scanned(space)
    app = open_page(intake=intake.id)
    assert shows(app).value == "other"
    assert any("nobody said that this is harmless" in c.value for c in app.caption)
    shows(app).set_value("brain-mri").run()
    assert any("May be mirrored, left and right" in c.value for c in app.caption)
    assert intake.settings().modality == "brain-mri"
    assert not any("Check again" in b.label for b in app.button), "the findings are the same"
    assert shows(open_page(intake=intake.id)).value == "brain-mri"


def test_a_set_with_a_name_is_known_to_show_something(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        Jobs, "inspect", lambda self, record, s, settings, **_: asked.append(settings.modality)
    )
    app = open_page()
    control(app, "Where from").set_value("medmnist").run()
    next(s for s in app.selectbox if s.label == "Set").set_value("octmnist")
    press(app, "Download and check")
    assert asked == ["oct"]


def test_what_a_set_shows_can_be_corrected_where_it_is_shown(phantoms: Dataset) -> None:
    digest = phantoms.info["content_sha256"]
    app, other = open_page(), open_page()
    assert shows(app).value == "other"
    shows(app).set_value("chest-ct").run()
    assert not app.exception and not app.error
    assert (Dataset(phantoms.folder).modality, Dataset(phantoms.folder).info["content_sha256"]) == (
        "chest-ct",
        digest,
    )
    assert shows(other.run()).value == "chest-ct", "a tab that was open before writes nothing back"
    assert Dataset(phantoms.folder).modality == "chest-ct"


# ---- what stands in the way of Make


def make_button(app: AppTest) -> Any:
    return next(b for b in app.button if b.label == "Make this data set")


def test_there_is_one_make_and_it_stands_above_all_choices(space: Workspace) -> None:
    app = open_page(intake=scanned(space).id)
    assert [b.label for b in app.button].count("Make this data set") == 1
    assert not make_button(app).disabled
    names = [e.label or e.type for e in app.main if hasattr(e, "label")]
    assert names.index("Make this data set") < names.index("Shape")


def test_a_set_that_cannot_be_divided_says_so_at_make_and_offers_another_division(space: Workspace) -> None:
    trouble = "All images are in one *group*."
    advice = [{"level": "warning", "text": trouble}, {"level": "info", "text": "Fine otherwise."}]
    intake = scanned(space, trouble=trouble, advice=advice, splits={}, leak_check=None)
    app = open_page(intake=intake.id)
    assert make_button(app).disabled
    assert [box.value for box in app.warning] == [r"All images are in one \*group\*\."], "told once"
    app.slider[0].set_value((50, 75)).run()
    assert make_button(app).disabled
    assert "Check again" in app.warning[0].value
    assert not next(b for b in app.button if b.label == "Check again with these settings").disabled


def choose_pattern(app: AppTest, pattern: str) -> None:
    next(r for r in app.radio if r.label == "Groups").set_value("pattern").run()
    next(t for t in app.text_input if t.label == "Pattern").set_value(pattern).run()
    assert not app.exception


@pytest.mark.parametrize("pattern", ["", "([", "nowhere", "png"])
def test_a_pattern_that_cannot_be_used_stops_make_and_changes_nothing(space: Workspace, pattern: str) -> None:
    intake = scanned(space)
    app = open_page(intake=intake.id)
    choose_pattern(app, pattern)
    assert make_button(app).disabled
    assert any("pattern" in box.value for box in app.warning), "the reason stands at Make"
    assert intake.settings() == intake.scanned_with()
    choose_pattern(app, r"^(\w+)/")
    assert not make_button(app).disabled
    assert intake.settings().group == r"^(\w+)/"


def test_a_broken_pattern_is_quoted_as_it_is_and_not_as_markdown(space: Workspace) -> None:
    app = open_page(intake=scanned(space).id)
    choose_pattern(app, "*a*(")
    assert r"\*a\*\(" in app.error[0].value


def test_black_above_white_stops_make_and_keeps_the_window(space: Workspace) -> None:
    intake = scanned(space, deep=2, hu=2)
    app = open_page(intake=intake.id)
    control(app, "Window").set_value("lung").run()
    control(app, "Window").set_value("own").run()
    assert intake.settings().window == "-160,240"
    next(n for n in app.number_input if n.label == "White at").set_value(-500.0).run()
    assert make_button(app).disabled
    assert next(b for b in app.button if b.label == "Check again with these settings").disabled
    assert any("below white" in box.value for box in app.warning)
    assert intake.settings().window == "-160,240"


def test_no_part_that_is_needed_can_be_chosen_away(space: Workspace) -> None:
    app = open_page(intake=scanned(space).id)
    assert (app.slider[0].min, app.slider[0].max) == (5, 95)
    app.slider[0].set_value((95, 95)).run()
    assert not app.error
    assert make_button(app).disabled is False, "5 % of 12 pictures is one"
    app.slider[0].set_value((70, 70)).run()
    assert not make_button(app).disabled


def test_a_part_that_would_be_empty_is_told_in_words_of_the_page(space: Workspace) -> None:
    app = open_page(intake=scanned(space, accepted=8).id)
    app.slider[0].set_value((50, 95)).run()
    assert make_button(app).disabled
    assert any(r"5 % of 8 pictures is none to judge" in box.value for box in app.warning)
    assert not any("split" in box.value for box in [*app.warning, *app.error])


# ---- a Make that failed, was left, or is watched twice


def with_make(intake: Intake, state: str, out: Path | None = None) -> None:
    intake.make.folder.mkdir()
    intake.make.write_status(Status(state=state, message="No space is left on the disk."))
    status = json.loads((intake.make.folder / "status.json").read_text())
    (intake.make.folder / "status.json").write_text(json.dumps(status | {"pid": 1, "pid_started": 1.0}))
    (intake.make.folder / "choices.json").write_text(json.dumps(intake.settings().to_json()))
    if out is not None:
        intake.note(out=str(out))


def test_why_a_make_failed_is_said_only_while_the_same_is_chosen(space: Workspace) -> None:
    intake = scanned(space)
    with_make(intake, "failed")
    app = open_page(intake=intake.id)
    assert "No space" in app.error[0].value
    control(app, "Shape").set_value("pad").run()
    assert not app.error
    control(app, "Shape").set_value("crop").run()
    assert "No space" in app.error[0].value


def test_a_new_check_forgets_how_the_last_make_ended(space: Workspace) -> None:
    intake = scanned(space)
    with_make(intake, "failed")
    app = open_page(intake=intake.id)
    control(app, "Shape").set_value("pad").run()
    press(app, "Check again with these settings")
    app = settled(app)
    control(app, "Shape").set_value("crop").run()
    assert not app.error
    assert not intake.make.folder.exists()


def test_an_upload_that_became_a_set_unwatched_is_not_called_unfinished(
    space: Workspace, phantoms: Dataset
) -> None:
    intake = scanned(space)
    with_make(intake, FINISHED, phantoms.folder)
    app = open_page()
    assert not any(b.label == "Go on" for b in app.button)
    assert not files_in(space.uploads)


def test_every_tab_that_watched_a_make_is_told_that_the_set_is_ready(
    space: Workspace, phantoms: Dataset
) -> None:
    intake = scanned(space)
    with_make(intake, FINISHED, phantoms.folder)
    for app in (open_page(intake=intake.id), open_page(intake=intake.id)):
        assert any("is ready" in box.value for box in app.success)
        assert "intake" not in app.query_params
        assert not any("is ready" in box.value for box in app.run().success), "once each"


def test_a_set_that_was_deleted_meanwhile_is_told(space: Workspace) -> None:
    intake = scanned(space)
    with_make(intake, FINISHED, space.datasets / "gone")
    app = open_page(intake=intake.id)
    assert "gone again" in app.info[0].value
    assert any(b.label == "Make this data set" for b in app.button), "and one can begin anew"


def test_an_upload_that_another_tab_deleted_is_told(space: Workspace) -> None:
    intake = scanned(space)
    app = open_page(intake=intake.id)
    intake.delete()
    app.run()
    assert not app.exception
    assert "was deleted" in app.info[0].value


# ---- what survives


def test_an_intake_is_found_again_by_its_address(space: Workspace) -> None:
    intake = scanned(space)
    app = open_page(intake=intake.id)
    assert metric(app, "Usable pictures") == "12"


@pytest.mark.parametrize("address", ["../../etc", "x", "0" * 32, "", "..%2f" * 8])
def test_an_address_that_names_no_intake_shows_the_start(space: Workspace, address: str) -> None:
    assert find(space, address) is None
    app = open_page(intake=address)
    assert not app.exception
    assert "intake" not in app.query_params
    assert any(b.label == "Make this data set" for b in app.button)


def test_choices_are_there_again_after_a_refresh(space: Workspace) -> None:
    intake = scanned(space)
    app = open_page(intake=intake.id)
    control(app, "Shape").set_value("squash").run()
    app.slider[0].set_value((60, 60)).run()
    again = open_page(intake=intake.id)
    assert control(again, "Shape").value == "squash"
    assert again.slider[0].value == (60, 60)
    assert intake.settings().split == "0.6/0/0.4"
    assert any("Check again" in b.label for b in again.button), "the findings are for other settings"


def test_an_unfinished_intake_is_offered_where_nobody_else_can_see_it(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned(space)
    assert any(b.label == "Go on" for b in open_page().button)
    monkeypatch.setenv("SPACE_ID", "somebody/space")
    assert not any(b.label == "Go on" for b in open_page().button)


def test_the_servers_own_folders_are_offered_only_where_it_is_not_shared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert len(control(open_page(), "Where from").options) == 5
    monkeypatch.setenv("MEDGAN_HOSTED", "1")
    assert len(control(open_page(), "Where from").options) == 4


def test_stale_uploads_go_but_not_one_that_is_being_worked_on(space: Workspace) -> None:
    old, busy, new = (begin(space, name) for name in ("old", "busy", "new"))
    (busy.folder / "scan").mkdir()
    busy.scan.write_status(Status(state=RUNNING))
    for intake in (old, busy):
        for path in [*intake.folder.iterdir(), intake.folder]:
            os.utime(path, (1.0, 1.0))
    uploads.delete_stale(space)
    assert [i.folder.exists() for i in (old, busy, new)] == [False, True, True]


# ---- cancel


@pytest.mark.parametrize("program", [FOREVER, STUBBORN])
def test_cancel_ends_a_process_even_one_that_does_not_listen(
    space: Workspace, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "GRACE", 0.3)
    record = Run(space.uploads / "work")
    record.folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        record.write_status(Status(state=RUNNING), psutil.Process(child.pid))
        Jobs(space).cancel(record)
        child.wait(30)
    assert not record.status().alive
    assert not psutil.pid_exists(child.pid)


def test_a_failed_check_shows_its_sentence_and_the_files_stay(space: Workspace) -> None:
    intake = scanned(space)
    status = Status(state="failed", message="The ZIP is *damaged*.", pid=1)
    (intake.scan.folder / "status.json").write_text(json.dumps(vars(status)))
    app = open_page(intake=intake.id)
    assert app.error[0].value == r"The ZIP is \*damaged\*\."
    assert any(b.label == "Check again" for b in app.button)
    assert intake.folder.exists()


# ---- findings


def test_pairs_flags_and_reasons_are_shown_as_pictures_and_lists(space: Workspace) -> None:
    names = sorted(lesions())
    pair = {"first": names[0], "second": names[-1], "distance": 2.0, "turned": "mirrored"}
    intake = scanned(
        space,
        conflicts=[pair | {"labels": ["benign", "malignant"], "kind": "near"}],
        near_duplicates=[pair | {"labels": ["benign", "benign"]}] * 9,
        flagged=[{"file": names[1], "reason": "burned-in annotation"}],
        dropped={"GPS position": 3},
        rejected=[{"file": "a[b](http://x)*.png", "reason": "is empty (0 bytes)"}],
    )
    app = open_page(intake=intake.id)
    assert not app.exception
    assert metric(app, "In two classes") == "1"
    titles = [e.label for e in app.expander]
    assert "1 picture stands in two classes" in titles
    assert "9 near copies" in titles
    assert "Personal data was found in 3 files and is not kept" in titles
    captions = [image.proto.imgs[0].caption for image in app.get("image")]
    assert captions.count(r"5\.png") >= 1
    control(app, "What to do with pictures stand in two classes").set_value("keep").run()
    assert intake.settings().conflicts == "keep"


def test_closed_lists_of_pairs_decode_nothing(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    names = sorted(lesions())
    pairs = [{"first": a, "second": b, "labels": ["x", "x"], "distance": 1.0} for a in names for b in names]
    intake = scanned(space, near_duplicates=pairs)
    decoded: list[str] = []
    monkeypatch.setattr(pictures, "thumbnail", lambda intake, name, window: decoded.append(name))
    open_page(intake=intake.id)
    assert not decoded


def test_a_set_of_a_thousand_files_and_twenty_classes_is_shown(space: Workspace) -> None:
    classes = {f"class {k}": {"train": 35, "validation": 7, "test": 8} for k in range(20)}
    rejected = [{"file": f"肺部/{k}.png", "reason": "is damaged or cut short"} for k in range(1000)]
    app = open_page(intake=scanned(space, classes=classes, rejected=rejected).id)
    assert not app.exception
    table = next(d.value for d in app.dataframe if "class" in d.value.columns)
    assert len(table) == 20


def test_a_set_without_one_usable_picture_offers_no_make(space: Workspace) -> None:
    app = open_page(intake=scanned(space, accepted=0, files=[], classes={}).id)
    assert not app.exception
    assert next(b for b in app.button if b.label == "Make this data set").disabled


def test_the_window_is_offered_only_where_pictures_have_more_than_8_bits(space: Workspace) -> None:
    intake = scanned(space)
    assert not any(g.label == "Window" for g in open_page(intake=intake.id).segmented_control)
    deep = open_page(intake=scanned(space, deep=2).id)
    assert "Lung" not in control(deep, "Window").options
    ct = open_page(intake=scanned(space, deep=2, hu=2).id)
    assert "Lung" in control(ct, "Window").options


def test_a_picture_that_went_away_is_said_and_harms_nothing(space: Workspace) -> None:
    intake = scanned(space, files=["gone/1.png", *sorted(lesions())[:2]])
    app = open_page(intake=intake.id)
    assert not app.exception
    assert any("is not there any more" in c.value for c in app.caption)


def test_a_source_that_went_away_leaves_the_findings(space: Workspace) -> None:
    intake = scanned(space)
    (intake.files / "lesions.zip").unlink()
    app = open_page(intake=intake.id)
    assert not app.exception
    assert metric(app, "Usable pictures") == "12"


def test_the_gravest_advice_is_in_sight_and_the_rest_is_counted(space: Workspace) -> None:
    advice = [
        {"level": "info", "text": "Good."},
        {"level": "warning", "text": "First."},
        {"level": "warning", "text": "Second."},
    ]
    app = open_page(intake=scanned(space, advice=advice).id)
    assert app.warning[0].value == r"First\."
    assert "1 warning and 1 note more" in [e.label for e in app.expander]


# ---- patterns


def test_a_pattern_shows_what_it_finds() -> None:
    found = dict(parts.preview(r"^(p\d+)_", ("p1_a.png", "p1_b.png", "other.png")))
    assert found == {"p1_a.png": "p1", "p1_b.png": "p1", "other.png": None}


@pytest.mark.parametrize("pattern", ["([", "(a+)+b$"])
def test_a_pattern_that_is_none_or_never_ends_is_told(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if pattern != "([":
        monkeypatch.setattr("medgan.data.groups.SECONDS", 1)
    with pytest.raises(MedGANError, match=r"pattern|too long"):
        parts.preview(pattern, ("a" * 60,))


# ---- the sets there are


def test_the_gallery_shows_the_chosen_part_and_class(phantoms: Dataset) -> None:
    app = open_page()
    control(app, "Part").set_value("validation").run()
    app.selectbox[-1].set_value("nodule").run()
    captions = [image.proto.imgs[0].caption for image in app.get("image")]
    shown = [c for c in captions if "·" in c]
    rows = [r for r in phantoms.manifest if (r["split"], r["class"]) == ("validation", "nodule")]
    assert shown == ["nodule · validation"] * len(rows)


def test_a_huge_set_is_not_read_to_its_end(phantoms: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_page, "LISTED", 5)
    app = open_page()
    assert not app.exception
    assert any(c.value == "The first 5 images" for c in app.caption)


def test_a_set_of_an_earlier_format_is_shown_with_its_held_out_part_to_judge_with(phantoms: Dataset) -> None:
    info = json.loads((phantoms.folder / "dataset.json").read_text())
    old = {key: info[key] for key in ("name", "size", "channels", "groups", "content_sha256")}
    splits, classes = {"train": 18, "heldout": 6}, {"nodule": {"train": 18, "heldout": 6}}
    old |= {"format": 1, "splits": splits, "classes": classes, "rejected": [], "settings": {"heldout": 0.25}}
    (phantoms.folder / "dataset.json").write_text(json.dumps(old))
    (phantoms.folder / "report.json").unlink()
    app = open_page()
    assert not app.exception
    assert metric(app, "To judge (test)") == "6"


def test_a_deleted_set_is_gone(phantoms: Dataset) -> None:
    app = open_page()
    app.button(key="delete_data").click().run()
    assert not phantoms.folder.exists()


# ---- names


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\me\scan.png", "scan.png"),
        ("..", "image"),
        ("", "image"),
        (".hidden.png", "hidden.png"),
        ("a\x00b\nc.png", "abc.png"),
        ("صورة الرئة.png", "صورة الرئة.png"),
        ("\ud800.png", "image.png"),
    ],
)
def test_an_upload_keeps_its_name_where_that_is_safe(name: str, kept: str) -> None:
    assert uploads.kept_name(name) == kept


def test_a_long_name_keeps_its_ending_and_fits_a_file_system(tmp_path: Path) -> None:
    name = uploads.kept_name("肺" * 300 + ".nii")
    assert name.endswith("肺.nii")
    (tmp_path / f"abcdef-{name}").write_bytes(b"")


def test_names_are_shown_as_they_are_and_not_as_markdown() -> None:
    assert plain("![x](http://evil/*.png)") == r"\!\[x\]\(http\://evil/\*\.png\)"
    assert plain("a" * 100, 11) == "aaaaa…aaaaa"
    assert plain("رئة") == "\u2068رئة\u2069"


def test_each_name_from_right_to_left_is_fenced_by_itself_in_a_sentence() -> None:
    text = "Fewer than 50 images in ورم حميد (26), سليم 2 ب (3) and x_y."
    assert sentence(text) == (
        "Fewer than 50 images in \u2068ورم حميد\u2069 \\(26\\), \u2068سليم 2 ب\u2069 \\(3\\) and x\\_y\\."
    )


def test_the_page_speaks_of_no_option_of_the_command_line() -> None:
    for text in (
        "The smallest of 2 groups has 10 images; give test a larger share with --split, or add images.",
        "No image names its patient. Give a table with --labels that has a column, or use --group auto.",
        "--split 0.5/0.25/0.25 of 4 images leaves too few for train; add images.",
        "This export says nothing; export the images again under that licence (--licence cc-by-4.0).",
    ):
        assert "--" not in on_the_page(text)
    assert on_the_page("a -- b --x.png") == "a -- b --x.png"


def test_advice_with_names_from_right_to_left_keeps_its_figures_in_place(space: Workspace) -> None:
    advice = [{"level": "warning", "text": "Few in رئة (12)."}]
    app = open_page(intake=scanned(space, advice=advice).id)
    assert app.warning[0].value == "Few in \u2068رئة\u2069 \\(12\\)\\."


@pytest.mark.parametrize(
    "text",
    [
        "owner/name",
        "hub:datasets/owner/name",
        "https://huggingface.co/datasets/owner/name/",
        "https://huggingface.co/datasets/owner/name/tree/main",
        "https://huggingface.co/datasets/owner/name/tree/main/data",
        "huggingface.co/datasets/owner/name/viewer/default/train?p=1#row",
        "'owner/name'",
    ],
)
def test_a_data_set_of_the_hub_is_understood_in_every_form(text: str) -> None:
    assert hub_repo(text) == "owner/name"


def test_the_address_of_another_revision_names_that_revision() -> None:
    address = "https://huggingface.co/datasets/owner/name/tree/"
    assert hub_repo(address + "v1.2/data") == "owner/name@v1.2"
    assert hub_repo(address + "refs%2Fconvert%2Fparquet") == "owner/name@refs/convert/parquet"


def test_a_path_may_stand_in_quotes(tmp_path: Path) -> None:
    folder = tmp_path / "my images"
    folder.mkdir()
    assert local_path(f' "{folder}" ') == folder.resolve()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Write the path"),
        ('""', "Write the path"),
        ("/no/[x]", r"/no/\[x\] is not there"),
        ("a" * 5000, "is not there"),
    ],
)
def test_a_path_that_is_none_is_told(text: str, words: str) -> None:
    with pytest.raises(MedGANError, match=words):
        local_path(text)


@pytest.mark.parametrize("text", ["", "name", "a/b/c", "owner/na me"])
def test_what_is_no_data_set_of_the_hub_is_told(text: str) -> None:
    with pytest.raises(MedGANError, match="owner/name"):
        hub_repo(text)


def test_the_page_is_there_before_heavy_libraries_are() -> None:
    code = (
        "import sys, medgan.ui.new_data, medgan.ui.data\n"
        "heavy = {'torch', 'pandas', 'scipy', 'pydicom', 'nibabel', 'imagehash', 'tifffile'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ---- helpers


def open_page(**query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "medgan" / "ui" / "main.py"), default_timeout=60)
    app.run()
    for key, value in query.items():
        app.query_params[key] = value
    return app.switch_page(str(ROOT / "pages" / "data.py")).run()


def upload(name: str, content: bytes) -> AppTest:
    app = open_page()
    control(app, "Where from").set_value("upload").run()
    app.file_uploader(key="uploader").upload(name, content, "application/zip").run()
    assert not app.exception
    return app


def settled(app: AppTest, seconds: float = 120.0) -> AppTest:
    """The page once no process is at work any more."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and any(b.label == "Cancel" for b in app.button):
        time.sleep(0.3)
        app.run()
        assert not app.exception
    return app


def files_in(uploads: Path) -> list[Path]:
    """What lies there but for the notes of what became of uploads."""
    return [path for path in uploads.rglob("*") if path.is_file() and path.name != "intake.json"]


def only(folder: Path) -> Path:
    [path] = folder.iterdir()
    return path


def press(app: AppTest, label: str) -> None:
    next(b for b in app.button if b.label == label).click().run()
    assert not app.exception


def control(app: AppTest, label: str) -> Any:
    return next(g for g in app.segmented_control if g.label == label)


def shows(app: AppTest) -> Any:
    return next(s for s in app.selectbox if s.label == "What the images show")


def metric(app: AppTest, label: str) -> str:
    return str(next(m.value for m in app.metric if m.label == label))


def lesions() -> dict[str, bytes]:
    return {
        f"{'benign' if k % 2 else 'malignant'}/{k}.png": encoded(picture(k, (160, 120))) for k in range(12)
    }


def zip_of(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def scanned(space: Workspace, **changes: Any) -> Intake:
    """An upload of twelve images whose check has ended, with a report that is changed."""
    intake = begin(space, "lesions")
    (intake.files / "lesions.zip").write_bytes(zip_of(lesions()))
    intake.scan.folder.mkdir()
    intake.scan.write_status(Status(state=FINISHED, message="Finished."))
    report = {
        "accepted": 12,
        "files": sorted(lesions()),
        "classes": {name: {"train": 4, "validation": 1, "test": 1} for name in ("benign", "malignant")},
        "splits": {"train": 8, "validation": 2, "test": 2},
        "groups": 12,
        "grouping": "12 groups by likeness",
        "kinds": {"PNG": 12},
        "channels": 3,
        "advice": [{"level": "warning", "text": "12 images are few."}],
        "leak_check": {"first": "benign/1.png", "second": "malignant/2.png", "words": "Far apart."},
    }
    (intake.scan.folder / "report.json").write_text(json.dumps(report | changes))
    return intake


@pytest.mark.parametrize("name", ["www.evil.example", "a@evil.example", "WWW.evil.example"])
def test_a_name_never_becomes_a_link(name: str) -> None:
    shown = plain(name)
    assert "www\\." not in shown.lower()
    assert "@evil" not in shown
    assert shown.replace("\u2060", "").replace("\\", "") == name
