"""A made-up report of format 2 with its pictures, for tests of what is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from medgan.data.phantom import draw_set
from medgan.evaluation.pictures import Pictures, save_pictures
from medgan.files import write_json

EVIL = "<script>alert('x')</script> *b* $x$"
"""A name that somebody chose to hurt the page."""
THUMB = 48


def figure(name: str, part: str, value: float | None, **more: Any) -> dict[str, Any]:
    low, high = (None, None) if value is None else (value * 0.9, value * 1.1)
    return {
        "name": name,
        "part": part,
        "title": name,
        "value": value,
        "low": low,
        "high": high,
        "floor": 0.001,
        "noise": 0.9,
        "n": 256,
        "n_real": 40,
        "warn_at": 0.6,
        "fail_at": 0.3,
        "seed": 0,
        "direction": "lower is better",
        "unit": "",
        "features": "squeezenet",
        "features_sha256": "ab" * 32,
        "meaning": f"What {name} means.",
        "warning": None,
        "reason": None if value is not None else "there are too few images",
        "level": "good",
    } | more


def figures() -> list[dict[str, Any]]:
    return [
        figure("KID", "quality", 0.0213, title="KID (kernel distance)", level="warn"),
        figure("FID", "quality", 93.1, floor=68.0, noise=431.0, warning="Below 2,048 images it is high."),
        figure("precision", "quality", 0.71, floor=0.8, noise=0.0, direction="higher is better"),
        figure("Vendi", "diversity", 0.92, floor=1.0, noise=0.3, direction="higher is better"),
        figure("CMMD", "diversity", None),
        figure("copies", "memorisation", 0.06, floor=0.01, noise=0.0, level="fail", unit="share"),
        figure("C_T", "memorisation", -1.2, low=-2.4, high=0.1, floor=0.0, noise=None),
    ]


def rows() -> list[dict[str, Any]]:
    """The paper's three, as format 1 had them."""
    entries = []
    for pairing in ("random", "nearest"):
        for name, direction in (("PSNR", "higher is better"), ("MS-GMSD", "lower is better")):
            for place, row in enumerate(("generated", "other real images", "mean image", "noise")):
                value = 12.0 - place
                network = None
                entries.append(
                    {
                        "name": name,
                        "row": row,
                        "pairing": pairing,
                        "value": value,
                        "low": value - 0.3,
                        "high": value + 0.3,
                        "n": {"images": 256, "heldout": 40, "pairs": 1024},
                        "seed": 0,
                        "unit": "dB" if name == "PSNR" else "",
                        "direction": direction,
                        "network": network,
                        "reason": None,
                    }
                )
        entries += [
            entries[-1]
            | {"name": "LPIPS", "row": row, "value": None, "low": None, "high": None, "reason": "no network"}
            for row in ("generated", "noise")
        ]
    return entries


def report(points: int = 90, **more: Any) -> dict[str, Any]:
    """A whole report; `more` replaces entries at the top."""
    rng = np.random.default_rng(0)
    sets = ("train", "heldout", "generated")
    turns = ("as it is", "mirrored, 90°", "180°")
    return {
        "format": 2,
        "model": {"name": "tiny", "sha256": "cd" * 32, "config": {"size": 64}, "about": {}},
        "dataset": {
            "name": "phantoms",
            "content_sha256": "ef" * 32,
            "train": 120,
            "heldout": 40,
            "classes": {},
            "channels": 1,
            "size": 64,
        },
        "settings": {
            "count": 256,
            "split": "test",
            "features": {"name": "squeezenet", "label": "SqueezeNet 1.1", "sha256": "ab" * 32},
            "parts": ["quality", "diversity", "memorisation"],
            "bootstrap": {"over": "images", "level": 0.95, "resamples": 1000},
            "seed": 0,
            "lpips_net": "squeeze",
            "pairings": {"random": "at random", "nearest": "the nearest"},
        },
        "verdicts": {
            "quality": {"level": "warn", "reason": "KID is 21 times what real images have."},
            "diversity": {"level": "good", "reason": "They vary as much as real images do."},
            "memorisation": {"level": "fail", "reason": "6 % are copies of training images."},
            "usefulness": {"level": "unknown", "reason": "Nobody has studied it; run study-usefulness."},
        },
        "figures": figures(),
        "rows": rows(),
        "pairs": [
            {
                "generated": k,
                "train": 3 * k,
                "distance": 0.11 + 0.02 * k,
                "turn": turns[k % 3],
                "flagged": k in (0, 4),
            }
            for k in range(12)
        ],
        "map": {
            "method": "PCA",
            "points": [
                {"set": sets[k % 3], "x": float(x), "y": float(y), "index": k // 3}
                for k, (x, y) in enumerate(rng.normal(size=(points, 2)))
            ],
        },
        "paper": [
            {
                "name": "the paper, ISIC",
                "dataset": "160",
                "figures": {"PSNR": 12.89, "MS-GMSD": 0.25, "LPIPS": 0.53},
            }
        ],
        "pictures": {"real": 36, "generated": 36, "pairs": 12, "map": points},
        "notes": ["Only 40 images are held out: the intervals are wide.", "These three cannot rank."],
        "versions": {"medgan": "0.1.0", "torch": "2.9"},
        "seconds": {"sampling": 3.2, "KID": 1.1},
    } | more


def hostile() -> dict[str, Any]:
    """Names and sentences that try to be more than text."""
    values = report()
    values["model"] |= {"name": EVIL}
    values["dataset"] |= {"name": EVIL}
    values["verdicts"]["quality"]["reason"] = EVIL
    values["notes"] = [EVIL]
    values["versions"][EVIL] = EVIL
    values["settings"][EVIL] = {EVIL: [EVIL]}
    for entry in values["figures"]:
        entry |= dict.fromkeys(("name", "title", "meaning", "warning", "reason", "features", "unit"), EVIL)
    values["pairs"][0]["turn"] = values["map"]["method"] = values["paper"][0]["name"] = EVIL
    return values


def pictures(points: int = 90, channels: int = 1) -> Pictures:
    """What `html` takes, drawn by a program."""
    images, _ = draw_set("chest-ct" if channels == 1 else "dermoscopy", 72, size=64)
    small = np.repeat(images[:, ::2, ::2][:, :THUMB, :THUMB], 2, axis=0)
    thumbs = np.zeros((points, THUMB, THUMB, images.shape[3]), np.uint8)
    thumbs[:, :32, :32] = small[:points, :32, :32]
    return Pictures(
        real=images[:36], generated=images[36:], pairs=images[:24].reshape(12, 2, 64, 64, -1), map=thumbs
    )


def write(folder: Path, values: dict[str, Any] | None = None, *, state: str = "finished") -> Path:
    """A record as the evaluation leaves it in the workspace."""
    values = values or report()
    folder.mkdir(parents=True)
    shown = pictures(len(values["map"]["points"]))
    write_json(folder / "config.json", {"model": "tiny", "dataset": "phantoms"})
    (folder / "report.json").write_text(json.dumps(values))
    (folder / "status.json").write_text(json.dumps({"state": state, "message": "Finished."}))
    save_pictures(shown, folder)
    return folder
