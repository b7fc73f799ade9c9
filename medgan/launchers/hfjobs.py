"""Hugging Face Jobs: a GPU by the minute, for whoever has an account with credit there.

Data set, code and run folder travel through one private data set of the account; `away` is what runs there.
"""

from __future__ import annotations

import os
import re
import socket
import tempfile
import time
import unicodedata
import uuid
import zipfile
from contextlib import suppress
from pathlib import Path

from medgan.errors import HubError, RunError
from medgan.files import write_json
from medgan.hub.jobs import Hardware, JobsHub, NoJob
from medgan.launchers.away import AWAY, CODE, DATA, INIT, NOTE, ORDER, RUN, WISHES, run_files
from medgan.launchers.mirror import place
from medgan.launchers.order import ENDED, PENDING, RUNNING, JobState, Launcher, Order
from medgan.runs import requests
from medgan.runs.info import has_discriminator, read_info
from medgan.runs.launch import ROOT
from medgan.runs.status import read_status

IMAGE = "ghcr.io/astral-sh/uv:python3.12-bookworm"
MOUNT = "/medgan"
BOOT = (
    "export MEDGAN_STARTED=$(date +%s); set -e; "
    f"python -m zipfile -e {MOUNT}/{ORDER}/{CODE} /tmp/code; cd /tmp/code; uv venv -q /tmp/venv; "
    "uv pip install -q --python /tmp/venv/bin/python --torch-backend auto -r requirements.txt; "
    "exec /tmp/venv/bin/python -m medgan.launchers.away"
)
"""Installing takes some minutes, which are paid for, and which count towards the job's limit."""
FOLDER = ".launch"
INIT_OPTION = "--init="
STATUS = f"{RUN}/status.json"
STAGES = {"SCHEDULING": PENDING, "RUNNING": RUNNING}
MINUTES = {"second": 1 / 60, "minute": 1, "hour": 60}
LINES = 50
LOST = 1800.0
"""Seconds without an answer of the Hub after which following a job is given up."""


class HfJobs(Launcher):
    """A job is named `owner/id`; the data set's name is in `.launch/repo` of the run folder."""

    name, title = "hf-jobs", "Hugging Face"

    def __init__(self) -> None:
        self._hub: JobsHub | None = None
        self._hardware: list[Hardware] | None = None
        self._last = (time.monotonic(), JobState(PENDING))
        self._known = False
        self._fetched: dict[str, str] = {}
        self._words = ""

    @property
    def hub(self) -> JobsHub:
        """The Hub, once it is needed: its client takes a while to import."""
        self._hub = self._hub or JobsHub()
        return self._hub

    def needs(self, order: Order) -> list[str]:
        """A token, hardware that there is, and the files around MedGAN."""
        if not self.hub.token():
            return [f"Nobody is logged in to {self.hub.host}: hf auth login, or set HF_TOKEN."]
        missing = []
        if not (ROOT / "requirements.txt").is_file():
            missing.append("The job needs requirements.txt, which lies in a clone of MedGAN; run it there.")
        there = self.hardware()
        wanted = order.settings.get("flavor", "")
        if wanted not in [hardware.name for hardware in there]:
            said = f"There is no hardware {wanted!r}" if wanted else "Name the hardware with --flavor"
            missing.append(f"{said}; there is: {', '.join(map(_priced, there))}.")
        return missing

    def plan(self, order: Order) -> list[str]:
        """What leaves this machine, and what it costs at most."""
        owner = self.hub.account()
        (hardware,) = [h for h in self.hardware() if h.name == order.settings["flavor"]]
        repo = _known_repo(order) or f"a new private data set of {owner}"
        hours = MINUTES.get(hardware.unit)
        most = f", so at most ${hardware.dollars * order.hours * 60 / hours:.2f}" if hours else ""
        sentences = [
            f"One job of {owner} on {hardware.title}: ${hardware.dollars:.4g} a {hardware.unit}{most} in "
            f"{order.hours:g} hours; installing takes the first minutes of it.",
            f"These go to {self.hub.host}: the images of {order.dataset.name} with manifest.csv (names of "
            f"the files, groups) and report.json,{_origin(order)} this code, what the run writes (through "
            f"{repo}), and your token, as the job's secret.",
            "The account needs Pro or credit, and the token the permission to write and to start jobs.",
        ]
        return sentences + ([] if hardware.gpu else ["This hardware has no GPU: is that meant?"])

    def hardware(self) -> list[Hardware]:
        """As the Hub lists it to whoever is logged in; it is asked once."""
        if self._hardware is None:
            self._hardware = self.hub.hardware() if self.hub.token() else []
        return self._hardware

    def asks(self, order: Order) -> bool:
        """It costs money, and images leave the machine."""
        return True

    def start(self, order: Order) -> str:
        """Upload the order, and the run if there is one to go on with, and start the job."""
        owner = self.hub.account()
        repo = _known_repo(order) or f"{owner}/medgan-{_hub_name(order.run.name)}-{uuid.uuid4().hex[:6]}"
        (order.run / FOLDER).mkdir(parents=True, exist_ok=True)
        (order.run / FOLDER / "repo").write_text(repo, "utf-8")
        self.hub.create(repo)
        with tempfile.TemporaryDirectory() as temporary:
            files: dict[str, Path | bytes] = {f"{ORDER}/{p.name}": p for p in _packed(order, Path(temporary))}
            files |= {path: file for path, file in run_files(order.run).items() if path != STATUS}
            _, there = self.hub.listing(repo)
            old = [path for path in there if path not in files and path.split("/")[0] in (ORDER, RUN, WISHES)]
            self.hub.put(repo, files, old)
        job = self.hub.run(
            owner=owner,
            repo=repo,
            mount=MOUNT,
            image=IMAGE,
            command=["bash", "-c", BOOT],
            env={"MEDGAN_ORDER": f"{MOUNT}/{ORDER}", "MEDGAN_REPO": repo},
            flavor=order.settings["flavor"],
            timeout=f"{order.hours:g}h",
            name=f"medgan-{_hub_name(order.run.name)}",
        )
        self._known = True
        return f"{owner}/{job}"

    def state(self, order: Order, job: str) -> JobState:
        """As the Hub says; while it does not answer, what it said last. Of a job of before it has to say
        something first: it may be forgotten, or another account's."""
        try:
            word = self.hub.stage(*_parts(job))
        except HubError as error:
            since, last = self._last
            if self._known and time.monotonic() - since <= LOST:
                return last
            if not self._known and isinstance(error, NoJob):
                return JobState(ENDED, "GONE")
            raise
        self._known = True
        if word not in STAGES:
            self._say_why(order, job)
        self._last = (time.monotonic(), JobState(STAGES.get(word, ENDED), word))
        return self._last[1]

    def cancel(self, order: Order, job: str) -> None:
        """End the job, and the paying."""
        self.hub.cancel(*_parts(job))

    def sync(self, order: Order, job: str) -> None:
        """Send wishes, and fetch what the run has written; a commit holds a moment of it as a whole. Where
        the Hub does not answer, the next time does it."""
        with suppress(HubError):
            self._send_wishes(order)
            self._fetch(order)

    def _send_wishes(self, order: Order) -> None:
        asked = [name for name in requests.REQUESTS if (order.run / name).exists()]
        status = read_status(order.run / "status.json")
        waiting = status.pid == os.getpid() and status.host == socket.gethostname()
        if asked and not waiting:  # else the follower itself sees to it
            now = str(time.time()).encode()
            self.hub.put(_repo(order), {f"{WISHES}/{name}": now for name in asked})
            for name in asked:
                (order.run / name).unlink(missing_ok=True)

    def _fetch(self, order: Order) -> None:
        mirror = order.run / FOLDER / "mirror"
        commit, files = self.hub.listing(_repo(order))
        ours = {path: name for path, name in files.items() if path.startswith(f"{RUN}/")}
        for path, name in ours.items():
            if self._fetched.get(path) != name or not (mirror / path).is_file():
                self.hub.fetch(_repo(order), commit, path, mirror)
                self._fetched[path] = name
        if STATUS not in ours:  # it may have ended before it had one
            ours = {path: name for path, name in ours.items() if path == f"{RUN}/log.txt"}
        if ours:
            place(mirror / RUN, [path.removeprefix(f"{RUN}/") for path in ours], order, self._last[1])
            self._note_words(order)

    def _say_why(self, order: Order, job: str) -> None:
        """The last words of a job that ended before the training could say anything."""
        if (order.run / "config.json").is_file():
            return
        with suppress(HubError):
            self._words = "".join(f"{line}\n" for line in self.hub.log(*_parts(job), LINES))
        self._note_words(order)

    def _note_words(self, order: Order) -> None:
        """At the end of the run's log, which the job may have written too."""
        log = order.run / "log.txt"
        before = log.read_text("utf-8", "replace") if log.is_file() else ""
        if not before.endswith(self._words):
            log.write_text(before + self._words, "utf-8")


def _packed(order: Order, folder: Path) -> list[Path]:
    """What the job gets: code, data set, the model to begin with, and the order with their places there."""
    places = {str(order.dataset): f"{AWAY}/data", f"--run={order.run}": f"--run={AWAY}/{RUN}"}
    init = _init(order)
    files = [
        _zip(folder / DATA, order.dataset, [path for path in order.dataset.rglob("*") if path.is_file()])
    ]
    if init:
        model = Path(init.removeprefix(INIT_OPTION))
        files.append(_zip(folder / INIT, model, [path for path in model.iterdir() if path.is_file()]))
        places[init] = f"{INIT_OPTION}{AWAY}/init"
    code = [ROOT / "requirements.txt", *(ROOT / "medgan").rglob("*.py")]
    files.append(_zip(folder / CODE, ROOT, code))
    words = {
        "arguments": [places.get(word, word) for word in order.arguments],
        "again": [places.get(word, word) for word in order.again],
        "seconds": order.hours * 3600,
    }
    write_json(folder / NOTE, words)
    return [*files, folder / NOTE]


def _init(order: Order) -> str:
    """The word of the order that names the model to begin with, if one does."""
    return next((word for word in order.arguments if word.startswith(INIT_OPTION)), "")


def _origin(order: Order) -> str:
    """The model to begin with, for the list of what leaves; its discriminator has seen other images."""
    if not (init := _init(order)):
        return ""
    model = Path(init.removeprefix(INIT_OPTION))
    name = str(read_info(model).about.get("name") or model.name)
    judge = " with its discriminator" if has_discriminator(model) else ""
    return f" the model {name}{judge} to begin with,"


def _parts(job: str) -> tuple[str, str]:
    owner, _, number = job.partition("/")
    return owner, number


def _zip(path: Path, root: Path, files: list[Path]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(files):
            archive.write(file, file.relative_to(root))
    return path


def _hub_name(name: str) -> str:
    """The name of a run as the Hub takes it in the name of a data set: in ASCII, with no
    two hyphens or dots in a row, and none at its end."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", plain)
    return re.sub(r"[-.]{2,}", "-", plain)[:60].strip("-._") or "run"


def _known_repo(order: Order) -> str:
    try:
        return (order.run / FOLDER / "repo").read_text("utf-8").strip()
    except OSError:
        return ""


def _repo(order: Order) -> str:
    repo = _known_repo(order)
    if not repo:
        raise RunError(f"{order.run} does not say through which data set it was sent; start a new run.")
    return repo


def _priced(hardware: Hardware) -> str:
    return f"{hardware.name} (${hardware.dollars:.4g} a {hardware.unit})"
