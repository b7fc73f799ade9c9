"""Steps from where a run is to a goal, a stop or a pause: the loop itself, and what is done between steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from medgan.errors import MedGANError
from medgan.files import write_bytes
from medgan.generation.sampling import sample, with_standing_statistics
from medgan.images import grid, png
from medgan.runs import events, requests
from medgan.runs.info import ModelInfo
from medgan.runs.record import FINISHED, RUNNING, STOPPED, step_name
from medgan.training.beginning import begin_with
from medgan.training.clock import Clock
from medgan.training.desk import Desk
from medgan.training.devices import memory_use
from medgan.training.failures import is_disk_full
from medgan.training.observers import MakeObservers, Moment, Scene, Watch
from medgan.training.saving import NotFinite, Progress, restore_newest, snapshot, write
from medgan.training.setting import Setting
from medgan.training.stepper import FIGURES, Stepper
from medgan.training.together import PartnerLost
from medgan.training.worker import REST, Job
from medgan.training.writer import Writer

GRID_SEEDS = range(36)
KEEP = 3
"""Checkpoints that stay in the run folder beside the best, in case the newest cannot be read."""
LONGEST = 300.0
"""Seconds of training after which it is saved, however few the steps: what a crash costs at most."""


class Training:
    """The networks of a run, as its newest checkpoint left them, and everything around the step."""

    def __init__(self, setting: Setting, desk: Desk, make_observers: MakeObservers) -> None:
        self.setting, self.desk = setting, desk
        self.run, self.model, self.config = setting.run, setting.request.model, setting.request.train
        torch.manual_seed(self.config.seed)  # for whatever draws from the global generator
        self.together = setting.together
        self.stepper = Stepper(
            self.model,
            self.config,
            setting.images,
            setting.device,
            setting.precision,
            self.together,
            setting.labels,
        )
        self.step, self.batches = self.stepper.step, self.stepper.batches
        scene = Scene(self.model, self.config, setting.data, setting.images, setting.device)
        self.watch = Watch(make_observers(scene))
        self.writer = Writer()
        self.progress, self.window = Progress(), list[Tensor]()
        self._restore()
        Job.of(setting, self.step, done=self.done).hand_out(self.together)
        self.clock = Clock(self.progress.seconds)
        self.logged = (self.done, 0.0, 0.0)  # step, seconds and overhead of this process at the last log
        self.saved, self.saved_at = 0, 0.0
        self.total = self.config.total_iterations(len(setting.images))
        self.stepping = self.over = False
        self._sampler: tuple[int, nn.Module] | None = None

    @property
    def done(self) -> int:
        """Steps so far."""
        return self.progress.step

    def _restore(self) -> None:
        checkpoints = self.run.checkpoints() if self.setting.request.resume else []
        if checkpoints:
            self.progress, window = restore_newest(checkpoints, self.step)
            self.window = [row for row in window if len(row) == len(FIGURES)]  # not of another version
        elif self.setting.request.init is not None:
            begin_with(self.step, self.setting.request.init)
        self.watch.restore(self.progress)
        self.run.rewind(self.done)
        self.run.note_best(self.progress.best)
        self.run.prune(KEEP)  # a kill may have come between the last save and this

    def stretch(self) -> None:
        """Train on until the goal, a stop or a pause; everything is saved afterwards, also when something
        other than the step itself fails."""
        self.clock.start()
        self.desk.say(RUNNING, self._words(), **self.facts())
        try:
            self._train()
        except Exception as error:
            self._rescue(error)
            self.writer.close()
            raise
        except BaseException:  # ended from outside: what is being written is finished first
            self.writer.close()
            raise
        finally:
            self.clock.stop()
        if self.over:
            self.writer.close()

    def _words(self) -> str:
        return " ".join(filter(None, ["Training.", self.setting.note, self.stepper.note]))

    def _train(self) -> None:
        while True:
            last = self._reached()
            self._look_after(last)
            if last or self.watch.end or self.desk.called_away():
                break
            self._advance()
        self._save_once()
        self.writer.wait()
        if self.setting.device.type == "cuda":
            torch.cuda.empty_cache()  # while it pauses, others may use the memory
            self.together.share(REST)
        if last or self.watch.end:
            self._close(FINISHED, self.watch.end or "Finished.")
        elif self.desk.stop_wanted():
            saved = "Stopped; everything learned is saved."
            self._close(STOPPED, saved if self.done else "Stopped before the first step.")

    def _close(self, state: str, message: str) -> None:
        self.over = True
        facts = self.facts()
        if state == FINISHED and self.config.minutes:
            facts["iterations"] = self.done  # no longer a forecast
        self.desk.say(state, message, seconds_left=None, **facts)

    def _reached(self) -> bool:
        if self.config.minutes:
            return self.clock.seconds >= 60 * self.config.minutes
        return self.done >= self.total

    def _advance(self) -> None:
        self.together.share(self.done)  # and so the others do it too
        self.stepping = True
        self.window.append(self.stepper(self.done))
        self.stepping = False
        self.progress.step += 1

    def _look_after(self, last: bool) -> None:
        """What is due after a step, and is not done yet: a resumed run may have been cut off in it."""
        done, config = self.done, self.config
        if not done:
            return
        if self.window and (last or done % config.log_every == 0):
            self._log()
        with self.clock.aside():
            self._observe(last)
            often = done % config.sample_every == 0 and self.clock.affordable()
            if (often or last or done == 1) and not self._sheet(done).exists():
                self.take_sample()
            regular = done % config.checkpoint_every == 0 and self.clock.affordable()
            if not last and (regular or self.clock.here - self.saved_at > LONGEST):
                self._save_once()
            self.grant_wishes()
            self.writer.check()

    def _log(self) -> None:
        done, means = self.done, torch.stack(self.window).mean(0).tolist()
        if not all(map(math.isfinite, means)):
            raise NotFinite(f"at step {done:,}")
        step, here, overhead = self.logged
        images = self.batches.images_seen(done) - self.batches.images_seen(step)
        busy = max(1e-9, self.clock.here - here - (self.clock.overhead - overhead))
        self.logged = (done, self.clock.here, self.clock.overhead)
        speed = round(images / busy, 2)
        facts = self.facts()
        self.run.add_event(
            {
                "step": done,
                "images": facts["images"],
                **{name: round(value, 5) for name, value in zip(FIGURES, means, strict=True)},
                "images_per_second": speed,
                "seconds": facts["seconds"],
                "overhead": round(self.clock.overhead, 2),
            }
        )
        self.window.clear()
        memory = list(memory_use(self.setting.device) or ())
        facts |= {"images_per_second": speed, "memory": memory, "message": self._words()}
        self.desk.update(**(facts | self._forecast(speed)))

    def facts(self) -> dict[str, Any]:
        """How far it is, as fields of the status."""
        return {
            "step": self.done,
            "images": self.batches.images_seen(self.done),
            "seconds": round(self.clock.seconds, 2),
            "minutes": self.config.minutes,
            "iterations": self.total or self.desk.status.iterations,
        }

    def _forecast(self, speed: float) -> dict[str, Any]:
        """Seconds left, sampling and saving included; and the steps in all where time is the goal."""
        slower = self.clock.here / max(1e-9, self.clock.here - self.clock.overhead)
        if not self.config.minutes:
            left = self.batches.images_seen(self.total) - self.batches.images_seen(self.done)
            return {"seconds_left": round(left / speed * slower, 1) if speed else None}
        seconds = max(0.0, 60 * self.config.minutes - self.clock.seconds)
        steps = seconds / slower * speed / self.config.batch_size
        return {"seconds_left": round(seconds, 1), "iterations": self.done + math.ceil(steps)}

    def _observe(self, last: bool) -> None:
        moment = Moment(
            self.done,
            self.batches.images_seen(self.done),
            self.step,
            self.sampler,
            self.desk.called_away,
        )
        for finding in self.watch.look(moment, self.progress, last=last):
            self.run.add_event({"step": self.done, "images": moment.images_seen, **finding})
        if self.progress.best.get("step") == self.done:
            self._save_once()

    def sampler(self) -> nn.Module:
        """The network to sample from at this step, in eval mode, on the device; made once a step."""
        if self._sampler is None or self._sampler[0] != self.done:
            with self.step.autocast():
                made = with_standing_statistics(self.step.sampler(), self.config.batch_size)
            self._sampler = (self.done, made)
        return self._sampler[1]

    def take_sample(self) -> None:
        """Draw the grid of fixed seeds; it is written in the background."""
        images, path = sample(self.sampler(), GRID_SEEDS), self._sheet(self.done)
        self.writer.submit(lambda: write_bytes(path, png(grid(images, columns=6))))

    def _sheet(self, done: int) -> Any:
        return self.run.folder / "samples" / f"{step_name(done)}.png"

    def _save_once(self) -> None:
        folder = self.run.folder / "checkpoints" / step_name(self.done)
        if not self.done or self.saved == self.done or folder.exists():
            return
        self.saved = self.done
        self.progress.seconds = self.clock.seconds
        self.watch.remember(self.progress)
        about = self.setting.about(self.done, self.batches.images_seen(self.done))
        info = ModelInfo(self.model, about)
        shot = snapshot(self.step, self.window, self.progress, self.sampler(), info)
        self.saved_at = self.clock.here

        def job() -> None:
            if not self.run.exists():  # writing would make a deleted folder anew
                raise FileNotFoundError(self.run.folder)
            events.flush(self.run.events_file)
            write(folder, shot)
            self.run.note_best(shot.progress["best"])
            self.run.prune(KEEP)

        self.writer.submit(job)

    def grant_wishes(self) -> None:
        """Sample or save where somebody asked for it."""
        grant: dict[str, Callable[[], None]] = {
            requests.SAMPLE: self.take_sample,
            requests.SAVE: self._save_once,
        }
        while wish := self.desk.next_wish():
            if self.done:
                grant[wish]()
                self.writer.wait()
            self.desk.granted(wish)

    def _rescue(self, error: Exception) -> None:
        """Save what is in memory, unless the step itself left it half done. A full disk gets room from the
        older checkpoints."""
        self.writer.forget()  # what is being written is finished first
        # On a GPU what a lost process owes is still waited for: nothing could be copied from there.
        waits = isinstance(error, PartnerLost) and self.setting.device.type == "cuda"
        if self.stepping or waits or isinstance(error, NotFinite) or not self.run.exists():
            return
        self.saved = 0  # that may have been the very thing that failed
        with suppress(OSError, MedGANError):
            if is_disk_full(error):
                self.run.prune(1)
            self._save_once()
            self.writer.wait()
