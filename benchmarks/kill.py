"""Kills a training with SIGKILL, again and again, and compares what comes out with an uninterrupted one.

    python -m benchmarks.kill [--kills 100] [--precision float32|bfloat16] [--iterations 120] [--seed 0]

Half of the kills come at random moments; the other half inside of a save, just before one of the calls that
write, sync, rename or delete. Each killed process is followed by one that resumes. PyTorch is imported once:
every trial is a fork of this process, so that hundreds fit into minutes. Needs POSIX.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from medgan.config import ModelConfig, TrainConfig
from medgan.data.prepare import store
from medgan.runs.checkpoint import read_tensors
from medgan.runs.record import FINISHED, Run
from medgan.training import saving
from medgan.training.loop import Request, train
from medgan.training.saving import STATE, TENSORS

CALLS = ("fsync", "replace", "rename", "unlink", "rmdir")
LOSSES = ("loss_d", "loss_g", "d_real", "d_fake")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--iterations", type=int, default=120, help="steps of the run")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments")
    args = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # one order of sums, and no threads that a fork would lose
    torch.optim.Adam([torch.zeros(1)])  # the first one imports for four seconds
    folder = Path(tempfile.mkdtemp(prefix="medgan-kill-"))
    os.environ["MEDGAN_LOCKS"] = str(folder / "locks")
    try:
        differences = compare_killed(folder, args.kills, args.iterations, args.precision, args.seed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for difference in differences:
        print(difference)
    print(json.dumps({"kills": args.kills, "differences": len(differences)}))
    sys.exit(1 if differences else 0)


def compare_killed(folder: Path, kills: int, iterations: int, precision: str, seed: int) -> list[str]:
    """Train once in peace, then in a run that is killed `kills` times; what differs afterwards."""
    random.seed(seed)
    whole = _request(folder, "whole", iterations, precision)
    killed = replace(whole, run=folder / "killed")
    started = time.monotonic()
    if _child(whole, None) != 0:
        return ["the uninterrupted training failed"]
    peace = time.monotonic() - started
    done = begun = 0
    while done < kills:
        if _finished(killed):  # it was quicker than the kills: the next one begins anew
            if found := differences(whole.run, killed.run):
                return found
            shutil.rmtree(killed.run)
        begun += 1
        inside = done % 2 == 1
        code = _child(killed, None if inside else random.uniform(0.0, peace / 4), inside=inside)
        done += code == -signal.SIGKILL
        if code not in (0, -signal.SIGKILL):
            return [f"a resumed training ended with {code} after {done} kills"]
    if not _finished(killed) and _child(killed, None) != 0:
        return ["the last resumed training failed"]
    print(f"{done} kills in {begun} processes, {iterations} steps each run, {peace:.1f} s in peace")
    return differences(whole.run, killed.run)


def differences(expected: Path, found: Path) -> list[str]:
    """What two finished runs do not share: tensors, progress, curves, samples."""
    words = []
    latest = [Run(folder).latest() for folder in (expected, found)]
    if None in latest or latest[0].name != latest[1].name:  # type: ignore[union-attr]
        return [f"last checkpoints: {latest}"]
    a, b = (read_tensors(folder / TENSORS) for folder in latest if folder)
    words += [f"tensor {name}" for name in a.keys() ^ b.keys()]
    words += [f"tensor {name}" for name in a.keys() & b.keys() if not torch.equal(a[name], b[name])]
    states = [json.loads((folder / STATE).read_text("utf-8")) for folder in latest if folder]
    words += [
        f"{STATE}: {name}" for name in states[0] if name != "seconds" and states[0][name] != states[1][name]
    ]
    curves = [
        [[e["step"], *(e[n] for n in LOSSES)] for e in Run(folder).events()] for folder in (expected, found)
    ]
    words += ["the loss curve"] if curves[0] != curves[1] else []
    sheets = [{p.name: p.read_bytes() for p in Run(folder).samples()} for folder in (expected, found)]
    words += ["the samples"] if sheets[0] != sheets[1] else []
    kept = [[p.name for p in Run(folder).checkpoints()] for folder in (expected, found)]
    words += [f"kept checkpoints {kept}"] if kept[0] != kept[1] else []
    left = [str(p) for p in found.rglob(".step-*")]  # a status may be half written by somebody else
    return words + [f"left behind: {left}"] if left else words


def _request(folder: Path, name: str, iterations: int, precision: str) -> Request:
    data = folder / "data"
    rng = np.random.default_rng(0)
    store(rng.integers(0, 256, (14, 64, 64, 1), np.uint8), ["a"] * 14, data, name="Noise", split="10/0/4")
    config = TrainConfig(
        iterations=iterations,
        batch_size=4,
        precision=precision,
        log_every=3,
        sample_every=20,
        checkpoint_every=4,
    )
    model = ModelConfig(channels=1, size=64, ngf=4, ndf=4, latent=16)
    return Request(data, folder / name, "demo", model, config, device="cpu")


def _finished(request: Request) -> bool:
    return request.run.exists() and Run(request.run).status().state == FINISHED


def _child(request: Request, after: float | None, *, inside: bool = False) -> int:
    """Train in a fork, resuming what is there; kill it `after` seconds, or let it die inside of a save.
    Returns its exit code, negative for the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if inside:
                _die_inside_of_a_save(random.Random(time.time_ns()))
            train(replace(request, resume=(request.run / "config.json").exists()))
            code = 0
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    if after is not None:
        time.sleep(after)
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _die_inside_of_a_save(rng: random.Random) -> None:
    """Count the calls that touch the disk from a checkpoint's beginning on, and die before one of them."""
    left = rng.randint(1, 40)
    saving_now = False
    write: Callable[..., object] = vars(saving)["save_file"]

    def begin(*arguments: object, **named: object) -> object:
        nonlocal saving_now
        saving_now = True
        return write(*arguments, **named)

    def before(call: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object, **named: object) -> object:
            nonlocal left
            left -= saving_now
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **named)

        return counted

    vars(saving)["save_file"] = begin
    for name in CALLS:
        setattr(os, name, before(getattr(os, name)))


if __name__ == "__main__":
    main()
