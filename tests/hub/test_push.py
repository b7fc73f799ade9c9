"""Publishing through the real client: what leaves, what the card says, what stops it; no token stays."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medgan.cli import main
from medgan.config import ModelConfig
from medgan.errors import DataError, HubError, Interrupted
from medgan.generation.export import Origin, Settings, export
from medgan.generation.seeds import Part
from medgan.hub import exported as exporting
from medgan.hub import process
from medgan.hub import push as pushing
from medgan.hub.card import pack
from medgan.hub.push import Wish, prepared, push
from medgan.hub.transfer import target_of
from medgan.models.build import build_generator
from medgan.runs.checkpoint import save_model
from medgan.runs.info import ModelInfo, model_sha256, read_info
from tests.evaluation.made_up import report as made_up_report
from tests.generation.test_export import new
from tests.hub.fakeupload import COMMIT, Uploads, serve

NAME = "ada/tiny"
TOKEN = "hf_typedByHand123"
SIGNED = Wish(licence="mit")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Uploads]:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with serve() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    config = ModelConfig(size=64, ngf=4, ndf=4)
    about = {"name": "tiny", "dataset": {"name": "moles", "train": 160, "content_sha256": "c0" * 32}}
    save_model(folder, build_generator(config).eval(), ModelInfo(config, about))
    (folder / "training.safetensors").write_bytes(b"optimizer, discriminator: stays here")
    (folder / "patients.csv").write_text("names")
    return folder


def report(model: Path, level: str = "good") -> dict[str, Any]:
    made = made_up_report()
    made["model"]["sha256"] = model_sha256(model)
    made["verdicts"]["memorisation"] = {"level": level, "reason": "12 % of the images are copies."}
    return made


def test_a_model_goes_out_private_with_its_card_and_nothing_else(hub: Uploads, model: Path) -> None:
    pushed = push(model, NAME, Wish(licence="mit", reports=[report(model)]), token=TOKEN)
    assert pushed.revision == COMMIT and pushed.url == f"{hub.endpoint}/{NAME}"
    files = hub.files[f"models/{NAME}"]
    assert set(files) == {"config.json", "model.safetensors", "samples.png", "README.md"}
    assert hub.private[f"models/{NAME}"]
    assert files["model.safetensors"] == (model / "model.safetensors").read_bytes()
    card = files["README.md"].decode()
    for said in ("license: mit", "160 images", "c0" * 32, "memorisation **good**", "Not** for", "fp32"):
        assert said in card, said
    assert f'medgan.load("hub:{NAME}")' in card and f"generate hub:{NAME} " in card
    assert {token for _, path, token in hub.seen if not path.startswith("/lfs/")} == {f"Bearer {TOKEN}"}
    assert {token for _, path, token in hub.seen if path.startswith("/lfs/")} == {None}, "not the hub's host"


def test_the_folder_of_the_model_it_began_with_stays_here(model: Path, tmp_path: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    origin = {"name": "skin", "sha256": "ab" * 32}
    config["about"]["init"] = origin | {"path": str(tmp_path / "ada")}  # as older checkpoints have it
    (model / "config.json").write_text(json.dumps(config))
    packed = pack(model, tmp_path / "packed")
    with prepared(model, SIGNED, target_of(NAME, None)) as (folder, _):
        for there in (folder, packed):
            assert read_info(there).about["init"] == origin
            assert str(tmp_path) not in (there / "config.json").read_text()
            assert "weights of skin" in (there / "README.md").read_text()


def test_the_token_is_nowhere_afterwards(
    hub: Uploads,
    model: Path,
    tmp_path: Path,
    workspace: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[Any] = []
    popen = subprocess.Popen

    def start(arguments: list[str], **options: Any) -> Any:
        started.append((arguments, options["env"]))
        return popen(arguments, **options)

    monkeypatch.setattr(process.subprocess, "Popen", start)
    push(model, NAME, SIGNED, token=f" {TOKEN} ")
    hub.refuse["commit"] = 403
    with pytest.raises(HubError) as caught:
        push(model, "ada/other", SIGNED, token=TOKEN)
    said = capfd.readouterr()
    assert TOKEN not in str(caught.value) + said.out + said.err
    assert "".join(said) == "", "no bars, no warnings, nothing that the server wrote"
    assert TOKEN not in str([arguments for arguments, _ in started])
    assert {environment["HF_TOKEN"] for _, environment in started} == {TOKEN}
    assert "HF_TOKEN" not in os.environ
    assert TOKEN not in repr(target_of(NAME, None, token=TOKEN))
    for folder in (tmp_path, workspace):
        for path in folder.rglob("*"):
            assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
    assert not any(TOKEN.encode() in body for body in hub.files[f"models/{NAME}"].values())


def test_a_failed_verdict_on_copies_blocks_until_somebody_says_why(hub: Uploads, model: Path) -> None:
    wish = Wish(licence="mit", reports=[report(model, "fail")])
    with pytest.raises(DataError, match="12 % of the images are copies"):
        push(model, NAME, wish)
    assert hub.seen == []
    push(model, NAME, Wish("mit", wish.reports, override="All patients have agreed."), token=TOKEN)
    card = hub.files[f"models/{NAME}"]["README.md"].decode()
    assert "> **The verdict on memorisation is fail: 12 % of the images are copies.**" in card
    assert "Whoever published it wrote: All patients have agreed." in card
    assert card.index("All patients") < card.index("## Trained on")


def test_what_is_not_said_or_not_true_stops_it(hub: Uploads, model: Path) -> None:
    with pytest.raises(DataError, match="licence"):
        push(model, NAME, Wish(licence=" "))
    other = report(model)
    other["model"]["sha256"] = "0" * 64
    with pytest.raises(DataError, match="not of this model"):
        push(model, NAME, Wish("mit", [other]))
    with pytest.raises(HubError, match="owner/name"):
        push(model, "tiny", SIGNED)
    with pytest.raises(DataError, match="neither a model nor"):
        push(model.parent, NAME, SIGNED)
    for licence in ("mit\ngated: false", "my own", "[mit]"):
        with pytest.raises(DataError, match="is no name of a licence"):
            push(model, NAME, Wish(licence))
    assert hub.seen == []


def test_a_model_that_nobody_judged_says_so(model: Path) -> None:
    with prepared(model, SIGNED, target_of(NAME, "http://hub")) as (folder, files):
        card = (folder / "README.md").read_text()
    assert "Nobody has judged that" in card and "Not evaluated." in card
    assert files == ["README.md", "config.json", "model.safetensors", "samples.png"]


def test_nothing_but_the_export_leaves_with_it(tmp_path: Path) -> None:
    folder = exported(tmp_path / "out", licence="MIT")
    target = target_of(NAME, "http://hub", kind="dataset")
    wish = Wish("mit", override="Phantoms.")
    (folder / "notes.txt").write_text("patient names")
    (folder / "images" / "melanoma" / "report.pdf").write_bytes(b"%PDF")
    with prepared(folder, wish, target) as (_, files):
        assert not [name for name in files if name.endswith((".txt", ".pdf"))] and len(files) == 5 + 4
    real = folder / "images" / "nevus" / "P12_3.png"
    real.write_bytes(b"a real one")
    with (
        pytest.raises(DataError, match=r"P12_3\.png is not in metadata\.csv"),
        prepared(folder, wish, target),
    ):
        pass
    real.unlink()
    real.symlink_to("/etc/hostname")
    with pytest.raises(DataError, match="is a link"), prepared(folder, wish, target):
        pass
    real.unlink()
    (folder / "images" / "nevus" / "seed-000000.png").unlink()
    with (
        pytest.raises(DataError, match=r"seed-000000\.png is in metadata\.csv and not"),
        prepared(folder, wish, target),
    ):
        pass


@pytest.mark.parametrize("form", ["png", "parquet"])
def test_a_zip_goes_out_as_the_folder_would(form: str, hub: Uploads, tmp_path: Path) -> None:
    folder = exported(tmp_path / "out", form=form, licence="mit")
    packed = exported(tmp_path / "out.zip", form=form, licence="mit")
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("notes.txt", "patient names")
        archive.writestr("../outside.png", "not in this folder")
    wish = Wish("mit", override="Phantoms.")
    push(folder, "ada/folder", wish, token=TOKEN)
    assert push(packed, "ada/zip", wish, token=TOKEN).url == f"{hub.endpoint}/datasets/ada/zip"
    assert hub.files["datasets/ada/zip"] == hub.files["datasets/ada/folder"]


def test_a_zip_that_is_none_or_damaged_or_too_large_is_refused(
    hub: Uploads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = exported(tmp_path / "out.zip", licence="mit")
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("images/seed-000000.png", b"")
    with pytest.raises(DataError, match="neither a model nor an export"):
        push(other, NAME, SIGNED)
    with pytest.raises(Interrupted, match="nothing was uploaded"):
        push(packed, NAME, SIGNED, cancelled=lambda: True)
    packed.write_bytes(packed.read_bytes().replace(b"PNG", b"GNP"))
    with pytest.raises(DataError, match=r"out\.zip cannot be unpacked; export the images again"):
        push(packed, NAME, SIGNED)
    monkeypatch.setattr(exporting, "SPARE", 10**18)
    with pytest.raises(DataError, match="are free for temporary files"):
        push(packed, NAME, SIGNED)
    assert hub.seen == []


def test_a_bad_verdict_on_the_model_stops_its_images_too(tmp_path: Path) -> None:
    folder = exported(tmp_path / "out", licence="mit")
    target = target_of(NAME, "http://hub", kind="dataset")
    bad = made_up_report()
    bad["model"]["sha256"] = "ab" * 32
    bad["verdicts"]["memorisation"] = {"level": "fail", "reason": "12 % of the images are copies."}
    with pytest.raises(DataError, match="12 % of the images are copies"):
        prepared(folder, Wish("mit", [bad]), target).__enter__()
    with prepared(folder, Wish("mit", [bad], override="They agreed."), target) as (staged, _):
        assert "12 % of the images are copies.** Whoever" in (staged / "README.md").read_text()


def exported(folder: Path, **settings: Any) -> Path:
    parts = [Part(range(3), "melanoma"), Part(range(2), "nevus")]
    export(new(), parts, folder, origin=Origin("tiny", "ab" * 32), settings=Settings(**settings))
    return folder


@pytest.mark.parametrize("form", ["png", "parquet"])
def test_an_export_goes_out_as_a_data_set(form: str, hub: Uploads, tmp_path: Path) -> None:
    folder = exported(tmp_path / "out", form=form, licence="mit")
    with pytest.raises(DataError, match="was checked for copies"):
        push(folder, NAME, SIGNED)
    wish = Wish("mit", override="Phantoms, nobody is behind them.", private=False)
    assert not push(folder, NAME, wish, token=TOKEN).private
    files = hub.files[f"datasets/{NAME}"]
    assert not hub.private[f"datasets/{NAME}"]
    assert {"README.md", "LICENSE", "export.json"} < set(files)
    kind = "images/melanoma/seed-000002.png" if form == "png" else "data/train-00000-of-00001.parquet"
    assert kind in files
    assert "Phantoms, nobody is behind them." in files["README.md"].decode()
    with pytest.raises(DataError, match=r"again under that licence \(--licence cc0-1\.0\)"):
        push(folder, NAME, Wish("cc0-1.0", override="x"))


@pytest.mark.parametrize(
    ("part", "status", "said"),
    [
        ("create", 403, "does not let you write"),
    ],
)
def test_a_refusal_is_one_sentence(part: str, status: int, said: str, hub: Uploads, model: Path) -> None:
    hub.refuse[part] = status
    with pytest.raises(HubError, match=said):
        push(model, NAME, SIGNED, token=TOKEN, deadline=60)


def test_a_silent_hub_and_an_impatient_user(hub: Uploads, model: Path) -> None:
    hub.silent = "create"
    with pytest.raises(HubError):
        push(model, NAME, SIGNED, token=TOKEN, deadline=6)
    with pytest.raises(Interrupted):
        push(model, NAME, SIGNED, cancelled=lambda: True)


@pytest.mark.parametrize("where", ["/lfs/", "/commit/"])
def test_a_hub_that_goes_silent_half_way_is_given_up(
    where: str, hub: Uploads, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "STALL", 3.0)
    hub.silent = where
    with pytest.raises(HubError, match=r"The upload of ada/tiny stands still.*goes on where it stopped"):
        push(model, NAME, SIGNED, token=TOKEN)


def test_a_broken_connection_is_said(hub: Uploads, model: Path) -> None:
    hub.cut = "commit"
    with pytest.raises(HubError, match=r"The upload to 127.* broke off"):
        push(model, NAME, SIGNED, token=TOKEN, deadline=120)


def test_the_command_shows_what_leaves_and_asks(
    hub: Uploads, model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert main(["push", str(model), NAME, "--licence", "mit"]) == 130
    said = capsys.readouterr().err
    assert "private" in said and "model.safetensors" in said and "--yes" in said
    assert hub.seen == []
    assert main(["push", str(model), NAME, "--licence", "mit", "--yes", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["revision"] == COMMIT and json.loads(said.out)["private"]
    assert f"It is at {hub.endpoint}/{NAME} (private), commit {COMMIT}." in said.err
