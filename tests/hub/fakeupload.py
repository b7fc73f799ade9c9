"""A small Hugging Face hub on loopback that takes uploads from the real client."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

COMMIT = "2e" * 20


@dataclass
class Uploads:
    """`files` of each repository by `models/owner/name` or `datasets/owner/name`, whether it is `private`,
    and how the hub fails: `refuse` has a status for parts of addresses, `silent` and `cut` such a part."""

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    refuse: dict[str, int] = field(default_factory=dict)
    silent: str = ""
    cut: str = ""
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    endpoint: str = ""
    closing: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve() -> Iterator[Uploads]:
    """A hub that is up inside the block."""
    hub = Uploads()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Uploads

    def log_message(self, *_: Any) -> None:
        pass

    def do_PUT(self) -> None:
        self._answer()

    def do_POST(self) -> None:
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
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            body = self._chunks()
        for part, status in self.hub.refuse.items():
            if part in path:
                self._send(status, {"error": "refused"})
                return
        self._take(path, body)

    def _take(self, path: str, body: bytes) -> None:
        parts = path.strip("/").split("/")
        if path == "/api/validate-yaml":
            self._send(200, {"errors": [], "warnings": []})
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif parts[0] == "lfs":
            self.hub.stored[parts[1]] = body
            self._send(200, {})
        elif path.endswith("/objects/batch"):
            self._batch(json.loads(body))
        elif "preupload" in parts:
            asked = json.loads(body)["files"]
            large = (".safetensors", ".png", ".parquet", ".dcm")
            modes = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(large) else "regular",
                    "shouldIgnore": False,
                    "oid": None,
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
        objects = [
            {**thing, "actions": {"upload": {"href": f"{self.hub.endpoint}/lfs/{thing['oid']}"}}}
            for thing in asked["objects"]
        ]
        self._send(200, {"transfer": "basic", "objects": objects})

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

    def _send(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
