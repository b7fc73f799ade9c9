"""The command line: one function a command. JSON goes to stdout, words and progress bars to stderr.

Exit codes: 0, 2 for bad input with one sentence that says what to do, 130 on interrupt.
Heavy imports (torch) stand inside the commands, so that `--help` and mistakes answer at once.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medgan.arguments import build_parser
from medgan.errors import DataError, Interrupted, MedGANError
from medgan.terminal import Bar, StopOnSignal, say
from medgan.workspace import Workspace

BAD_INPUT, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = build_parser(COMMANDS).parse_args(arguments)
    try:
        result = options.command(options)
    except Interrupted as error:
        return _fail(str(error), INTERRUPTED)
    except MedGANError as error:
        return _fail(str(error), BAD_INPUT)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}. Choose another place, or make room.", BAD_INPUT)
    except KeyboardInterrupt:
        return _fail("Interrupted.", INTERRUPTED)
    if options.json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    return 0


def _prepare(options: argparse.Namespace) -> dict[str, Any]:
    from medgan.data.dataset import prepare, refuse_existing, store
    from medgan.data.intake import find_records
    from medgan.data.split import heldout_count

    if 1 <= options.heldout < 2:
        raise DataError("--heldout 1 would keep one image; give a fraction below 1, or a count of 2 or more.")
    out = Path(options.out)
    sources = [str(source) for source in options.source]
    with Bar("image") as bar:
        if any(source.startswith("phantom:") for source in sources):
            from medgan.data.phantom import draw_set

            kind = _only_phantom(sources)
            refuse_existing(out)
            if options.count >= 4:  # fewer are refused by draw_set
                heldout_count(options.heldout, options.count)
            images, labels = draw_set(
                kind, options.count, seed=options.seed, size=options.size, progress=bar.update
            )
            name = options.name or out.name
            data = store(images, labels, out, name=name, heldout=options.heldout, seed=options.seed)
        else:
            data = prepare(
                find_records([Path(source) for source in sources]),
                out,
                name=options.name,
                size=options.size,
                heldout=options.heldout,
                seed=options.seed,
                colour=options.color,
                progress=bar.update,
            )
    parts = ", ".join(f"{count} {part}" for part, count in data.info["splits"].items())
    kind = "grey" if data.channels == 1 else "colour"
    say(f"{data.name}: {len(data.manifest)} {kind} images at {data.size} x {data.size} ({parts}) in {out}")
    for rejection in data.info["rejected"]:
        say(f"  left out: {rejection['file']} {rejection['reason']}")
    return {"dataset": str(out), **data.info}


def _only_phantom(sources: list[str]) -> str:
    if len(sources) > 1:
        raise DataError("A phantom is drawn alone; give one phantom:… and no other source.")
    return sources[0].removeprefix("phantom:")


def _train(options: argparse.Namespace) -> dict[str, Any]:
    from medgan.config import preset
    from medgan.data.dataset import Dataset
    from medgan.training.loop import Request, train

    data = Dataset(options.dataset)
    model, config = preset(options.preset).for_data(
        channels=data.channels,
        size=data.size,
        iterations=options.iterations,
        batch_size=options.batch_size,
        seed=options.seed,
    )
    request = Request(
        dataset=Path(options.dataset),
        run=Path(options.run),
        preset=options.preset,
        model=model,
        train=config,
        device=options.device,
        resume=options.resume,
    )
    with StopOnSignal() as stop, Bar("it") as bar:
        last = [""]

        def report(status: Any) -> None:
            if status.message != last[0]:
                last[0] = status.message
                bar.write(f"{status.message} [{status.device}, {status.precision}]")
            bar.update(status.step, status.iterations)

        status = train(request, interrupted=stop.requested, report=report)
    result = {
        "run": options.run,
        "state": status.state,
        "step": status.step,
        "iterations": status.iterations,
        "images": status.images,
        "device": status.device,
        "precision": status.precision,
    }
    if stop.requested():
        if options.json:
            print(json.dumps(result, indent=2))
        raise Interrupted(
            f"Interrupted at step {status.step}; {options.run} is saved, add --resume to go on."
        )
    return result


def _generate(options: argparse.Namespace) -> dict[str, Any]:
    from medgan.generation.export import export, only_class, parse_seeds
    from medgan.runs.checkpoint import load_generator
    from medgan.runs.info import model_sha256

    seeds = parse_seeds(options.seeds)
    folder = _model_folder(options.model)
    generator, info = load_generator(folder)
    sha256 = model_sha256(folder)
    name = str(info.about.get("name") or folder.name)
    with Bar("image") as bar:
        out = export(
            generator,
            seeds,
            Path(options.out),
            model=name,
            sha256=sha256,
            label=only_class(info.about),
            progress=bar.update,
        )
    say(f"{len(seeds)} images of {name} in {out}")
    return {"out": str(out), "images": len(seeds), "model": name, "model_sha256": sha256}


def _evaluate(options: argparse.Namespace) -> dict[str, Any]:
    from medgan.data.dataset import Dataset
    from medgan.evaluation.report import evaluate, save_report, text_table
    from medgan.runs.record import watched
    from medgan.training.devices import leave_a_core

    out = Path(options.out)
    _refuse_to_replace(out)
    if options.record:
        leave_a_core()  # it was started from the dashboard, whose clicks want one
    with watched(options.record) as record, Bar("") as bar:

        def progress(what: str, done: int, total: int) -> None:
            bar.label(what)
            bar.update(done, total)
            record.progress(what, done, total)

        record.progress("Loading", 0, 1)
        folder = _model_folder(options.model)
        report = evaluate(
            folder,
            Dataset(options.dataset),
            count=options.count,
            lpips_net=options.lpips_net,
            seed=options.seed,
            progress=progress,
        )
        out.parent.mkdir(parents=True, exist_ok=True)
        save_report(report, out)
    say(text_table(report))
    say(f"Written to {out}")
    return report


def _refuse_to_replace(out: Path) -> None:
    """An earlier report may be replaced, nothing else."""
    from medgan.evaluation.report import load_report

    if out.exists():
        try:
            load_report(out)
        except DataError:
            raise DataError(f"{out} exists and is no report; choose another name.") from None


def _models(options: argparse.Namespace) -> Any:
    return {"list": _list, "pull": _pull_one, "pack": _pack, "card": _card}[options.action](options)


def _list(options: argparse.Namespace) -> list[dict[str, str]]:
    from medgan.runs.models import list_models

    entries = list_models(Workspace.default())
    for entry in entries:
        say(f"{entry.spec:32} {entry.kind:8} {entry.folder}")
    if not entries:
        say("No models yet. Train one, or pull one: python -m medgan models pull owner/name")
    return [
        {"model": entry.spec, "name": entry.name, "kind": entry.kind, "folder": str(entry.folder)}
        for entry in entries
    ]


def _pull_one(options: argparse.Namespace) -> dict[str, str]:
    repo = _target(options, "the repository: python -m medgan models pull owner/name")
    folder = _pull(repo, options.revision)
    say(f"Pulled to {folder}; use it as MODEL hub:{repo.removeprefix('hub:')}")
    return {"model": f"hub:{repo.removeprefix('hub:')}", "folder": str(folder)}


def _pack(options: argparse.Namespace) -> dict[str, str]:
    from medgan.hub.card import pack

    model = _target(options, "the run: python -m medgan models pack RUN --out FOLDER")
    if not options.out:
        raise DataError("Say where to: python -m medgan models pack RUN --out FOLDER.")
    folder = pack(_model_folder(model), Path(options.out))
    say(f"Packed as {folder}")
    return {"folder": str(folder)}


def _card(options: argparse.Namespace) -> dict[str, str]:
    from medgan.evaluation.report import load_report
    from medgan.hub.card import write_card

    model = _target(options, "the model: python -m medgan models card MODEL --report REPORT.json")
    report = load_report(Path(options.report)) if options.report else None
    path = write_card(_model_folder(model), report=report, note=options.note)
    say(f"Written to {path}")
    return {"card": str(path)}


def _target(options: argparse.Namespace, what: str) -> str:
    if not options.target:
        raise DataError(f"Name {what}.")
    return str(options.target)


def _model_folder(spec: str) -> Path:
    """The folder of MODEL; one on the Hub is pulled where it is not here yet."""
    from medgan.errors import CheckpointError
    from medgan.runs.models import find_model

    try:
        return find_model(spec, Workspace.default())
    except CheckpointError:
        if not spec.startswith("hub:"):
            raise
        return _pull(spec, None)


def _pull(repo: str, revision: str | None) -> Path:
    from medgan.hub.transfer import pull

    with Bar("B", scale=True) as bar:
        return pull(repo, Workspace.default(), revision=revision, progress=bar.update)


def _fail(message: str, code: int) -> int:
    say(f"medgan: {message}")
    return code


COMMANDS = {
    "prepare": _prepare,
    "train": _train,
    "generate": _generate,
    "evaluate": _evaluate,
    "models": _models,
}
