"""A SLURM cluster, through submitit: called on a login node, whose disk the nodes share.

A job that comes to its time limit, or has to make room, saves and goes back into the line by itself.
submitit keeps its files in `.launch` in the run folder; they are pickles of our own, read by our own jobs.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import tempfile
from typing import Any

from medgan.errors import ConfigError, RunError
from medgan.launchers.order import ENDED, PENDING, RUNNING, JobState, Launcher, Order
from medgan.launchers.work import SAVING, Work
from medgan.runs.launch import ROOT

FOLDER = ".launch"
TIMES = 50
"""How often a job may come to its limit and go on."""
CORES = 4
"""Processor cores for each GPU, unless `cpus_per_task` says otherwise."""
PATIENCE = 20.0
"""Seconds for a command of the cluster to answer."""
WAITING = ("PENDING", "REQUEUED", "REQUEUE_HOLD", "CONFIGURING", "SUSPENDED", "RESV_DEL_HOLD", "UNKNOWN")
AT_WORK = ("RUNNING", "COMPLETING", "PREEMPTED", "STAGE_OUT", "SIGNALING", "STOPPED", "RESIZING")
KEPT = ("MEDGAN_HOME", "TORCH_HOME", "HF_HOME")


class Slurm(Launcher):
    """`sbatch`, `sacct` and `scancel`, as submitit calls them."""

    name, title = "slurm", "SLURM"

    def __init__(self) -> None:
        self._jobs: dict[str, Any] = {}

    def needs(self, order: Order) -> list[str]:
        """submitit, the cluster's commands, a disk that the nodes see too, a partition that exists."""
        missing = []
        if importlib.util.find_spec("submitit") is None:
            missing.append("SLURM is reached through submitit: pip install submitit.")
        missing += self.reachable()
        for what, folder in (("run folder", order.run), ("data set", order.dataset)):
            if folder.is_relative_to(tempfile.gettempdir()):
                missing.append(
                    f"The {what} {folder} is on this machine's own disk; the nodes must see it too."
                )
        return missing + _wrong_partition(order)

    def reachable(self) -> list[str]:
        """What is missing of the cluster itself."""
        if shutil.which("sbatch") and shutil.which("srun"):
            return []
        return ["There is no sbatch here; call it on a login node of the cluster."]

    def plan(self, order: Order) -> list[str]:
        """The size of the job, and what happens at its limit. SLURM tells no cost."""
        where = (
            f"partition {order.settings['partition']}" if "partition" in order.settings else "the usual one"
        )
        what = f"{order.gpus} GPU{'s' * (order.gpus > 1)}" if order.gpus else "processors alone"
        return [
            f"One job in {where}: {what}, at most {order.hours:g} hours; it counts against your share there.",
            "At the limit it saves, goes back into the line and goes on.",
        ]

    def start(self, order: Order) -> str:
        """Put the job into the line."""
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        work = Work(order.run, order.arguments, order.again, environment | {"PYTHONPATH": _paths()})
        try:
            job = self.executor(order).submit(work)
        except (RuntimeError, OSError) as error:  # submitit's errors are RuntimeErrors
            raise RunError(f"{self.title} did not take the job: {_last_line(error)}") from error
        self._jobs[str(job.job_id)] = job
        return str(job.job_id)

    def executor(self, order: Order) -> Any:
        """submitit's executor for such a job. ConfigError for a setting that sbatch does not have."""
        import submitit

        executor = submitit.SlurmExecutor(order.run / FOLDER, max_num_timeout=TIMES)
        try:
            executor.update_parameters(**parameters(order))
        except ValueError as error:
            wrong = str(error).partition("\n")[0]
            raise ConfigError(f"--slurm: {wrong}; see the options of sbatch, with _ for -.") from error
        return executor

    def state(self, order: Order, job: str) -> JobState:
        """What `sacct` says; a job that has left its result has ended, whatever that says yet."""
        found = self._job(order, job)
        if found.paths.result_pickle.exists():
            return JobState(ENDED, "COMPLETED")
        # CANCELLED is followed by who did it.
        word = (found.watcher.get_state(job, mode="force").upper().split() or ["UNKNOWN"])[0].rstrip("+")
        stage = PENDING if word in WAITING else RUNNING if word in AT_WORK else ENDED
        return JobState(stage, word)

    def cancel(self, order: Order, job: str) -> None:
        """`scancel`, which sends SIGTERM first."""
        try:
            self._job(order, job).cancel()
        except (subprocess.CalledProcessError, OSError) as error:
            raise RunError(f"{self.title} did not cancel job {job}: {_last_line(error)}") from error

    def _job(self, order: Order, job: str) -> Any:
        if job not in self._jobs:
            import submitit

            self._jobs[job] = submitit.SlurmJob(order.run / FOLDER, job)
        return self._jobs[job]


def parameters(order: Order) -> dict[str, Any]:
    """What submitit is told: names as those of sbatch, with `_` for `-`."""
    usual: dict[str, Any] = {
        "job_name": f"medgan-{order.run.name}",
        "time": max(1, round(order.hours * 60)),
        "nodes": 1,
        "ntasks_per_node": 1,
        "cpus_per_task": CORES * max(1, order.gpus),
        "signal_delay_s": round(SAVING) + 20,
        "setup": [f"export PYTHONPATH={shlex.quote(_paths())}"],
    }
    if order.gpus:
        usual["gpus_per_node"] = order.gpus
    given = {name: int(v) if v.isdecimal() else v for name, v in order.settings.items()}
    return usual | given


def _paths() -> str:
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))


def _wrong_partition(order: Order) -> list[str]:
    """A sentence if `sinfo` knows the partitions and not this one."""
    wanted = order.settings.get("partition")
    if not wanted or not shutil.which("sinfo"):
        return []
    try:
        answer = subprocess.run(
            ["sinfo", "-h", "-o", "%R"], capture_output=True, text=True, timeout=PATIENCE, check=True
        )
    except (subprocess.SubprocessError, OSError):
        return []  # sbatch will say it
    there = sorted(set(answer.stdout.split()))
    if not there or set(wanted.split(",")) <= set(there):
        return []
    return [f"There is no partition {wanted!r} on this cluster; there are: {', '.join(there)}."]


def _last_line(error: Exception) -> str:
    """The last thing that was said, which is the reason; submitit puts the command's words above."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if "error:" in line]
    return (said or lines or [type(error).__name__])[-1]
