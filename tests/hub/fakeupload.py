"""A small Hugging Face hub on loopback that takes uploads from the real client."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.hub.loopback import served

COMMIT = "2e" * 20
LARGE = (".safetensors", ".png", ".parquet", ".dcm")
TELL = "what-the-server-wrote"


@dataclass
class Uploads:
    """`files` of each repository by `models/owner/name` or `datasets/owner/name`, whether it is `private`,
    and how the hub fails: `refuse` has a status for parts of addresses, `silent` and `cut` such a part;
    `refuse_put` a status for the storage, `batch_error` one for each file there; `breaks` so many uploads to
    it break off half way; of the file `lies` it names another checksum."""

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    refuse: dict[str, int] = field(default_factory=dict)
    refuse_put: int = 0
    batch_error: int = 0
    breaks: int = 0
    lies: str = ""
    bad_card: bool = False
    plain: bool = False
    silent: str = ""
    cut: str = ""
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    endpoint: str = ""
    closing: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve() -> Iterator[Uploads]:
    """A hub that is up inside the block."""
    with served(Uploads(), _Handler) as hub:
        yield hub


class _Handler(BaseHTTPRequestHandler):
    hub: Uploads

    def log_message(self, *_: Any) -> None:
        pass

    def do_PUT(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.close_connection = True
        path = urlsplit(self.path).path
        self.hub.seen.append((self.command, path, self.headers.get("Authorization")))
        if self.hub.silent and self.hub.silent in path:
            self.hub.closing.wait()
            return
        if self.hub.cut and self.hub.cut in path:
            self.rfile.read(1000)
            self.connection.close()
            return
        if self.command == "PUT" and self.hub.breaks:
            self.hub.breaks -= 1
            self.rfile.read(int(self.headers["Content-Length"]) // 2)
            self.connection.close()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            body = self._chunks()
        if self.hub.plain:
            self._send(200, b"<html>Please log in</html>")
            return
        if self.command == "PUT" and self.hub.refuse_put:
            self._send(self.hub.refuse_put, {"error": "refused"})
            return
        for part, status in self.hub.refuse.items():
            if part in path:
                self._send(status, {"error": "refused"})
                return
        self._take(path, body)

    def _take(self, path: str, body: bytes) -> None:
        parts = path.strip("/").split("/")
        if path == "/api/validate-yaml" and self.hub.bad_card:
            self._send(400, {"errors": [{"message": f"bad, {TELL}"}], "warnings": [{"message": TELL}]})
        elif path == "/api/validate-yaml":
            self._send(200, {"errors": [], "warnings": [{"message": TELL}]})
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif parts[0] == "lfs":
            self.hub.stored[parts[1]] = body
            self._send(200, {})
        elif path.endswith("/objects/batch"):
            self._batch(json.loads(body))
        elif "paths-info" in parts:
            self._paths("/".join(parts[1:4]), parse_qs(body.decode())["paths"])
        elif self.command == "GET":
            self._about("/".join(parts[1:4]))
        elif "preupload" in parts:
            asked = json.loads(body)["files"]
            held = self.hub.files["/".join(parts[1:4])]
            modes = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                    "shouldIgnore": False,
                    "oid": _oid(file["path"], held[file["path"]]) if file["path"] in held else None,
                }
                for file in asked
            ]
            self._send(200, {"files": modes})
        elif "commit" in parts:
            self._commit("/".join(parts[1:4]), body)
        else:
            self._send(404, {"error": path})

    def _create(self, asked: dict[str, Any]) -> None:
        kind = f"{asked.get('type', 'model')}s"
        name = f"{asked['organization']}/{asked['name']}"
        address = f"{self.hub.endpoint}/{'datasets/' if kind == 'datasets' else ''}{name}"
        if f"{kind}/{name}" in self.hub.files:
            self._send(409, {"error": "You already created this", "url": address})
            return
        self.hub.files[f"{kind}/{name}"] = {}
        self.hub.private[f"{kind}/{name}"] = asked.get("visibility") == "private" or bool(
            asked.get("private")
        )
        self._send(200, {"url": address})

    def _batch(self, asked: dict[str, Any]) -> None:
        storage = self.hub.endpoint.replace("127.0.0.1", "localhost")  # somebody else's, as in life
        objects: list[dict[str, Any]] = []
        for thing in asked["objects"]:
            if self.hub.batch_error:
                error = {"code": self.hub.batch_error, "message": f"No. {TELL}"}
                objects.append({**thing, "error": error})
            elif thing["oid"] in self.hub.stored:
                objects.append(thing)
            else:
                objects.append({**thing, "actions": {"upload": {"href": f"{storage}/lfs/{thing['oid']}"}}})
        self._send(200, {"transfer": "basic", "objects": objects})

    def _about(self, repo: str) -> None:
        if repo not in self.hub.files:
            self._send(404, {"error": "Repository not found"})
            return
        names = [".gitattributes", *self.hub.files[repo]]
        about = {
            "_id": "0",
            "id": repo.partition("/")[2],
            "sha": COMMIT,
            "private": self.hub.private[repo],
            "siblings": [{"rfilename": name} for name in names],
        }
        self._send(200, about)

    def _paths(self, repo: str, paths: list[str]) -> None:
        found: list[dict[str, Any]] = []
        for path in paths:
            body = self.hub.files[repo].get(path)
            if body is None:
                continue
            said = body[::-1] + b"x" if self.hub.lies == path else body
            entry: dict[str, Any] = {"type": "file", "path": path, "size": len(body), "oid": _git(said)}
            if path.endswith(LARGE):
                size = len(body)
                entry["lfs"] = {"oid": hashlib.sha256(said).hexdigest(), "size": size, "pointerSize": 130}
            found.append(entry)
        self._send(200, found)

    def _commit(self, repo: str, body: bytes) -> None:
        for line in body.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                self.hub.files[repo][value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                self.hub.files[repo][value["path"]] = self.hub.stored[value["oid"]]
        self._send(
            200,
            {
                "commitUrl": f"{self.hub.endpoint}/{repo}/commit/{COMMIT}",
                "commitOid": COMMIT,
                "hookOutput": "",
            },
        )

    def _chunks(self) -> bytes:
        found = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        return found

    def _send(self, status: int, value: Any) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _git(body: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


def _oid(path: str, body: bytes) -> str:
    return hashlib.sha256(body).hexdigest() if path.endswith(LARGE) else _git(body)
