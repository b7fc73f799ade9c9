"""`--devices N`: N processes of one training on this machine, as torchrun and `accelerate launch` start them.

Those two also serve (and several machines need them), but where one process ends with a plain sentence they
add pages of their own. Here the main process speaks alone; what the others said is shown if it was lost.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO

from medgan.errors import ConfigError
from medgan.terminal import say
from medgan.training.devices import choose_device, usable_cores

GRACE = 20.0
"""Seconds in which the processes may end by themselves once one of them has."""
LOOK = 0.1
_LOOPBACK = {"linux": "lo", "darwin": "lo0"}


def check(count: int, device: str) -> None:
    """ConfigError unless `count` processes can train on devices of this kind here."""
    kind = choose_device(device).type
    if kind == "mps":
        raise ConfigError(f"There is one MPS device, so --devices {count} is not possible; leave it away.")
    there = _gpus() if kind == "cuda" else usable_cores()
    if not 1 <= count <= there:
        what = "GPU" if kind == "cuda" else "processor core"
        raise ConfigError(
            f"--devices {count} is not possible: there {'is' if there == 1 else 'are'} {there} {what}"
            f"{'' if there == 1 else 's'} here."
        )


def lead(arguments: Sequence[str], count: int) -> int:
    """Run `python -m medgan` with these arguments in `count` processes that train together; returns the
    main one's exit code. Ctrl-C and SIGTERM reach that one, which saves and tells the others."""
    with tempfile.TemporaryFile() as words:
        children = _start(arguments, count, words)
        with _passed_on(children[0]):
            lost_first = _wait(children)
        code = children[0].returncode
        if lost_first and code:
            words.seek(0)
            say(words.read().decode(errors="replace").strip())
    return code if code >= 0 else 128 - code


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _start(arguments: Sequence[str], count: int, words: IO[bytes]) -> list[subprocess.Popen[bytes]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
    }
    if "OMP_NUM_THREADS" not in os.environ:
        shared["OMP_NUM_THREADS"] = str(max(1, (usable_cores() - 1) // count))
    if sys.platform in _LOOPBACK:
        shared["GLOO_SOCKET_IFNAME"] = _LOOPBACK[sys.platform]  # nobody outside is meant to listen
    children = []
    for rank in range(count):
        environment = os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        quiet = None if rank == 0 else words
        command = [sys.executable, "-m", "medgan", *arguments]
        children.append(subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet))
    return children


def _wait(children: Sequence[subprocess.Popen[bytes]]) -> bool:
    """Until all have ended; whether another than the main one ended first. None outlives the others."""
    ended: float | None = None
    lost_first = False
    asked = False
    while any(child.poll() is None for child in children):
        gone = [child for child in children if child.returncode is not None]
        if gone and ended is None:
            ended, lost_first = time.monotonic(), children[0].returncode is None
        late = ended is not None and time.monotonic() - ended > GRACE * (2 if asked else 1)
        if late:
            for child in children:
                if child.returncode is None:
                    child.kill() if asked else child.terminate()
            asked = True
        time.sleep(LOOK)
    return lost_first


@contextmanager
def _passed_on(main: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ctrl-C reaches the whole group by itself; a SIGTERM to this process is passed on."""

    def pass_on(number: int, frame: object) -> None:
        with suppress(OSError):
            main.send_signal(number)

    handlers: dict[int, Callable[[int, object], None] | signal.Handlers] = {
        signal.SIGINT: signal.SIG_IGN,
        signal.SIGTERM: pass_on,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
