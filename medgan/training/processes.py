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

import psutil

from medgan.errors import ConfigError
from medgan.terminal import say
from medgan.training.desk import LEADER_STARTED
from medgan.training.devices import choose_device, usable_cores
from medgan.training.together import ENDED

GRACE = 20.0
"""Seconds in which the processes may end by themselves once one of them has."""
LOOK = 0.1
_LOOPBACK = {"linux": "lo", "darwin": "lo0"}


def most(device: str) -> int:
    """How many processes can train together here on devices of this kind."""
    kind = choose_device(device).type
    if kind == "cuda":
        return _gpus()
    return 1 if kind == "mps" else usable_cores()


def check(count: int, device: str) -> None:
    """ConfigError unless `count` processes can train on devices of this kind here."""
    kind = choose_device(device).type
    if kind == "mps" and count != 1:
        raise ConfigError(f"There is one MPS device, so --devices {count} is not possible; leave it away.")
    there = most(device)
    if not 1 <= count <= there:
        what = "GPU" if kind == "cuda" else "processor core"
        raise ConfigError(
            f"--devices {count} is not possible: there {'is' if there == 1 else 'are'} {there} {what}"
            f"{'' if there == 1 else 's'} here."
        )


def lead(arguments: Sequence[str], count: int, device: str = "auto") -> int:
    """Run `python -m medgan` with these arguments in `count` processes that train together; returns the
    main one's exit code. Ctrl-C and SIGTERM reach that one, which saves and tells the others."""
    with tempfile.TemporaryFile() as words:
        children = _start(arguments, count, words, _needs(choose_device(device).type))
        with _passed_on(children[0]):
            lost_first = _wait(children)
        code = children[0].returncode
        if lost_first and code:
            _say_what_was_said(words)
    return code if code >= 0 else 128 - code


def _say_what_was_said(words: IO[bytes]) -> None:
    """What others than the main process said at their end, but that somebody else had ended."""
    words.seek(0)
    lines = words.read().decode(errors="replace").strip().splitlines()
    said = [line for line in lines if ENDED not in line]
    if said:
        say("\n".join(said))


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _needs(kind: str) -> dict[str, str]:
    """What `accelerate launch` sets for GPUs that cannot talk to each other directly."""
    from accelerate.utils import check_cuda_p2p_ib_support

    if kind != "cuda" or check_cuda_p2p_ib_support():
        return {}
    return {"NCCL_P2P_DISABLE": "1", "NCCL_IB_DISABLE": "1"}


def _start(
    arguments: Sequence[str], count: int, words: IO[bytes], needs: dict[str, str]
) -> list[subprocess.Popen[bytes]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        LEADER_STARTED: str(psutil.Process().create_time()),
        **needs,
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
    while None in (codes := [child.poll() for child in children]):
        if ended is None and any(code is not None for code in codes):
            ended, lost_first = time.monotonic(), codes[0] is None
        if ended is not None and time.monotonic() - ended > GRACE * (2 if asked else 1):
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
