"""A server on loopback for the stand-ins of a hub."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol, TypeVar


class Hub(Protocol):
    """What every stand-in has: its address, and the event on which silent answers wait."""

    endpoint: str
    closing: threading.Event


H = TypeVar("H", bound=Hub)


@contextmanager
def served(hub: H, handler: type[BaseHTTPRequestHandler]) -> Iterator[H]:
    """`hub` is up inside the block; each request gets a `handler` that knows it as `hub`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (handler,), {"hub": hub}))
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
