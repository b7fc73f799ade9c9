"""The folder of a Space, and its Dockerfile: read, and its steps done where there is no Docker."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from websockets.sync.client import connect

from medgan.cli import main
from medgan.errors import ConfigError
from medgan.hosting import PORT, ROOT, build_space
from tests.dockerfile import Stage, ignored, read

STAGES = read(ROOT / "Dockerfile")
IMAGE = STAGES[-1]
HOME = "/home/user"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("space") / "context"
    build_space(out, title='Skin: "small"')
    return out


def test_the_front_matter_says_docker_and_the_port_of_the_container(context: Path) -> None:
    _, matter, text = (context / "README.md").read_text("utf-8").split("---\n", 2)
    values = yaml.safe_load(matter)
    assert (values["sdk"], values["app_port"]) == ("docker", PORT)
    assert values["title"] == 'Skin: "small"'
    assert len(values["short_description"]) <= 60, "the Hub refuses more"
    assert "same workspace" in text


def test_caches_secrets_and_workspaces_stay_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    assert main(["space", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    assert "models: chest-ct, chest-ct-classes, isic, isic-classes" in said
    assert "--private" in said
    found = {path.name for path in (tmp_path / "out").rglob("*")}
    assert {"app.py", "home.py", "samples.png", "config.toml", ".dockerignore", "Dockerfile"} <= found
    assert not found & {
        "discriminator.safetensors",
        "__pycache__",
        "secrets.toml",
        "workspace",
        "tests",
        ".git",
        ".venv",
    }


def test_a_folder_with_something_in_it_is_refused(context: Path, tmp_path: Path) -> None:
    before = sorted(context.rglob("*"))
    with pytest.raises(ConfigError, match="is not empty; choose a new folder"):
        build_space(context)
    assert sorted(context.rglob("*")) == before
    with pytest.raises(ConfigError, match="one line"):
        build_space(tmp_path / "new", title="two\nlines")
    assert not (tmp_path / "new").exists()


def test_an_installed_medgan_without_its_clone_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medgan.hosting.ROOT", tmp_path)
    with pytest.raises(ConfigError, match=r"app\.py is not beside this MedGAN"):
        build_space(tmp_path / "new")


def test_every_image_is_pinned_to_a_full_version() -> None:
    for stage in STAGES:
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", stage.base), stage.base
    assert len({stage.base for stage in STAGES}) == 1, "the packages are of this Python"
    assert re.search(r" uv==\d+\.\d+\.\d+ ", STAGES[0].last("RUN"))


def test_what_is_copied_is_in_the_context_and_not_ignored(context: Path) -> None:
    rules = [line for line in (context / ".dockerignore").read_text("utf-8").splitlines() if line[:1] != "#"]
    for stage in STAGES:
        for sources, _ in stage.copies():
            for source in sources:
                assert (context / source).exists(), source
                assert not ignored(source, rules), source
    for secret in (
        "workspace/runs/a/config.json",
        ".git/config",
        ".venv/bin/python",
        ".streamlit/secrets.toml",
        "checkpoints/isic/discriminator.safetensors",
    ):
        assert ignored(secret, rules), secret
    assert not ignored("medgan/ui/home.py", rules)


def test_the_container_holds_what_a_job_elsewhere_is_made_of() -> None:
    sources = [source for copied, _ in IMAGE.copies() for source in copied]
    assert {"medgan", "requirements.txt"} <= set(sources)


def test_the_container_is_a_user_on_the_port_of_a_space() -> None:
    environment, steps = IMAGE.environment(), [name for name, _ in IMAGE.steps]
    assert IMAGE.last("USER") == "user"
    assert "--uid 1000 user" in next(text for name, text in IMAGE.steps if name == "RUN")
    assert steps.index("USER") > max(k for k, name in enumerate(steps) if name in ("COPY", "RUN"))
    assert environment["STREAMLIT_SERVER_PORT"] == IMAGE.last("EXPOSE") == str(PORT)
    assert f":{PORT}/_stcore/health" in IMAGE.last("HEALTHCHECK")
    assert environment["STREAMLIT_SERVER_ADDRESS"] == "0.0.0.0"
    assert environment["STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION"] == "false"
    assert environment["STREAMLIT_SERVER_FILE_WATCHER_TYPE"] == "none"
    for name in ("HF_HOME", "TORCH_HOME", "MEDGAN_HOME"):
        assert environment[name].startswith(f"{HOME}/"), name
    others = (ROOT / ".streamlit" / "config.toml").read_text("utf-8")
    assert "enableXsrfProtection" not in others, "off in the container alone"


def test_the_steps_of_the_dockerfile_show_samples_without_a_network(context: Path, tmp_path: Path) -> None:
    # The packages are linked from here: installing PyTorch again would take minutes and prove only the pins.
    packages, home = tmp_path / "opt", tmp_path / "home"
    home.mkdir()
    venv.create(packages, with_pip=False, symlinks=os.name == "posix")
    site = sysconfig.get_path("purelib", vars={"base": str(packages)})
    Path(site, "linked.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    environment = _environment(IMAGE, packages, home)
    folder = home / "app"
    _copy(context, IMAGE, folder)
    compiling = next(text.split() for name, text in IMAGE.steps if "compileall" in text)
    python = str(packages / "bin" / "python")
    subprocess.run([python, *compiling[1:]], cwd=folder, env=environment, check=True)
    files = sorted(folder.rglob("*"))

    started = time.monotonic()
    with _served([python, *IMAGE.command()[1:]], folder, environment) as port:
        url = _first_image(port)
        shown = _get(port, url)
        seconds = time.monotonic() - started
        with pytest.raises(urllib.error.HTTPError, match="404"):  # our own routes are there
            _get(port, "/exports/none.zip")
    assert shown in [path.read_bytes() for path in folder.glob("checkpoints/*/samples.png")]
    assert sorted(folder.rglob("*")) == files, "the user may not write there"
    assert (home / "workspace").is_dir()
    assert seconds < 30, f"{seconds:.1f} s; alone on two cores it takes three"


def test_the_first_page_does_not_wait_for_pytorch() -> None:
    code = (
        "import sys; from streamlit.testing.v1 import AppTest;"
        "app = AppTest.from_file('medgan/ui/main.py', default_timeout=60).run();"
        "print(not app.exception, len(app.get('image')) >= 2, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "False"]


def _environment(image: Stage, packages: Path, home: Path) -> dict[str, str]:
    """That of the container, with its two folders elsewhere, and a proxy that is not there as the network."""
    values = image.environment() | {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    moved = {k: v.replace("/opt/medgan", str(packages)).replace(HOME, str(home)) for k, v in values.items()}
    return moved | {"PATH": moved["PATH"].replace("$PATH", os.defpath), "OMP_NUM_THREADS": "1"}


def _copy(context: Path, image: Stage, folder: Path) -> None:
    folder.mkdir()
    for sources, target in image.copies():
        for source in sources:
            (folder / target / source if target == "./" else folder / target).parent.mkdir(exist_ok=True)
            subprocess.run(["cp", "-r", context / source, folder / target], check=True)


@contextmanager
def _served(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[int]:
    """The container's command on a free port, until it is healthy and inside of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder.parent / "log.txt"
    with log.open("wb") as words:
        environment = environment | {"STREAMLIT_SERVER_PORT": str(port)}
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=words, stderr=words)
    try:
        end = time.monotonic() + 60
        while not _healthy(port):
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(15)


def _healthy(port: int) -> bool:
    try:
        return _get(port, "/_stcore/health") == b"ok"
    except OSError:
        return False


def _get(port: int, path: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return bytes(answer.read())


def _first_image(port: int) -> str:
    """The address of the first picture on the first page, asked for as a browser does."""
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    asked = BackMsg()
    asked.rerun_script.query_string = ""
    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    with connect(address, subprotocols=["streamlit"], max_size=None, proxy=None) as socket_:  # type: ignore[list-item]
        socket_.send(asked.SerializeToString())
        while True:
            message = ForwardMsg()
            message.ParseFromString(bytes(socket_.recv(timeout=60)))
            if (
                message.WhichOneof("type") == "delta"
                and message.delta.new_element.WhichOneof("type") == "imgs"
            ):
                return str(message.delta.new_element.imgs.imgs[0].url)
