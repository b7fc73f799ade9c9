"""A small Hugging Face hub on loopback, for the real client: what it serves and how it fails are set
on its repositories."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.hub.loopback import served

NAME = "ada/tiny-skin"
TOKEN = "hf_keepThisSecret"
WEIGHTS = "model.safetensors"
COMMIT = "1f" * 20
SLICE = 1 << 16


@dataclass
class Repo:
    """Files by name, at one commit. Large ones are served as LFS: a redirect to another host."""

    files: dict[str, bytes]
    commit: str = COMMIT
    revisions: tuple[str, ...] = ("main",)
    refuse: tuple[int, str] | None = None  # status and X-Error-Code of every answer
    token: str = ""  # who does not send it is told that there is no such repository
    sha256: str = ""  # instead of the true one
    says_size: bool = True
    cut_at: int | None = None  # the connection breaks after so many bytes of a large file…
    cuts: int = 1  # …so many times
    ranges: bool = True
    stall_at: int | None = None  # after so many bytes nothing more comes
    silent: bool = False  # accepts, never answers
    pause: float = 0.0  # seconds before each slice of a large file…
    slice: int = SLICE  # …of so many bytes
    card: dict[str, Any] = field(default_factory=dict)  # what a data set's card says
    page: int = 1000  # files on a page of a data set's listing
    damage: bool = False  # the content differs in its last bytes from what is listed

    def damaged(self, name: str) -> Repo:
        """The same repository, whose file has other bytes at its end than its checksum says."""
        body = self.files[name]
        files = self.files | {name: body[:-4] + b"evil"}
        return replace(self, files=files, sha256=hashlib.sha256(body).hexdigest())


@dataclass
class FakeHub:
    """`repos` by `owner/name`, data sets by `datasets/owner/name`; `shelf` is what a plain file server
    offers below `/files`; `seen` holds (method, path, Authorization) of each request."""

    repos: dict[str, Repo] = field(default_factory=dict)
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)
    shelf: Repo = field(default_factory=lambda: Repo({}))
    endpoint: str = ""
    plain: bool = False  # answers 200 to everything, like the login page of a network
    closing: threading.Event = field(default_factory=threading.Event)

    def downloads(self, name: str) -> int:
        """How often the content of a file was asked for."""
        return sum(method == "GET" and path.endswith(name) for method, path, _ in self.seen)


@contextmanager
def serve() -> Iterator[FakeHub]:
    """A hub that is up inside the block."""
    with served(FakeHub(), _Handler) as hub:
        yield hub


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self) -> None:
        self.close_connection = True
        self.hub.seen.append((self.command, self.path, self.headers.get("Authorization")))
        if self.hub.plain:
            self._send(200, {"Content-Type": "text/html"}, b"<html>Please log in</html>")
            return
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if parts[0] == "files":
            self._file(self.hub.shelf, parts[-1])
            return
        if "datasets" in parts[:2]:
            self._dataset(parts)
            return
        # /owner/name/resolve/revision/file, or /cdn/owner/name/file
        parts = self.path.strip("/").split("/")
        cdn = parts[0] == "cdn"
        repo = self.hub.repos.get("/".join(parts[1:3] if cdn else parts[:2]))
        if repo is None:
            self._refuse(404, "RepoNotFound")
        elif repo.silent:
            self.hub.closing.wait()
        elif cdn:
            self._content(repo, repo.files[parts[-1]])
        else:
            self._resolve(repo, parts[3], parts[-1])

    def _resolve(self, repo: Repo, revision: str, name: str) -> None:
        if repo.refuse:
            self._refuse(*repo.refuse)
        elif repo.token and self.headers.get("Authorization") != f"Bearer {repo.token}":
            self._refuse(401, "RepoNotFound")
        elif revision not in (repo.commit, *repo.revisions):
            self._refuse(404, "RevisionNotFound")
        elif name not in repo.files:
            self._refuse(404, "EntryNotFound")
        elif name.endswith(".safetensors"):
            self._redirect(repo, name)
        else:
            body = repo.files[name]
            self._send(200, {"X-Repo-Commit": repo.commit, "ETag": f'"{_git_oid(body)}"'}, body)

    def _file(self, repo: Repo, name: str) -> None:
        """A server of files that is no hub."""
        if repo.silent:
            self.hub.closing.wait()
        elif repo.refuse:
            self._refuse(*repo.refuse)
        elif name in repo.files:
            self._content(repo, repo.files[name])
        else:
            self._refuse(404, "")

    def _dataset(self, parts: list[str]) -> None:
        """/api/datasets/owner/name[/revision/r | /tree/r], or /[cdn/]datasets/owner/name/resolve/r/path"""
        first, *rest = parts if parts[0] in ("api", "cdn") else ["", *parts]
        repo, rest = self.hub.repos.get("/".join(rest[:3])), rest[3:]
        if repo is None or (repo.token and not first and self._sent() != repo.token):
            self._refuse(404, "RepoNotFound")
        elif repo.silent:
            self.hub.closing.wait()
        elif repo.refuse and first != "cdn":
            self._refuse(*repo.refuse)
        elif rest and rest[1] not in (repo.commit, *repo.revisions):
            self._refuse(404, "RevisionNotFound")
        elif first == "api" and rest[:1] == ["tree"]:
            self._tree(repo)
        elif first == "api":
            self._json({"id": "x/y", "sha": repo.commit, "cardData": repo.card})
        else:
            self._dataset_file(repo, "/".join(rest[2:]), first == "cdn")

    def _tree(self, repo: Repo) -> None:
        start = int(dict(parse_qsl(urlsplit(self.path).query)).get("cursor", 0))
        paths = sorted(repo.files)
        listed = [_listed(path, repo.files[path]) for path in paths[start : start + repo.page]]
        folders = [{"type": "directory", "oid": "00" * 20, "size": 0, "path": "train"}] * (not start)
        headers = {}
        if start + repo.page < len(paths):
            # as a mirror does, the link names the hub that it copies
            path = f"{urlsplit(self.path).path}?recursive=true&cursor={start + repo.page}"
            headers["Link"] = f'<https://huggingface.co{path}>; rel="next"'
        self._json(folders + listed, headers)

    def _dataset_file(self, repo: Repo, path: str, elsewhere: bool) -> None:
        if path not in repo.files:
            self._refuse(404, "EntryNotFound")
        elif _is_large(path) and not elsewhere:
            host = self.hub.endpoint.replace("127.0.0.1", "localhost")
            self._send(302, {"Location": f"{host}/cdn{self.path}"}, b"")
        else:
            body = repo.files[path]
            self._content(repo, body[:-4] + b"evil" if repo.damage else body)

    def _sent(self) -> str:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

    def _json(self, value: Any, headers: dict[str, str] | None = None) -> None:
        self._send(200, {"Content-Type": "application/json", **(headers or {})}, json.dumps(value).encode())

    def _redirect(self, repo: Repo, name: str) -> None:
        body = repo.files[name]
        sha256 = repo.sha256 or hashlib.sha256(body).hexdigest()
        owner = self.path.strip("/").split("/")[:2]
        elsewhere = self.hub.endpoint.replace("127.0.0.1", "localhost")
        headers = {
            "X-Repo-Commit": repo.commit,
            "X-Linked-Etag": f'"{sha256}"',
            "Location": f"{elsewhere}/cdn/{'/'.join(owner)}/{name}",
        }
        if repo.says_size:
            headers["X-Linked-Size"] = str(len(body))
        self._send(302, headers, b"")

    def _content(self, repo: Repo, body: bytes) -> None:
        start = 0
        if repo.ranges and (asked := self.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").split("-")[0])
        end = len(body)
        if start >= end > 0:
            self._refuse(416, "")
            return
        if repo.cut_at is not None and repo.cuts > 0:
            repo.cuts -= 1
            end = repo.cut_at
        headers = {"Content-Length": str(len(body) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self._head(206 if start else 200, headers)
        for at in range(start, end, repo.slice):
            if repo.pause:
                self.hub.closing.wait(repo.pause)
            if repo.stall_at is not None and at >= repo.stall_at:
                self.hub.closing.wait()
                return
            try:
                self.wfile.write(body[at : min(at + repo.slice, end)])
            except OSError:
                return  # the client was ended

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, {"X-Error-Code": code} if code else {}, b"")

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self._head(status, {"Content-Length": str(len(body)), **headers})
        if self.command == "GET":
            self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()


def _is_large(path: str) -> bool:
    return path.endswith((".safetensors", ".parquet"))


def _listed(path: str, body: bytes) -> dict[str, Any]:
    """A file as the tree API lists it."""
    about = {"type": "file", "oid": _git_oid(body), "size": len(body), "path": path}
    if _is_large(path):
        about["lfs"] = {"oid": hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 130}
    return about


def _git_oid(body: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
