"""The figures that the MedGAN paper reports, to be shown beside ours and not to be ranked against them."""

from __future__ import annotations

from typing import Any

PAPER: tuple[dict[str, Any], ...] = (
    {
        "name": "the paper, ISIC",
        "dataset": "160 ISIC dermoscopy images",
        "figures": {"PSNR": 12.89, "MS-GMSD": 0.25, "LPIPS": 0.53},
    },
    {
        "name": "the paper, chest CT",
        "dataset": "120 chest CT adenocarcinoma slices",
        "figures": {"PSNR": 11.80, "MS-GMSD": 0.32, "LPIPS": 0.30},
    },
)
"""The paper states neither which images it paired, nor LPIPS's network and range."""
