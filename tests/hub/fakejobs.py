"""A small Hugging Face hub on loopback that has private data sets and runs jobs, for the real client.

A job is a process of this machine: what it would see mounted is a folder, and its code is what was uploaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psutil

from tests.hub.fakeupload import Uploads, _Handler
from tests.hub.loopback import served

TOKEN = "hf_mayStartJobs"
GPU = {"type": "gpu", "model": "T4", "quantity": "1", "vram": "16 GB", "manufacturer": "Nvidia"}
HARDWARE = [
    {
        "name": name,
        "prettyName": title,
        "cpu": "4 vCPU",
        "ram": "15 GB",
        "accelerator": gpu,
        "unitCostMicroUSD": int(cost * 1e6),
        "unitCostUSD": cost,
        "unitLabel": "minute",
    }
    for name, title, gpu, cost in (
        ("cpu-basic", "CPU Basic", None, 0.000167),
        ("t4-small", "Nvidia T4", GPU, 0.01),
    )
]


@dataclass
class Jobs(Uploads):
    """Besides uploads: `specs` of the jobs that were started, whether they `go` (else they wait), and whether
    they are `forgotten`."""

    place: Path = Path()
    specs: list[dict[str, Any]] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    down: threading.Event = field(default_factory=threading.Event)
    process: subprocess.Popen[bytes] | None = None
    cancelled: bool = False
    forgotten: bool = False
    commits: dict[str, list[dict[str, bytes]]] = field(default_factory=dict)

    def stage(self) -> str:
        if self.cancelled:
            return "CANCELED"
        if self.go.is_set() and self.process is None:
            self.process = self._begin(self.specs[-1])
        if self.process is None:
            return "SCHEDULING"
        code = self.process.poll()
        return "RUNNING" if code is None else "ERROR" if code else "COMPLETED"

    def _begin(self, spec: dict[str, Any]) -> subprocess.Popen[bytes]:
        (volume,) = spec["volumes"]
        place = self.place / f"job-{len(self.specs)}"
        for path, data in self.files[f"{volume['type']}s/{volume['source']}"].items():
            (place / "mount" / path).parent.mkdir(parents=True, exist_ok=True)
            (place / "mount" / path).write_bytes(data)
        with zipfile.ZipFile(place / "mount" / "order" / "code.zip") as code:
            code.extractall(place / "code")
        mounted = volume["mountPath"] + "/"
        given = {
            name: value.replace(mounted, f"{place / 'mount'}/") if value.startswith(mounted) else value
            for name, value in spec["environment"].items()
        }
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "PYTHON"))}
        environment = kept | given | spec["secrets"]
        environment |= {"HF_ENDPOINT": self.endpoint, "HF_HOME": str(place / "hf")}
        environment |= {"MEDGAN_AWAY": str(place / "away"), "MEDGAN_EVERY": "0.5"}
        environment |= {"NO_PROXY": "127.0.0.1,localhost"}
        command = [sys.executable, "-m", "medgan.launchers.away"]
        with (place / "log").open("wb") as log:
            return subprocess.Popen(command, cwd=place / "code", env=environment, stdout=log, stderr=log)

    def log(self) -> list[str]:
        return (self.place / f"job-{len(self.specs)}" / "log").read_text().splitlines()


@contextmanager
def serve(place: Path) -> Iterator[Jobs]:
    """A hub that is up inside the block; jobs have their files in `place`."""
    with served(Jobs(place=place), _JobsHandler) as hub:
        try:
            yield hub
        finally:
            if hub.process is not None and hub.process.poll() is None:
                for process in [*psutil.Process(hub.process.pid).children(recursive=True), hub.process]:
                    process.kill()
                hub.process.wait()


class _JobsHandler(_Handler):
    hub: Jobs

    def do_HEAD(self) -> None:
        self._look()

    def do_GET(self) -> None:
        self._look()

    def _answer(self) -> None:
        if self._known():
            super()._answer()

    def _known(self) -> bool:
        self.close_connection = True
        if self.hub.down.is_set():
            self._send(503, {"error": "busy"})
            return False
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}" or self.path.startswith("/lfs/")
        if not known:
            self._send(401, {"error": "Invalid credentials"})
        return known

    def _look(self) -> None:
        self.hub.seen.append((self.command, self.path, self.headers.get("Authorization")))
        if not self._known():
            return
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if parts == ["api", "whoami-v2"]:
            self._send(200, {"name": "ada", "type": "user", "auth": {}})
        elif parts == ["api", "jobs", "hardware"]:
            self._send(200, HARDWARE)  # type: ignore[arg-type]
        elif parts[:2] == ["api", "jobs"] and parts[-1] == "logs":
            lines = [
                json.dumps({"timestamp": "2026-01-01T00:00:00Z", "data": line}) for line in self.hub.log()
            ]
            self._body(
                200, {"Content-Type": "text/event-stream"}, "".join(f"data: {x}\n\n" for x in lines).encode()
            )
        elif parts[:2] == ["api", "jobs"] and self.hub.forgotten:
            self._send(404, {"error": "Job not found"})
        elif parts[:2] == ["api", "jobs"]:
            self._send(200, self._job(self.hub.stage()))
        elif "datasets" in parts[:2]:
            self._files(parts)
        else:
            self._send(404, {"error": self.path})

    def _take(self, path: str, body: bytes) -> None:
        parts = path.strip("/").split("/")
        if parts[:2] != ["api", "jobs"]:
            super()._take(path, body)
        elif parts[-1] == "cancel":
            self.hub.cancelled = True
            self._send(200, {})
        else:
            self.hub.specs.append(json.loads(body))
            self.hub.process = None
            self._send(200, self._job("SCHEDULING"))

    def _commit(self, repo: str, body: bytes) -> None:
        for line in body.decode().splitlines():
            entry = json.loads(line)
            if entry["key"] == "deletedFile":
                del self.hub.files[repo][entry["value"]["path"]]
        super()._commit(repo, body)
        self.hub.commits.setdefault(repo, []).append(dict(self.hub.files[repo]))

    def _files(self, parts: list[str]) -> None:
        """/api/datasets/owner/name[/tree/commit], or /datasets/owner/name/resolve/commit/path"""
        parts = parts[1:] if parts[0] == "api" else parts
        repo, rest = "/".join(parts[:3]), parts[3:]
        if repo not in self.hub.files:
            self._body(404, {"X-Error-Code": "RepoNotFound"}, b"")
            return
        commits = self.hub.commits.get(repo, [])
        if not rest:
            private = self.hub.private.get(repo, False)
            about = {"id": "/".join(parts[1:3]), "sha": f"{len(commits):040x}", "private": private}
            self._send(200, about)
            return
        number = len(commits) if rest[1] == "main" else int(rest[1], 16)
        files = commits[number - 1] if number else {}
        if rest[0] == "tree":
            listed = [{"type": "file", "path": p, "size": len(d), "oid": _oid(d)} for p, d in files.items()]
            self._send(200, listed)  # type: ignore[arg-type]
        elif (name := "/".join(rest[2:])) in files:
            headers = {"X-Repo-Commit": rest[1], "ETag": f'"{_oid(files[name])}"'}
            self._body(200, headers, files[name])
        else:
            self._body(404, {"X-Error-Code": "EntryNotFound"}, b"")

    def _job(self, stage: str) -> dict[str, Any]:
        owner = {"id": "1", "name": "ada", "type": "user"}
        return {
            "id": f"job{len(self.hub.specs)}",
            "owner": owner,
            "status": {"stage": stage, "message": None},
        }

    def _body(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def _oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
