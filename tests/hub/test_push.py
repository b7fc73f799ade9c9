"""Publishing through the real client: what leaves, what the card says, what stops it; no token stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medgan.cli import main
from medgan.config import ModelConfig
from medgan.errors import DataError, HubError, Interrupted
from medgan.generation.export import Origin, Part, Settings, export
from medgan.hub.push import Wish, push
from medgan.models.build import build_generator
from medgan.runs.checkpoint import save_model
from medgan.runs.info import ModelInfo, model_sha256
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
    for said in ("license: mit", "160 images", "c0" * 32, "memorisation **good**", "Not** for"):
        assert said in card, said
    assert {token for _, path, token in hub.seen if path != "/lfs"} >= {f"Bearer {TOKEN}"}


def test_the_token_is_nowhere_afterwards(
    hub: Uploads, model: Path, tmp_path: Path, workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    push(model, NAME, SIGNED, token=TOKEN)
    hub.refuse["commit"] = 403
    with pytest.raises(HubError) as caught:
        push(model, NAME, SIGNED, token=TOKEN)
    said = capfd.readouterr()
    assert TOKEN not in str(caught.value) + said.out + said.err
    for folder in (tmp_path, workspace):
        for path in folder.rglob("*"):
            assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
    assert not any(TOKEN.encode() in body for body in hub.files[f"models/{NAME}"].values())


def test_a_failed_verdict_on_copies_blocks_until_somebody_says_why(hub: Uploads, model: Path) -> None:
    wish = Wish(licence="mit", reports=[report(model, "fail")])
    with pytest.raises(DataError, match="12 % of the images are copies"):
        push(model, NAME, wish)
    assert hub.seen == []
    push(model, NAME, Wish("mit", wish.reports, override="All patients have agreed."))
    card = hub.files[f"models/{NAME}"]["README.md"].decode()
    assert "The verdict on memorisation is fail" in card and "All patients have agreed." in card


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
    assert hub.seen == []


def exported(folder: Path, **settings: Any) -> Path:
    parts = [Part(range(3), "melanoma"), Part(range(2), "nevus")]
    export(new(), parts, folder, origin=Origin("tiny", "ab" * 32), settings=Settings(**settings))
    return folder


@pytest.mark.parametrize("form", ["png", "parquet"])
def test_an_export_goes_out_as_a_data_set(form: str, hub: Uploads, tmp_path: Path) -> None:
    folder = exported(tmp_path / "out", form=form, licence="mit")
    with pytest.raises(DataError, match="was checked for copies"):
        push(folder, NAME, SIGNED)
    push(folder, NAME, Wish("mit", override="Phantoms, nobody is behind them.", private=False))
    files = hub.files[f"datasets/{NAME}"]
    assert not hub.private[f"datasets/{NAME}"]
    assert {"README.md", "LICENSE", "export.json"} < set(files)
    kind = "images/melanoma/seed-000002.png" if form == "png" else "data/train-00000-of-00001.parquet"
    assert kind in files
    assert "Phantoms, nobody is behind them." in files["README.md"].decode()
    with pytest.raises(DataError, match=r"export it with --licence cc0-1\.0"):
        push(folder, NAME, Wish("cc0-1.0", override="x"))


@pytest.mark.parametrize(
    ("part", "status", "said"),
    [
        ("create", 401, "does not know you"),
        ("create", 403, "does not let you write"),
        ("lfs", 507, "no room"),
        ("preupload", 429, "too many requests"),
        ("commit", 503, "trouble of its own"),
    ],
)
def test_a_refusal_is_one_sentence(part: str, status: int, said: str, hub: Uploads, model: Path) -> None:
    hub.refuse[part] = status
    with pytest.raises(HubError, match=said):
        push(model, NAME, SIGNED, token=TOKEN, deadline=60)


def test_a_silent_hub_and_an_impatient_user(hub: Uploads, model: Path) -> None:
    hub.silent = "create"
    with pytest.raises(HubError):
        push(model, NAME, SIGNED, deadline=6)
    with pytest.raises(Interrupted):
        push(model, NAME, SIGNED, cancelled=lambda: True)


def test_a_broken_connection_is_said(hub: Uploads, model: Path) -> None:
    hub.cut = "commit"
    with pytest.raises(HubError):
        push(model, NAME, SIGNED, deadline=120)


def test_the_command_shows_what_leaves_and_asks(
    hub: Uploads, model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert main(["push", str(model), NAME, "--licence", "mit"]) == 130
    said = capsys.readouterr().err
    assert "private" in said and "model.safetensors" in said and "--yes" in said
    assert hub.seen == []
    assert main(["push", str(model), NAME, "--licence", "mit", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["revision"] == COMMIT
