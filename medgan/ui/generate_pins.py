"""Pinned images: what real images they resemble, and a walk between them."""

from __future__ import annotations

import streamlit as st

from medgan.images import png
from medgan.ui.components import plain_errors
from medgan.ui.generate import Chosen, pinned, toggle
from medgan.ui.sampler import nearest, samples, walk_gif
from medgan.ui.text import plain
from medgan.workspace import safe_name

AWAY = (
    "Their nearest real images cannot be shown: the data set that this model was trained on is not in this "
    "workspace."
)


def pins(chosen: Chosen) -> None:
    """The pinned images with their neighbours, and the walk between two or more."""
    seeds = pinned(chosen)
    if not seeds:
        st.caption(
            "Click the seed below an image to pin it: to see what it resembles, and to walk between two."
        )
        return
    st.subheader("Pinned")
    with plain_errors():
        known = chosen.trained_on is not None
        if not known:
            st.caption(AWAY)
        with st.grid(min_column_width=300 if known else 140, gap="small"):
            for seed, image in zip(
                seeds, samples(chosen.entry, seeds, chosen.label, chosen.truncation), strict=True
            ):
                with st.container(border=True, gap="xsmall"):
                    _pin(chosen, seed, image)
        if len(seeds) > 1:
            _walk(chosen, seeds)


def _pin(chosen: Chosen, seed: int, image: bytes) -> None:
    reals = chosen.trained_on
    beside = nearest(chosen.entry, reals, image) if reals is not None else {}
    columns = st.columns(1 + len(beside), gap="xsmall")
    columns[0].image(image, width="stretch", output_format="PNG", caption="generated", alt=f"seed {seed}")
    for column, (side, real) in zip(columns[1:], beside.items(), strict=True):
        words = f"{side}, {real.distance:.2f} away"
        data = png(real.image)
        column.image(data, width="stretch", output_format="PNG", caption=words, alt=f"nearest {side} image")
    st.button(
        f"seed {seed}",
        key=f"unpin-{seed}",
        type="tertiary",
        icon=":material/close:",
        help="Let it go",
        on_click=toggle,
        args=(chosen, seed),
    )


def _walk(chosen: Chosen, seeds: list[int]) -> None:
    """From each pinned image to the next and back, as a film."""
    words = ", ".join(map(str, seeds))
    way = f"From seed to seed and back to the first: {words}."
    if not st.toggle("Walk between them", key="walk", help=way):
        return
    data = walk_gif(chosen.entry, seeds, chosen.label, chosen.truncation)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.image(data, width=256, alt=f"Walk between seeds {words}")
        st.download_button(
            f"GIF, {len(data) / 1e6:.1f} MB",
            data,
            file_name=f"{safe_name(plain(chosen.entry.name))}-walk-{'-'.join(map(str, seeds))}.gif",
            mime="image/gif",
            icon=":material/download:",
            on_click="ignore",
            key="download_walk",
        )
