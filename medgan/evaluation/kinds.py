"""The figures of a scorecard: what each is called, what it means, and where it warns and fails."""

from __future__ import annotations

from dataclasses import dataclass

from medgan.metrics import authenticity, copies, distribution, diversity, fid, neighbours

QUALITY, DIVERSITY, MEMORISATION = "quality", "diversity", "memorisation"
PARTS = (QUALITY, DIVERSITY, MEMORISATION)
USEFULNESS = "usefulness"
HIGHER, LOWER = "higher is better", "lower is better"

PRECISION_WARN, PRECISION_FAIL = 0.6, 0.3
RECALL_WARN, RECALL_FAIL = 0.6, 0.3
REPEATS_WARN, REPEATS_FAIL = 0.1, 0.5


@dataclass(frozen=True)
class Kind:
    """A figure. `warn` and `fail` are its levels (None: it is shown and decides nothing), `usual` what it has
    for images that are as good as real ones, `needs` the images a side below which it means little."""

    name: str
    part: str
    title: str
    direction: str
    meaning: str
    needs: int = distribution.FEW
    warn: float | None = None
    fail: float | None = None
    usual: float | None = None
    unit: str = ""


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "fid_ratio",
            QUALITY,
            "FID ratio",
            HIGHER,
            "How far real images are from other real ones, over how far the generated ones are from them: "
            "1 is as good as real, near 0 far from it.",
            warn=fid.WARN,
            fail=fid.FAIL,
            usual=1.0,
        ),
        Kind(
            "fid",
            QUALITY,
            "FID",
            LOWER,
            "Distance of the generated from the held-out images as wholes; with few images even real ones "
            "are far from each other, so read it beside its floor only.",
        ),
        Kind(
            "kid",
            QUALITY,
            "KID",
            LOWER,
            "Kernel distance of the generated from the held-out images; about 0 for real ones, whatever "
            "their number.",
        ),
        Kind(
            "precision",
            QUALITY,
            "Precision",
            HIGHER,
            "Share of generated images that lie where real images lie.",
            warn=PRECISION_WARN,
            fail=PRECISION_FAIL,
        ),
        Kind(
            "density",
            QUALITY,
            "Density",
            HIGHER,
            "How densely generated images lie among real ones; about 1 for real images.",
        ),
        Kind(
            "class_accuracy",
            QUALITY,
            "Recognised classes",
            HIGHER,
            "Share of generated images that a classifier trained on real ones takes for the class that was "
            "asked for, the mean over classes.",
        ),
        Kind(
            "recall",
            DIVERSITY,
            "Recall",
            HIGHER,
            "Share of real images that lie where generated ones lie; what is left out lowers it.",
            warn=RECALL_WARN,
            fail=RECALL_FAIL,
        ),
        Kind(
            "coverage",
            DIVERSITY,
            "Coverage",
            HIGHER,
            "Share of real images that have a generated one near them.",
        ),
        Kind(
            "spread_ratio",
            DIVERSITY,
            "Spread",
            HIGHER,
            "How different generated images are from each other on average, over the same of real ones; it "
            "misses a collapse to 20 images.",
            warn=diversity.WARN,
            fail=diversity.FAIL,
            usual=1.0,
        ),
        Kind(
            "vendi_ratio",
            DIVERSITY,
            "Vendi ratio",
            HIGHER,
            "How many different images there are in effect, over the same of as many real ones.",
            warn=diversity.VENDI_WARN,
            fail=diversity.VENDI_FAIL,
            usual=1.0,
        ),
        Kind(
            "lpips_ratio",
            DIVERSITY,
            "LPIPS spread",
            HIGHER,
            "Mean LPIPS of two generated images, over that of two real ones.",
        ),
        Kind(
            "ms_ssim_ratio",
            DIVERSITY,
            "MS-SSIM spread",
            HIGHER,
            "Mean 1 - MS-SSIM of two generated images, over that of two real ones.",
        ),
        Kind(
            "repeats",
            DIVERSITY,
            "Repeats",
            LOWER,
            "Share of generated images that have a near duplicate among themselves; about 0.01 is usual.",
            needs=copies.FEW,
            warn=REPEATS_WARN,
            fail=REPEATS_FAIL,
        ),
        Kind(
            "stairs",
            DIVERSITY,
            "Stairs",
            LOWER,
            "Largest change over mean change along straight paths between latent vectors: 1 is even; a "
            "generator that stores images stands still and jumps.",
            needs=0,
            warn=diversity.STAIRS_WARN,
            fail=diversity.STAIRS_FAIL,
        ),
        Kind(
            "copies",
            MEMORISATION,
            "Copies",
            LOWER,
            "Share of generated images nearer to a training image than real images of different patients "
            "are, mirrored, turned or brightened ones included; about 0.01 is usual.",
            needs=copies.FEW,
            warn=copies.WARN,
            fail=copies.FAIL,
        ),
        Kind(
            "nearest_ratio",
            MEMORISATION,
            "Nearest ratio",
            HIGHER,
            "Median distance to the nearest training image, over the same of held-out images: 1 is usual, 0 "
            "a copy.",
            needs=20,
            warn=neighbours.WARN,
            fail=neighbours.FAIL,
            usual=1.0,
        ),
        Kind(
            "authenticity",
            MEMORISATION,
            "Authenticity",
            HIGHER,
            "Share of generated images farther from their nearest training image than that one is from its "
            "own nearest; what is usual is what held-out images have, the floor.",
        ),
        Kind(
            "authenticity_difference",
            MEMORISATION,
            "Authenticity beside held-out",
            HIGHER,
            "Authenticity less that of held-out images, in features or in plain pixels, whichever is worse.",
            warn=authenticity.WARN,
            fail=authenticity.FAIL,
            usual=0.0,
        ),
        Kind(
            "ct",
            MEMORISATION,
            "C_T",
            HIGHER,
            "Whether generated images lie nearer to the training images than held-out ones do: about 0 for "
            "new images, below -3 nearer than by chance.",
            needs=20,
            warn=authenticity.FLAG,
        ),
        Kind(
            "ct_share",
            MEMORISATION,
            "C_T share",
            HIGHER,
            "Share of pairs in which the generated image is farther from the training images than the "
            "held-out one; 0.5 is usual, and it does not grow with the counts.",
            needs=20,
        ),
        Kind(
            "membership_auc",
            MEMORISATION,
            "Discriminator's memory",
            LOWER,
            "How well the discriminator tells training from held-out images: 0.5 not at all, 1 always. It "
            "says what the discriminator remembers, not what is in the images.",
        ),
    )
}
"""By name, in the order in which they are shown."""
