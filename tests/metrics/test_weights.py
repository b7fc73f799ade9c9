from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from medgan.errors import MetricError
from medgan.metrics import weights
from medgan.metrics.weights import Source, ensure

CONTENT = bytes(range(256)) * 1024
Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], int]]:
    """Starts a server on loopback that gives `answer`; returns its port."""
    servers = []

    def start(answer: Answer) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return server.server_address[1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def send(content: bytes, length: int = len(CONTENT), status: int = 200) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def at(port: int, content: bytes = CONTENT) -> Source:
    digest = hashlib.sha256(content).hexdigest()[:8]
    return Source("TestNet", f"http://127.0.0.1:{port}/models/testnet-{digest}.pth", 0.26)


def test_the_file_is_downloaded_once_with_progress_up_to_its_size(serve, cache: Path) -> None:
    requests, heard = [], []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        requests.append(handler.path)
        send(CONTENT)(handler)

    source = at(serve(answer))
    path = ensure(source, progress=lambda done, total: heard.append((done, total)))
    assert ensure(source) == path == cache / source.file
    assert path.read_bytes() == CONTENT
    assert len(requests) == 1
    assert heard == sorted(heard)
    assert heard[-1] == (len(CONTENT), len(CONTENT))


def refused(serve) -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def silent(serve) -> int:
    return serve(lambda handler: threading.Event().wait(3) and None)


def stalling(serve) -> int:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(CONTENT[:100])(handler)
        threading.Event().wait(3)

    return serve(answer)


@pytest.mark.parametrize(
    ("port", "words"),
    [
        (refused, "connection refused"),
        (silent, "no answer for 0.5 seconds"),
        (stalling, "no answer for 0.5 seconds"),
        (lambda serve: serve(send(b"", 0, 404)), "answered 404 Not Found"),
        (lambda serve: serve(send(CONTENT[:-1])), "ended after 262,143 of 262,144 bytes"),
        (lambda serve: serve(send(CONTENT[::-1])), "damaged or not that file"),
    ],
)
def test_a_download_that_fails_says_why_and_leaves_nothing_behind(
    port, words: str, serve, cache: Path
) -> None:
    source = at(port(serve))
    with pytest.raises(MetricError, match=words) as caught:
        ensure(source, timeout=0.5)
    assert "weights of TestNet" in str(caught.value)
    assert f"put {source.file} into" in str(caught.value)
    assert list(cache.iterdir()) == []


def test_a_name_server_that_never_answers_does_not_hold_us_up(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    def hang(*arguments: object, **settings: object) -> None:
        done.wait(30)
        raise OSError("too late")

    monkeypatch.setattr(weights, "urlopen", hang)
    with pytest.raises(MetricError, match=r"no answer for 0\.2 seconds"):
        ensure(at(1), timeout=0.2)
    done.set()


def test_a_cache_that_cannot_be_written_is_named(cache: Path, serve) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    with pytest.raises(MetricError, match="cannot be written"):
        ensure(at(serve(send(CONTENT))))


def test_an_interrupt_leaves_no_half_file(cache: Path, serve) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure(at(serve(send(CONTENT))), progress=interrupt)
    assert list(cache.iterdir()) == []


def test_a_download_that_trickles_ends_at_its_deadline(cache: Path, serve) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(b"")(handler)
        for k in range(100):
            handler.wfile.write(CONTENT[k : k + 1])
            if threading.Event().wait(0.05):
                return

    with pytest.raises(MetricError, match="takes too long on this line"):
        ensure(at(serve(answer)), timeout=5, deadline=0.5)
    assert list(cache.iterdir()) == []


def test_a_whole_checksum_is_compared_on_arrival_and_on_each_use(cache: Path, serve) -> None:
    url = f"http://127.0.0.1:{serve(send(CONTENT))}/resolve/main/model.safetensors"
    digest = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(MetricError, match="damaged or not that file"):
        ensure(Source("TestNet", url, 0.26, sha256=digest[:-1] + "x", saved_as="testnet.safetensors"))
    source = Source("TestNet", url, 0.26, sha256=digest, saved_as="testnet.safetensors")
    path = ensure(source)
    assert path == cache / "testnet.safetensors"
    assert ensure(source) == path
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(MetricError, match="its checksum is another"):
        ensure(source)
